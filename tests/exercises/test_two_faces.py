"""An exercise is its solution without the answer: nothing less, nothing more, and it is fair."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from small_course import ASSIGNMENT, ROOT, code, graded, make_course, small_source, store, text

pytest.importorskip("nbgrader", reason="a teacher's tool, in requirements-dev.lock")

import student
from nbgrader.validator import Validator

import exercises

SOURCES = sorted(ROOT.glob("solutions/*/*.ipynb"))
each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)


def displayed(path):
    """Run an exercise as a student does, and return what each of its checks displays."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    return {
        identifier: "".join(
            output.get("text", "") + output.get("data", {}).get("text/plain", "")
            for output in cell.outputs
        )
        for cell in notebook.cells
        for identifier in exercises.checked(cell)
    }


# ---- the exercises of the course


def test_sources_are_sound():
    found = list(exercises.problems())
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def released():
    return exercises.released()


def test_exercises_are_what_the_solutions_give(released):
    found = exercises.differences(released, exercises.files_in(ROOT / "exercises"))
    assert not found, "\n".join([*found, "`make exercises` makes them again"])


def test_exercises_give_no_solution_away(released):
    found = exercises.leaks({f"exercises/{name}": content for name, content in released.items()})
    assert not found, "\n".join(found)


def test_student_gets_no_solution():
    files = student.shipped()
    found = exercises.leaks(files)
    assert not found, "\n".join(found)
    assert not [name for name in files if re.search("solution|tests/(ex|gr)|grade|\\.git", name)]


@each_source
def test_untouched_exercise_runs_and_waits(path, released, tmp_path):
    exercises.write(released, tmp_path)
    shown = displayed(tmp_path / path.parent.name / path.name)
    assert shown
    for identifier, message in shown.items():
        assert "not answered yet" in message.lower(), f"{identifier}: {message}"


@each_source
def test_untouched_exercise_scores_nothing(path, released, tmp_path):
    exercises.write(released, tmp_path)
    exercise = tmp_path / path.parent.name / path.name
    assert Validator(invert=True).validate(str(exercise)) == {}


@each_source
def test_solution_scores_full_marks(path, tmp_path):
    # What stands beside it comes along, and what running it writes does not stay.
    shutil.copytree(path.parent, tmp_path, dirs_exist_ok=True)
    assert Validator().validate(str(tmp_path / path.name)) == {}


# ---- the same, on an assignment of our own


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path / "course")


def test_small_exercise_runs_and_waits_and_scores_nothing(course):
    assert exercises.main(course, points=lambda identifier: 3) == 0
    exercise = course / "exercises" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    assert displayed(exercise) == {"05.1": "not answered yet\n"}
    assert Validator(invert=True).validate(str(exercise)) == {}
    assert Validator().validate(str(exercise))["failed"]
    solution = course / "solutions" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    assert Validator().validate(str(solution)) == {}
    assert Validator(invert=True).validate(str(solution))["passed"]


def test_nbgrader_makes_the_same_bytes(course):
    """Twice by us, then by the teacher's own command, which fills the gradebook, too."""
    ours = exercises.released(course)
    assert exercises.released(course) == ours
    exercises.write(ours, course / "exercises")
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", ASSIGNMENT]
    subprocess.run(command, cwd=course, check=True, capture_output=True)
    assert exercises.files_in(course / "exercises") == ours
    assert (course / "gradebook.db").exists()


def test_a_stub_is_harmless(course):
    (content,) = exercises.released(course).values()
    cells = nbformat.reads(content.decode(), as_version=4).cells
    assert cells[2].source.endswith("    # your answer here\n    pass")
    exec(cells[2].source, names := {})
    assert names["square"](2.0) is None
    assert "Your answer here" in cells[4].source
    assert [cell.source for cell in cells[5:]] == ["Draw the graph."]


