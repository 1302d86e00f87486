"""A course with one assignment, in a temporary folder, graded by nbgrader's own commands."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
NAME = "trial"

#: Words that stand in the solution or in the hidden tests, and must come to no student.
SECRETS = ("Sesame", "hidden_probe", "np.square(x)  #", "the model answer")

CONFIG = f"""
c = get_config()
load_subconfig("nbgrader_config.py", path={str(ROOT)!r})
c.CourseDirectory.course_id = "trial"
c.Judge.cell_seconds = 3
c.Judge.total_seconds = 60
c.Judge.memory_bytes = 1 << 30
"""


def cell(kind: str, name: str, source: str, points: int | None = None, **flags: bool) -> dict:
    """A cell with nbgrader's metadata."""
    about = {"grade": False, "solution": False, "locked": False, "task": False, **flags}
    about |= {"grade_id": name, "schema_version": 3, "cell_type": kind}
    if points is not None:
        about["points"] = points
    make = new_code_cell if kind == "code" else new_markdown_cell
    return make(source.strip(), id=name, metadata={"nbgrader": about})


def solution(name: str, source: str) -> dict:
    return cell("code", name, source, solution=True)


def test(name: str, points: int, source: str) -> dict:
    return cell("code", name, source, points, grade=True, locked=True)


def assignment() -> nbformat.NotebookNode:
    """Four questions that are judged (8 points) and one that is read (2 points)."""
    cells = [
        cell(
            "code",
            "imports",
            "import numpy as np\nfrom minimlcourse.classroom.checks import check, progress\n"
            'progress("04")',
            locked=True,
        ),
        solution(
            "square",
            "def square(x):\n    ### BEGIN SOLUTION\n    return np.square(x)  # Sesame 1\n"
            "    ### END SOLUTION",
        ),
        test(
            "test_square",
            2,
            """
assert square(3) == 9, "the square of 3"
### BEGIN HIDDEN TESTS
for hidden_probe in (-2.0, 0.5):
    assert np.isclose(square(hidden_probe), hidden_probe * hidden_probe), "another square"
assert np.allclose(square(np.array([1.0, -4.0])), [1.0, 16.0]), "the squares of an array"
### END HIDDEN TESTS
""",
        ),
        solution(
            "scale",
            "### BEGIN SOLUTION\nscale = {'small': 0.1, 'large': 10}  # Sesame 2\n### END SOLUTION",
        ),
        test(
            "test_scale",
            1,
            """
assert isinstance(scale, dict), "a dictionary is asked for"
### BEGIN HIDDEN TESTS
assert scale["large"] / scale["small"] == 100, "the ratio of the two"  # hidden_probe
### END HIDDEN TESTS
""",
        ),
        solution(
            "matmul",
            "def matmul_rule(g, A, B):\n    ### BEGIN SOLUTION\n    return g @ B.T, A.T @ g\n"
            "    ### END SOLUTION",
        ),
        test("test_matmul", 2, 'check("04.3", matmul_rule)'),
        solution(
            "slope",
            "def gradient(f, x, h):\n    ### BEGIN SOLUTION\n    # Sesame 4\n"
            "    out = np.empty(x.shape)\n    for i in np.ndindex(*x.shape):\n"
            "        step = np.zeros(x.shape)\n        step[i] = h\n"
            "        out[i] = (f(x + step) - f(x - step)) / (2 * h)\n    return out\n"
            "    ### END SOLUTION",
        ),
        test("test_slope", 3, 'check("04.7", gradient)'),
        cell("markdown", "why", "the model answer", 2, grade=True, solution=True),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=metadata)


#: Right answers, in words of a student.
ANSWERS = {
    "square": "def square(x):\n    return x * x",
    "scale": "scale = {'small': 1, 'large': 100.0}",
    "matmul": "def matmul_rule(g, A, B):\n    return np.dot(g, B.T), (g.T @ A).T",
    "slope": """
def gradient(f, x, h):
    flat = x.ravel()
    slopes = []
    for i in range(x.size):
        e = h * (np.arange(x.size) == i)
        slopes.append((f((flat + e).reshape(x.shape)) - f((flat - e).reshape(x.shape))) / (2 * h))
    return np.array(slopes).reshape(x.shape)
""",
}
POINTS = {"test_square": 2, "test_scale": 1, "test_matmul": 2, "test_slope": 3}


