"""What an exercise is: its cases, what holds for a right answer, and mistakes that have a name."""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minimlcourse.classroom.checks.calling import AnswerError, call, is_stub
from minimlcourse.classroom.checks.comparison import Attempt, equal, explain, misfit

__all__ = ["Case", "Exercise", "Function", "Mistake", "NotAnswered", "Task", "Verdict", "Wrong"]


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
            return Verdict(self, False, f"Your code did not come to its end: {error}.")
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
        failures: list[tuple[Case, Attempt]] = []
        for case in cases:
            attempt = self._attempt(answer, case)
            if not equal(attempt.answer, attempt.expected, self.rtol):
                failures.append((case, attempt))
        if not failures:
            return
        case, first = failures[0]
        mistake = self._recognise(cases, failures, answer)
        if mistake:
            raise Wrong(f"{mistake.message} {self._shown(case, first)}", mistake.name)
        words = explain([attempt for _, attempt in failures])
        special = {case.special for case, _ in failures}
        if len(failures) < len(cases) and len(special) == 1 and (when := special.pop()):
            raise Wrong(f"Right everywhere but {when}: {words}. {self._shown(case, first)}")
        raise Wrong(f"{words[0].upper()}{words[1:]}. {self._shown(case, first)}")

    def _attempt(self, answer: Callable[..., Any], case: Case) -> Attempt:
        """Call the answer; what cannot even be compared is wrong at once."""
        try:
            value = call(answer, case.arguments)
        except AnswerError as error:
            where = self._given(case)
            raise AnswerError(error.kind, f"{error.message} ({where})", error.line) from None
        expected = self.expected(*case.arguments)
        if words := misfit(value, expected):
            mistake = self._recognise_misfit(case, value)
            if mistake:
                raise Wrong(f"{mistake.message} ({words}.)", mistake.name)
            when = f"Right everywhere but {case.special}: " if case.special else ""
            sentence = words if when else words[0].upper() + words[1:]
            raise Wrong(f"{when}{sentence}. It was given {self._given(case)}.")
        return Attempt(case.arguments, value, expected, self.rtol)

    def _recognise(
        self,
        cases: list[Case],
        failures: list[tuple[Case, Attempt]],
        answer: Callable[..., Any],
    ) -> Mistake | None:
        """The mistake that would have failed on the same cases, with the same values."""
        failed = {id(case): attempt for case, attempt in failures}
        for mistake in self.known:
            for case in cases:
                attempt = failed.get(id(case))
                value = _value(mistake, case)
                expected = self.expected(*case.arguments) if attempt is None else attempt.answer
                if misfit(value, expected) or not equal(value, expected, self.rtol):
                    break
            else:
                return mistake
        return None

    def _recognise_misfit(self, case: Case, value: Any) -> Mistake | None:
        """The mistake that returns the same incomparable value in this one case."""
        if not isinstance(value, np.ndarray):
            return None
        for mistake in self.known:
            wrong = _value(mistake, case)
            if not misfit(value, wrong) and equal(value, wrong, self.rtol):
                return mistake
        return None

    def _shown(self, case: Case, attempt: Attempt) -> str:
        answer = _short(attempt.answer)
        returned = f" and returned {answer}" if answer else ""
        return f"It was given {self._given(case)}{returned}."

    def _given(self, case: Case) -> str:
        """The arguments of a case in words, short enough to be read."""
        pairs = zip(self.parameters, case.arguments, strict=True)
        return ", ".join(
            f"{name} = {_short(value) or f'an array of shape {np.shape(value)}'}"
            for name, value in pairs
        )


def _value(mistake: Mistake, case: Case) -> Any:
    assert callable(mistake.answer)
    try:
        return call(mistake.answer, case.arguments)
    except AnswerError:
        return None


def _short(value: Any) -> str:
    """A small value as text; nothing for a large one."""
    if isinstance(value, np.ndarray):
        if value.size > 12:
            return ""
        text = np.array2string(value, precision=4, separator=", ", suppress_small=True)
        return " ".join(text.split())
    if isinstance(value, float):
        return f"{value:.6g}"
    if callable(value):
        return str(getattr(value, "__name__", "a function"))
    if isinstance(value, (tuple, list)):
        parts = [_short(part) for part in value]
        return f"({', '.join(parts)})" if all(parts) else ""
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