def test_staleness_is_found_and_mended(course):
    folder = course / "exercises"
    made = exercises.released(course)
    assert exercises.differences(made, {}) == [f"exercises/{name}: is missing" for name in made]
    exercises.write(made, folder)
    assert exercises.differences(made, exercises.files_in(folder)) == []

    (path,) = folder.rglob("*.ipynb")
    path.write_text(path.read_text().replace("Squares", "Cubes"))
    old = folder / "04_old" / "04_old.ipynb"
    store(old, small_source())
    (folder / ASSIGNMENT / "progress.json").write_text("{}")
    assert exercises.differences(made, exercises.files_in(folder)) == [
        "exercises/04_old/04_old.ipynb: has no source in solutions/",
        f"exercises/{ASSIGNMENT}/{ASSIGNMENT}.ipynb: is not what "
        f"solutions/{ASSIGNMENT}/{ASSIGNMENT}.ipynb gives",
    ]
    exercises.write(made, folder)
    assert exercises.differences(made, exercises.files_in(folder)) == []
    assert not old.parent.exists()
    assert (folder / ASSIGNMENT / "progress.json").exists()


LEAK = "magnified = x * x * 1.0"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (lambda cell: cell.update(source=cell["source"] + f"\n# {LEAK}"), LEAK),
        (lambda cell: cell["metadata"].update(answer={"is": [LEAK]}), LEAK),
        (lambda cell: cell["metadata"].update({LEAK: True}), LEAK),
        (
            lambda cell: cell.update(
                cell_type="code",
                execution_count=1,
                outputs=[{"output_type": "stream", "name": "stdout", "text": f"  {LEAK}\n"}],
            ),
            LEAK,
        ),
        (
            lambda cell: cell.update(source='assert square(-7.25) == 52.5625, "a negative number"'),
            'assert square(-7.25) == 52.5625, "a negative number"',
        ),
        (
            lambda cell: cell.update(source="Because  $(-x)(-x) = x^2$, by distributivity twice."),
            "Because $(-x)(-x) = x^2$, by distributivity twice.",
        ),
        (
            lambda cell: cell.update(source="One point for a parabola that opens upwards."),
            "One point for a parabola that opens upwards.",
        ),
    ],
    ids=["in a line", "in metadata", "in a key", "in an output", "a test", "a proof", "a scheme"],
)
def test_a_leak_is_found(place, line, course):
    exercise = small_source()
    del exercise["cells"][2:]
    assert exercises.leaks({"exercises/x.ipynb": json.dumps(exercise).encode()}, course) == []
    place(exercise["cells"][0])
    assert exercises.leaks({"exercises/x.ipynb": json.dumps(exercise).encode()}, course) == [
        f"exercises/x.ipynb: has a line of solutions/{ASSIGNMENT}/{ASSIGNMENT}.ipynb: {line!r}"
    ]
    assert exercises.leaks({"notes.md": line.encode()}, course)


def test_what_is_public_is_no_leak(course):
    lesson = {**small_source(), "cells": [text("a", f"Compute\n\n    {LEAK}")]}
    store(course / "notebooks" / "05_x.ipynb", lesson)
    assert exercises.leaks({"exercises/x.py": LEAK.encode()}, course) == []


def test_a_leak_stops_the_making(course, capsys):
    path = course / "solutions" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    source = small_source()
    source["cells"][0]["source"] = f"Hint: `{LEAK}`"
    store(path, source)
    assert exercises.main(course, points=lambda identifier: 3) == 1
    assert LEAK in capsys.readouterr().out
    assert not (course / "exercises").exists()


def change(index, **changes):
    return lambda source: source["cells"][index].update(copy.deepcopy(changes))


def nbgrader(index, **changes):
    return lambda source: source["cells"][index]["metadata"]["nbgrader"].update(changes)


