"""Every exercise is fair: right answers pass however they are written, wrong ones learn why not."""

import contextlib
import dis
import importlib
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from catalogue import RIGHT, WRONG

from minimlcourse.classroom.checks import exercise, exercises, judge
from minimlcourse.classroom.checks.calling import AnswerError, call
from minimlcourse.classroom.checks.exercise import Function
from minimlcourse.classroom.checks.formula import Formula

ANSWERS = sorted(path.stem for path in Path(__file__).parent.glob("answers_*.py"))
for module in ANSWERS:
    importlib.import_module(module)
LESSONS = sorted({module.split("_")[1] for module in ANSWERS})
IDENTIFIERS = [one.identifier for lesson in LESSONS for one in exercises(lesson)]


def name_of(answer):
    return answer if isinstance(answer, str) else answer.__name__


def test_every_lesson_with_exercises_has_its_answers_here():
    package = Path(exercise.__code__.co_filename).parent
    modules = sorted(path.stem for path in package.glob("lesson_*.py"))
    assert [module.replace("lesson", "answers") for module in modules] == ANSWERS
    assert set(RIGHT) | set(WRONG) <= set(IDENTIFIERS)


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_an_exercise_is_complete(identifier):
    one = exercise(identifier)
    assert one.points > 0 and one.title
    known = [wrong.mistake for wrong in WRONG[identifier] if wrong.mistake]
    assert set(known) == set(one.mistakes), "each known mistake needs a wrong answer, and each name"
    assert len(WRONG[identifier]) >= 2
    assert len(RIGHT[identifier]) >= 3
    ways = {
        answer.replace(" ", "") if isinstance(answer, str) else dis.Bytecode(answer).dis()
        for answer in RIGHT[identifier]
    }
    assert len(ways) == len(RIGHT[identifier]), "the same right answer twice"


@pytest.mark.parametrize(
    ("identifier", "answer"),
    [(identifier, answer) for identifier in IDENTIFIERS for answer in RIGHT[identifier]],
    ids=name_of,
)
def test_a_right_answer_passes(identifier, answer):
    for seed in range(3):
        verdict = judge(identifier, answer, seed=seed)
        assert verdict.passed, verdict.message


@pytest.mark.parametrize(
    ("identifier", "wrong"),
    [(identifier, wrong) for identifier in IDENTIFIERS for wrong in WRONG[identifier]],
    ids=lambda value: value if isinstance(value, str) else name_of(value.answer),
)
def test_a_wrong_answer_learns_why(identifier, wrong):
    for seed in range(3):
        verdict = judge(identifier, wrong.answer, seed=seed)
        assert not verdict.passed and verdict.answered
        assert verdict.mistake == wrong.mistake, verdict.message
        assert wrong.says in verdict.message
        assert wrong.mistake or wrong.says, "either a name, or what is said about it"
        shows_no_expected_value(exercise(identifier), verdict.message, wrong.answer, seed)


def shows_no_expected_value(one, message, answer, seed):
    """No number of the message is an expected one, unless the student has it already."""
    if not isinstance(one, Function):
        return
    told = {float(number) for number in re.findall(r"-?\d+\.\d{2,}", message)}
    rng = np.random.default_rng([seed, zlib.crc32(one.identifier.encode())])
    for case in one.cases(rng):
        seen = set(numbers(case.arguments))
        with contextlib.suppress(AnswerError):
            seen |= set(numbers(call(answer, case.arguments)))
        secret = set(numbers(one.expected(*case.arguments))) - seen
        assert not told & secret, f"{told & secret} gives the answer away"


def numbers(value):
    """All numbers in a value, as they would be printed."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [number for part in value for number in numbers(part)]
    if isinstance(value, (float, np.floating, np.ndarray)) and np.asarray(value).dtype.kind == "f":
        flat = np.ravel(value)
        return [*flat.round(4).tolist(), *(float(f"{x:.6g}") for x in flat)]
    return []


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_an_untouched_stub_is_not_answered(identifier):
    def stub(*arguments):
        """As the exercise gives it."""
        ...

    for answer in (stub, None, ..., *([""] if isinstance(exercise(identifier), Formula) else [])):
        verdict = judge(identifier, answer)
        assert not verdict.answered and not verdict.passed
        assert verdict.message == "Not answered yet."


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_an_answer_of_the_wrong_kind_is_told_so(identifier):
    def broken(*arguments):
        return [][0]

    for answer in (broken, 3.5, lambda *arguments: print(end=""), lambda *arguments: "text"):
        verdict = judge(identifier, answer)
        assert verdict.answered and not verdict.passed and len(verdict.message) > 20
