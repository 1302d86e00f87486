"""What an exercise is: its cases, what holds for a right answer, and mistakes that have a name."""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minimlcourse.classroom.checks.calling import AnswerError, call, is_stub
from minimlcourse.classroom.checks.comparison import Attempt, equal, explain, misfit

__all__ = ["Case", "Exercise", "Function", "Mistake", "NotAnswered", "Task", "Verdict", "Wrong"]


_READABLE = 320  # characters of what an answer was given


class NotAnswered(Exception):
    """The answer is as the exercise gave it."""


class Wrong(Exception):
    """The first thing that is wrong with an answer, in words.

    Attributes
    ----------
    message : str
    mistake : str
        The name of the mistake, if it is one that the exercise knows.
    """

    def __init__(self, message: str, mistake: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mistake = mistake


@dataclass(frozen=True)
class Verdict:
    """What a check has found.

    Attributes
    ----------
    exercise : Exercise
    passed : bool
    message : str
        What was verified, or the first thing that is wrong.
    mistake : str
        The name of the mistake, if it is one that the exercise knows.
    answered : bool
        Whether there was anything to judge.
    """

    exercise: "Exercise"
    passed: bool
    message: str
    mistake: str = ""
    answered: bool = True


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One question that is judged at once.

    Attributes
    ----------
    identifier : str
        Lesson and number, such as "05.7".
    title : str
    points : int
    verified : str
        What a right answer has been shown to do, as the end of a sentence: "Your answer ...".
    """

    identifier: str
    title: str
    points: int
    verified: str

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes that it knows."""
        raise NotImplementedError

    def examine(self, answer: Any, rng: np.random.Generator) -> None:
        """Return if an answer is right; raise NotAnswered, Wrong or AnswerError if not."""
        raise NotImplementedError

    def judge(self, answer: Any, seed: int = 0) -> Verdict:
        """Judge an answer.

        Parameters
        ----------
        answer : object
            As the exercise asks for it: a function, a formula, ...
        seed : int
            Decides the random cases.
        """
        rng = np.random.default_rng([seed, zlib.crc32(self.identifier.encode())])
        try:
            if answer is None or answer is ... or is_stub(answer):
                raise NotAnswered
            self.examine(answer, rng)
        except NotAnswered:
            return Verdict(self, False, "Not answered yet.", answered=False)
        except AnswerError as error:
            if error.kind == "NotImplementedError":
                return Verdict(self, False, "Not answered yet.", answered=False)
            return Verdict(self, False, f"Your code {error}.")
        except Wrong as wrong:
            return Verdict(self, False, wrong.message, wrong.mistake)
        return Verdict(self, True, f"Your answer {self.verified}.")


@dataclass(frozen=True)
class Case:
    """Arguments to try an answer on.

    Attributes
    ----------
    arguments : tuple
        Arrays are handed out as copies.
    special : str
        For a case that a nearly right answer may miss: when it arises, as the end of "Right
        everywhere but ...", such as "at a tie" or "for a batch of one".
    """

    arguments: tuple[Any, ...]
    special: str = ""


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people give.

    Attributes
    ----------
    name : str
        A few words, by which a verdict and the tests call it.
    message : str
        What helps whoever made it, in a sentence or two, without the answer.
    answer : callable or str
        That wrong answer: a function of the same arguments, or a formula.
    """

    name: str
    message: str
    answer: Callable[..., Any] | str


@dataclass(frozen=True, kw_only=True)
class Function(Exercise):
    """A function is asked for, and judged on cases.

    Attributes
    ----------
    parameters : tuple of str
        The names of its arguments, as the exercise calls them.
    cases : callable
        From a random generator to cases: small and fixed ones first, then random ones.
    expected : callable
        What a right answer returns. Best not the formula that is asked for, but what it is the
        formula of: the engine's gradient, a finite difference, a loop.
    known : tuple of Mistake
    rtol : float
        How far numbers may be off, relative to the largest of the expected ones.
    """

    parameters: tuple[str, ...]
    cases: Callable[[np.random.Generator], Iterable[Case]]
    expected: Callable[..., Any]
    known: tuple[Mistake, ...] = ()
    rtol: float = 1e-7

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes that it knows."""
        return tuple(mistake.name for mistake in self.known)

    def examine(self, answer: Any, rng: np.random.Generator) -> None:
        """Try an answer on the cases; what all failures have in common is what is wrong."""
        if not callable(answer):
            raise Wrong(f"A function is asked for, this is a {type(answer).__name__}.")
        cases = list(self.cases(rng))
        outcomes = [_outcome(answer, case) for case in cases]
        expected = [self.expected(*case.arguments) for case in cases]
        tried = list(zip(cases, outcomes, expected, strict=True))
        failed = [one for one in tried if not self._right(one[1], one[2])]
        if not failed:
            return
        for mistake in self.known:
            assert callable(mistake.answer)
            others = (_outcome(mistake.answer, case) for case in cases)
            if all(self._alike(*pair) for pair in zip(outcomes, others, strict=True)):
                raise Wrong(f"{mistake.message} {self._shown(*failed[0][:2])}", mistake.name)
        case, outcome, words = self._first_wrong(failed)
        special = {case.special for case, _, _ in failed}
        if "" in special or len(failed) == len(cases):
            words = words[0].upper() + words[1:]
        elif len(special) == 1:
            words = f"Right everywhere but {case.special}: {words}"
        else:
            words = f"Right in the plain cases, but not {case.special}: {words}"
        stop = "" if words.endswith("?") else "."
        raise Wrong(f"{words}{stop} {self._shown(case, outcome)}")

    def _right(self, outcome: Any, expected: Any) -> bool:
        if isinstance(outcome, AnswerError) or misfit(outcome, expected):
            return False
        return equal(outcome, expected, self.rtol)

    def _alike(self, one: Any, other: Any) -> bool:
        """Whether two answers do the same in a case: fail alike, or return the same."""
        if isinstance(one, AnswerError) or isinstance(other, AnswerError):
            return type(one) is type(other) and one.kind == other.kind
        return not misfit(one, other) and equal(one, other, self.rtol)

    def _first_wrong(self, failed: list[tuple[Case, Any, Any]]) -> tuple[Case, Any, str]:
        """The failure to tell about and what is wrong: plain cases first, from the outside in."""
        failed = [one for one in failed if not one[0].special] or failed
        for case, outcome, _ in failed:
            if isinstance(outcome, AnswerError):
                if outcome.kind == "NotImplementedError":
                    raise NotAnswered
                return case, outcome, f"your code {outcome}"
        for case, outcome, expected in failed:
            if words := misfit(outcome, expected):
                return case, outcome, words
        attempts = [
            Attempt(case.arguments, outcome, expected, self.rtol)
            for case, outcome, expected in failed
        ]
        case, outcome, _ = failed[0]
        return case, outcome, explain(attempts)

    def _shown(self, case: Case, outcome: Any) -> str:
        answer = "" if isinstance(outcome, AnswerError) else _short(outcome)
        returned = f" and returned {answer}" if answer else ""
        return f"It was given {self._given(case)}{returned}."

    def _given(self, case: Case) -> str:
        """The arguments of a case in words: whole if that is short, else arrays by their shapes."""
        pairs = list(zip(self.parameters, case.arguments, strict=True))
        whole = ", ".join(f"{name} = {_short(value) or _shape(value)}" for name, value in pairs)
        if len(whole) <= _READABLE:
            return whole
        return ", ".join(f"{name} = {_shape(value) or _short(value)}" for name, value in pairs)


def _shape(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return "" if _short(value) else f"a {type(value).__name__} of length {len(value)}"


def _outcome(answer: Callable[..., Any], case: Case) -> Any:
    """What an answer returns in a case, or the AnswerError that it raises."""
    try:
        return call(answer, case.arguments)
    except AnswerError as error:
        return error


def _short(value: Any) -> str:
    """A small value as text; nothing for a large one."""
    if isinstance(value, np.ndarray):
        if value.size > 12:
            return ""
        tiny = value.dtype.kind == "f" and bool(np.any((value != 0) & (np.abs(value) < 1e-8)))
        text = np.array2string(value, precision=4, separator=", ", suppress_small=not tiny)
        return " ".join(text.split())
    if isinstance(value, float):
        return f"{value:.6g}"
    if callable(value):
        return str(getattr(value, "__name__", "a function"))
    if isinstance(value, (tuple, list)):
        parts = [_short(part) for part in value]
        if not all(parts):
            return ""
        text = f"[{', '.join(parts)}]" if isinstance(value, list) else f"({', '.join(parts)})"
        return text if len(text) <= 200 else ""
    text = repr(value)
    return text if len(text) <= 80 else ""


@dataclass(frozen=True, kw_only=True)
class Task(Exercise):
    """A question with many right answers: what holds for each of them is examined.

    Attributes
    ----------
    examination : callable
        Takes a function that calls the answer and a random generator; raises Wrong, with the name
        of the mistake if it is one of ``named``, at the first thing that does not hold.
    named : tuple of str
        The names of the mistakes that the examination tells apart.
    """

    examination: Callable[[Callable[..., Any], np.random.Generator], None]
    named: tuple[str, ...] = ()

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes that it knows."""
        return self.named

    def examine(self, answer: Any, rng: np.random.Generator) -> None:
        """Carry out the examination."""
        if not callable(answer):
            raise Wrong(f"A function is asked for, this is a {type(answer).__name__}.")
        self.examination(lambda *arguments: call(answer, arguments), rng)