def add(cell):
    return lambda source: source["cells"].append(cell)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (nbgrader(3, grade_id="square"), "Duplicate grade id"),
        (nbgrader(3, points=4), "gives 4 points for exercise 05.1, which is worth 3"),
        (nbgrader(4, points=0), "for no points"),
        (change(3, source="check('05.9', square)"), "exercise 05.9 is not known"),
        (change(3, source="assert square(2) == 4"), "checks 0 exercises"),
        (change(3, source="check('05.1', f)\ncheck('05.2', f)"), "checks 2 exercises"),
        (change(3, source="check('05.1', f)\ncheck('05.1', f)"), "not exactly one check"),
        (
            change(3, source="### BEGIN HIDDEN TESTS\ncheck('05.1', f)\n### END HIDDEN TESTS"),
            "not exactly one check",
        ),
        (change(3, metadata={}), "is no test cell"),
        (change(2, source="def square(x:"), "is not Python"),
        (change(2, source="### BEGIN SOLUTION\nx"), "BEGIN SOLUTION and END SOLUTION do not"),
        (change(2, source="x\n### END SOLUTION"), "do not come in pairs"),
        (
            change(2, source="### BEGIN SOLUTION\n### BEGIN HIDDEN TESTS\n### END SOLUTION"),
            "BEGIN HIDDEN TESTS and END HIDDEN TESTS do not",
        ),
        (change(1, execution_count=1), "stores an output or a count"),
        (change(1, source="open('/" + "home/ada/x')"), "names a folder of one machine"),
        (change(0, attachments={"a.png": {"image/png": "aGk="}}), "has an attachment"),
        (change(0, metadata={"note": "for colleagues"}), "handed out with the exercise: note"),
        (lambda source: source["metadata"].update(author="Ada"), "metadata tell of one machine"),
        (lambda source: source.update(nbformat_minor=4), "not a notebook"),
        (lambda source: source.update(cells=source["cells"][:3]), "no cell checks an exercise"),
        (add({"cell_type": "poem"}), "not a notebook"),
        (add(code("again", "check('05.1', square)", graded("again", 3))), "more than one cell"),
    ],
)
def test_each_rule_is_seen(spoil, reason, tmp_path):
    source = small_source()
    path = tmp_path / "solutions" / ASSIGNMENT / "source.ipynb"
    points = {"05.1": 3}.__getitem__
    store(path, source)
    assert list(exercises.problems(tmp_path, points)) == []
    spoil(source)
    store(path, source)
    assert any(reason in problem for problem in exercises.problems(tmp_path, points))


def test_an_exercise_has_one_home(course):
    other = course / "solutions" / "06_other" / "06_other.ipynb"
    store(other, small_source())
    (problem,) = exercises.problems(course, points=lambda identifier: 3)
    assert "exercise 05.1 is checked in solutions/05_backpropagation/" in problem


# ---- the bundle


def test_bundle_has_the_same_bytes_on_every_run(tmp_path):
    files = student.shipped()
    for name in ("one", "two"):
        student.pack(files, tmp_path / name / "student.zip")
    one, two = (tmp_path / name / "student.zip" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {student.TOP + name for name in files}


def test_links_lead_to_what_is_in_the_bundle():
    files = student.shipped()
    for name, content in files.items():
        if name == "README.md" or re.match("(notebooks|exercises)/.*ipynb$", name):
            for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(name, content)):
                target = os.path.normpath(Path(name).parent / link)
                known = target in files or any(other.startswith(f"{target}/") for other in files)
                # The ledger names the tests of the lessons, which may hold answers to exercises.
                known |= name == "notebooks/91_ledger.ipynb" and target.startswith("tests/")
                assert "://" in link or known, f"{name}: the bundle has no {link}"


def prose(name, content):
    if not name.endswith(".ipynb"):
        return content.decode()
    cells = nbformat.reads(content.decode(), as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_makefile_of_the_bundle_has_what_a_student_can_use():
    text = student.shipped()["Makefile"].decode()
    assert set(re.findall(r"^([a-z-]+):", text, flags=re.M)) == {"help", "lab", "test", "clean"}
