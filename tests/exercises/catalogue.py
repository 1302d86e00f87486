"""Answers to the exercises, right and wrong, as students would give them.

An ``answers_NN.py`` beside this file registers those of a lesson. ``test_answers.py`` demands that
each right one passes, and that each wrong one is refused for its own reason.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple


class WrongAnswer(NamedTuple):
    answer: Any
    mistake: str  # the name under which the exercise knows it, or nothing
    says: str  # part of what the verdict must say


RIGHT: dict[str, list[Any]] = defaultdict(list)
WRONG: dict[str, list[WrongAnswer]] = defaultdict(list)


def right(identifier: str, *formulas: str) -> Callable[[Any], Any]:
    """Register right answers: ``@right("05.7")`` above a function, or formulas as arguments."""
    RIGHT[identifier] += formulas

    def register(function):
        RIGHT[identifier].append(function)
        return function

    return register


def wrong(
    identifier: str, mistake: str = "", *formulas: str, says: str = ""
) -> Callable[[Any], Any]:
    """Register a wrong answer, with the name of its mistake or with part of what is said."""
    WRONG[identifier] += [WrongAnswer(formula, mistake, says) for formula in formulas]

    def register(function):
        WRONG[identifier].append(WrongAnswer(function, mistake, says))
        return function

    return register
