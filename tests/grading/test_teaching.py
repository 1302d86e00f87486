"""The teacher's page, carried out: from a solution to marks, and what students get back."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from small_course import ASSIGNMENT, ROOT, code, make_course, small_source, store

pytest.importorskip("nbgrader", reason="a teacher's tool, in requirements-dev.lock")

import exercises


def commands(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.M | re.S)


def shell(lines, folder):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for line in lines:
        done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True)
        assert done.returncode == 0, f"{line}\n{done.stderr.decode()}"


def readable(path):
    """Return the words of a page, as a reader sees them."""
    page = re.sub(r"<(style|script).*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", "", page))


def answered(answer):
    notebook = small_source()
    notebook["cells"][2]["source"] = f"def square(x):\n    return {answer}"
    notebook["cells"][3]["source"] = 'check("05.1", square)'
    notebook["cells"][4]["source"] = "It is clear."
    notebook["cells"][5]["source"] = "Draw the graph."
    return notebook


def marks(course):
    lines = (course / "grades.csv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    return {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in rows}


def test_the_way_to_marks_is_as_the_page_says(tmp_path, monkeypatch):
    """Carry out the commands of docs/teaching.md: a right answer, a hostile one, and none."""
    course = make_course(tmp_path / "course")
    page = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    way, *others = commands(page, "sh")
    assert len(way.splitlines()) == 10
    ours = [line for line in way.splitlines() if not line.startswith(("git", "make", "source"))]

    hostile = answered("x * x * 1.0 if x > 0 else print('### BEGIN HIDDEN TESTS')")
    hostile["cells"].append(code("mine", "### BEGIN HIDDEN TESTS"))
    store(course / "inbox" / "ada" / f"{ASSIGNMENT}.ipynb", answered("x ** 2"))
    store(course / "submitted" / "eve" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", hostile)
    (course / "students.csv").write_text("id,first_name,last_name,email\nada,Ada,L,\ncyd,Cyd,C,\n")
    shell(ours, course)
    assert marks(course) == {"ada": (3, 6), "cyd": (0, 6), "eve": (0, 6)}

    # What the teacher sees has the hidden test, twice where it failed; what students see, never.
    hidden = "assert square(-7.25) == 52.5625"
    (graded_eve,) = course.glob(f"autograded/eve/{ASSIGNMENT}/*.ipynb")
    notebook = nbformat.read(graded_eve, as_version=4)
    assert hidden in notebook.cells[3].source
    assert hidden in re.sub("\x1b[^m]*m", "", "".join(notebook.cells[3].outputs[-1].traceback))
    secret = set(exercises.secrets(nbformat.from_dict(small_source())))
    for name in ("ada", "eve"):
        (feedback,) = course.glob(f"feedback/{name}/{ASSIGNMENT}/*.html")
        words = readable(feedback)
        assert 'check("05.1", square)' in words and "Draw the graph." in words
        assert not [line for line in secret if line in words]
        assert "52.5625" not in words and "parabola" not in words
        assert ("AssertionError: a negative number" in words) == (name == "eve")

    # Marks by hand, as the page gives them; then the other commands, a new run of all among them.
    monkeypatch.chdir(course)
    for block in commands(page, "python"):
        exec(block, {})
    shell([line for block in others for line in block.splitlines() if "nbgrader" in line], course)
    assert marks(course)["ada"] == (5, 6)