class Course:
    """The folder of a course."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "solutions" / NAME).mkdir(parents=True)
        nbformat.write(assignment(), folder / "solutions" / NAME / f"{NAME}.ipynb")
        (folder / "nbgrader_config.py").write_text(CONFIG)
        said = self.run("generate_assignment", NAME)
        assert self.status == 0, said

    def run(self, *command: str, environment: dict[str, str] | None = None) -> str:
        """Run a command of nbgrader and return all that it says."""
        result = subprocess.run(
            [sys.executable, "-m", "nbgrader", *command],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # it needs `alembic`
                "PARENT_SECRET": "Sesame of the parent",
                "PYTHONWARNINGS": "ignore",
                **(environment or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.status = result.returncode
        return result.stdout

    def release(self) -> nbformat.NotebookNode:
        """The notebook as a student gets it."""
        return nbformat.read(self.folder / "exercises" / NAME / f"{NAME}.ipynb", as_version=4)

    def answered(self, **answers: str) -> nbformat.NotebookNode:
        """The notebook with right answers, and these instead of some."""
        notebook = self.release()
        for one in notebook.cells:
            name = one.metadata.get("nbgrader", {}).get("grade_id")
            if name in ANSWERS:
                one.source = {**ANSWERS, **answers}[name] or one.source
        return notebook

    def submission(self, student: str) -> Path:
        """The folder of what a student hands in, made if need be."""
        folder = self.folder / "submitted" / student / NAME
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def hand_in(self, student: str, make: Callable[["Course", Path], object]) -> None:
        """Have a submission made: it returns a notebook, or writes what it wants itself."""
        folder = self.submission(student)
        made = make(self, folder)
        if isinstance(made, nbformat.NotebookNode):
            (folder / f"{NAME}.ipynb").write_text(json.dumps(made), encoding="utf-8")

    def marks(self, student: str) -> dict[str, float | None]:
        """The automatic marks in the gradebook, by test."""
        query = """
            select base_cell.name, grade.auto_score from grade
            join base_cell on grade.cell_id = base_cell.id
            join submitted_notebook on grade.notebook_id = submitted_notebook.id
            join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id
            where submitted_assignment.student_id = ?
        """
        with sqlite3.connect(self.folder / "gradebook.db") as database:
            rows = database.execute(query, (student,)).fetchall()
        return {name: mark for name, mark in rows if name in POINTS}

    def graded(self, student: str) -> nbformat.NotebookNode:
        """The notebook as the autograder leaves it."""
        path = self.folder / "autograded" / student / NAME / f"{NAME}.ipynb"
        return nbformat.read(path, as_version=4)

    def feedback(self, student: str) -> str:
        return (self.folder / "feedback" / student / NAME / f"{NAME}.html").read_text("utf-8")

    def exported(self) -> dict[str, float]:
        """The marks of the whole class, as `nbgrader export` writes them."""
        self.run("export")
        with (self.folder / "grades.csv").open() as file:
            return {row["student_id"]: float(row["score"] or 0) for row in csv.DictReader(file)}

    def files(self) -> dict[str, tuple[int, bytes]]:
        """All files of the course that grading may not touch."""
        kept = ("solutions", "exercises", "submitted", "nbgrader_config.py")
        return {
            str(path): (path.lstat().st_mode, b"" if path.is_symlink() else path.read_bytes())
            for top in kept
            for path in sorted([self.folder / top, *(self.folder / top).rglob("*")])
            if path.is_file() and path.stat().st_size < 5_000_000
        }


def copy_of(course: Course, target: Path) -> Course:
    """The same course in another folder, before anything was handed in."""
    shutil.copytree(course.folder, target)
    twin = object.__new__(Course)
    twin.folder = target
    return twin
