"""Exercises that judge at once: ``check("05.7", grad_W1)`` says what is right, or what is not yet.

An exercise is defined in a module of its lesson, such as ``lesson_05``, by what holds for a right
answer and by the mistakes that people make. ``exercise`` says what an exercise is made of,
``formula`` does the same for typed formulas, ``comparison`` says in words how two arrays differ.
"""

import importlib
import os
import pkgutil
import re
from html import escape
from pathlib import Path
from typing import Any
from weakref import WeakSet

from IPython.display import display

from minimlcourse.classroom.checks.calling import AnswerError
from minimlcourse.classroom.checks.exercise import Exercise, Verdict
from minimlcourse.classroom.checks.panel import Panel, record

__all__ = ["AnswerError", "Verdict", "check", "exercise", "exercises", "judge", "progress"]

_panels: WeakSet[Panel] = WeakSet()


def exercises(lesson: str) -> tuple[Exercise, ...]:
    """The exercises of a lesson, such as "05".

    Raises
    ------
    ValueError
        If it has none.
    """
    parts = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
        if module.name.startswith("lesson_") and module.name.split("_")[1] == lesson
    ]
    if not parts:
        raise ValueError(
            f"lesson {lesson!r} has no exercises; a lesson is two digits, such as '05'"
        )
    return tuple(one for part in parts for one in part.EXERCISES)


def exercise(identifier: str) -> Exercise:
    """An exercise by its identifier, such as "05.7".

    Raises
    ------
    ValueError
        If there is none.
    """
    lesson = str(identifier).partition(".")[0]
    for one in exercises(lesson):
        if one.identifier == identifier:
            return one
    known = ", ".join(one.identifier for one in exercises(lesson))
    raise ValueError(f"there is no exercise {identifier!r}; lesson {lesson} has {known}")


def judge(identifier: str, answer: Any, *, seed: int = 0) -> Verdict:
    """What a check would say, as a value.

    Parameters
    ----------
    identifier : str
        Such as "05.7".
    answer : object
        What the exercise asks for: a function, or a formula between quotes.
    seed : int
        Decides the random cases.
    """
    return exercise(identifier).judge(answer, seed)


def check(identifier: str, answer: Any, *, seed: int = 0) -> None:
    """Judge an answer, show the verdict, and write it down.

    Nothing is raised, so that a wrong answer stops no later cell, but while nbgrader runs the
    notebook, which gives no points to a cell that fails.

    Parameters
    ----------
    identifier : str
        Such as "05.7".
    answer : object
        What the exercise asks for: a function, or a formula between quotes.
    seed : int
        Decides the random cases.

    Raises
    ------
    ValueError
        If there is no such exercise.
    AssertionError
        Under nbgrader, if the answer is not right.
    """
    verdict = judge(identifier, answer, seed=seed)
    if os.environ.get("NBGRADER_EXECUTION"):
        if not verdict.passed:
            raise AssertionError(verdict.message)
        return
    display(_page(verdict), raw=True)
    record(verdict, Path.cwd())
    for panel in _panels:
        panel.refresh()


def progress(lesson: str) -> Panel:
    """A panel of the exercises of a lesson with their points, which follows every check.

    It is kept in ``progress.json``, in the folder of the notebook.
    """
    panel = Panel(exercises(lesson), Path.cwd())
    _panels.add(panel)
    return panel


def _page(verdict: Verdict) -> dict[str, str]:
    """A verdict as a box with a coloured edge, and as plain text."""
    one = verdict.exercise
    if verdict.passed:
        word, color = f"Right: {one.points} point{'s' * (one.points > 1)}.", "#009E73"
    elif verdict.answered:
        word, color = "Not yet.", "#D55E00"
    else:
        word, color = "", "#777777"
    head = f"{one.identifier} · {one.title}"
    stop = "" if one.title.endswith("?") else "."
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(verdict.message))
    box = f"border-left:4px solid {color};padding:.2em .8em"
    return {
        "text/plain": " ".join(filter(None, [head + stop, word, verdict.message])),
        "text/html": f'<div style="{box}"><b>{escape(head)}</b><br><b>{word}</b> {text}</div>',
    }
