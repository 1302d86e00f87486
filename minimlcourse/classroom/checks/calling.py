"""Call what a student wrote, and say in the student's own terms what went wrong there."""

import dis
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import shorten
from types import TracebackType
from typing import Any

import numpy as np

__all__ = ["AnswerError", "call", "is_stub"]

# A body that only evaluates constants: a docstring, an Ellipsis, `pass`.
_IDLE = {"RESUME", "NOP", "LOAD_CONST", "POP_TOP", "RETURN_VALUE", "RETURN_CONST"}


class AnswerError(Exception):
    """The student's own code raised an exception.

    Attributes
    ----------
    kind : str
        The name of the exception's type.
    message : str
        What it says.
    line : str
        The student's line that led to it, or nothing where it is not known.
    """

    def __init__(self, kind: str, message: str, line: str = "") -> None:
        super().__init__(kind, message, line)
        self.kind = kind
        self.message = message
        self.line = line

    def __str__(self) -> str:
        place = f", at `{self.line}`" if self.line else ""
        return f"raised {self.kind}: {self.message.removesuffix('.')}{place}"


def is_stub(answer: object) -> bool:
    """Whether a function does nothing yet: its body is a docstring, ``...`` or ``pass``.

    Examples
    --------
    >>> def slope(x):
    ...     "The derivative."
    >>> is_stub(slope), is_stub(lambda x: x)
    (True, False)
    """
    code = getattr(answer, "__code__", None)
    if code is None:
        return False
    steps = list(dis.get_instructions(code))
    returned = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return all(step.opname in _IDLE for step in steps) and returned[-1] is None


def call(answer: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Call an answer with arguments of its own, and return what it returns.

    Raises
    ------
    AnswerError
        If it raises, or if it has changed an argument in place.
    """
    given = [_copy(argument) for argument in arguments]
    try:
        # A check looks at the result; and nbgrader takes a warning for a failure.
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            value = answer(*given)
    except AnswerError:
        raise
    except (Exception, SystemExit) as error:
        line = _line_of(answer, error.__traceback__)
        raise AnswerError(type(error).__name__, str(error), line) from None
    for place, (before, after) in enumerate(zip(arguments, given, strict=True)):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
            raise AnswerError(
                "ArgumentChanged",
                f"your function changes its argument number {place + 1} in place; "
                "whoever called it still needs the old values",
            )
    return value


def _copy(argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        return argument.copy()
    if isinstance(argument, (list, tuple)):
        return type(argument)(_copy(part) for part in argument)
    if isinstance(argument, dict):
        return {key: _copy(part) for key, part in argument.items()}
    return argument


def _line_of(answer: object, trace: TracebackType | None) -> str:
    """The deepest line of a traceback that the student wrote.

    All cells of a notebook lie, for Python, in one folder, where the answer itself lies.
    """
    code = getattr(answer, "__code__", None)
    if code is None:
        return ""
    folder = Path(code.co_filename).parent
    lines = [
        frame.line or ""
        for frame in traceback.extract_tb(trace)
        if Path(frame.filename).parent == folder
    ]
    return shorten(lines[-1], 100) if lines else ""
