"""A course of one small assignment, to try on it what is done to the real ones."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASSIGNMENT = "05_backpropagation"

STAND_IN = """\
import os

def check(identifier, answer):
    value = answer(3.0)
    verdict = "not answered yet" if value is None else "right" if value == 9.0 else "wrong"
    if "NBGRADER_EXECUTION" in os.environ:
        assert verdict == "right", verdict
    print(verdict)"""

ANSWER = '''\
def square(x):
    """Return x times x."""
    ### BEGIN SOLUTION
    magnified = x * x * 1.0
    return magnified
    ### END SOLUTION'''

TEST = """\
check("05.1", square)
### BEGIN HIDDEN TESTS
check("05.1", lambda x: square(x + 1 - 1))
assert square(-7.25) == 52.5625, "a negative number"
### END HIDDEN TESTS"""

PROOF = """\
Because $(-x)(-x) = x^2$, by distributivity twice.

=== BEGIN MARK SCHEME ===
Two points for both steps, one for the first.
=== END MARK SCHEME ==="""

TASK = """\
Draw the graph.
### BEGIN MARK SCHEME
One point for a parabola that opens upwards.
### END MARK SCHEME"""


def graded(identifier, points, *, solution=False, task=False):
    return {
        "nbgrader": {
            "grade": not task,
            "grade_id": identifier,
            "locked": not solution,
            "points": points,
            "schema_version": 3,
            "solution": solution,
            "task": task,
        }
    }


def code(identifier, source, metadata=None):
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": identifier,
        "metadata": metadata or {},
        "outputs": [],
        "source": source,
    }


def text(identifier, source, metadata=None):
    return {
        "cell_type": "markdown",
        "id": identifier,
        "metadata": metadata or {},
        "source": source,
    }


def small_source():
    answer = graded("square", 0, solution=True)
    answer["nbgrader"]["grade"] = False
    del answer["nbgrader"]["points"]
    return {
        "cells": [
            text("title", "# Squares"),
            code("check", STAND_IN),
            code("square", ANSWER, answer),
            code("square-test", TEST, graded("square-test", 3)),
            text("proof", PROOF, graded("proof", 2, solution=True)),
            text("graph", TASK, graded("graph", 1, task=True)),
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def store(path, notebook):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def make_course(folder):
    """Lay out a course with our configuration, and a small source of its own."""
    store(folder / "solutions" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", small_source())
    # How submissions are kept at bay is tested elsewhere; the stand-in could not be judged there.
    configuration = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    plain, lines = re.subn("^RUN = .*$", "RUN = preprocessors.Execute", configuration, flags=re.M)
    assert lines == 1
    (folder / "nbgrader_config.py").write_text(plain, encoding="utf-8")
    (folder / "tools").symlink_to(ROOT / "tools")
    return folder
