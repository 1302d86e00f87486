"""What is wrong with an answer, said from its outside in: type, shape, numbers, then their pattern.

The expected value is never shown. Where all answers are off in one way (a sign, a constant factor,
transposed, ...), that way is named; else the first entry that is wrong is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Attempt", "equal", "explain", "misfit"]


@dataclass(frozen=True)
class Attempt:
    """One case: what the answer was given, what it returned, and what it should have."""

    arguments: tuple[Any, ...]
    answer: Any
    expected: Any
    rtol: float


def equal(answer: Any, expected: Any, rtol: float) -> bool:
    """Whether an answer of the right type and shape is right.

    Numbers may differ by ``rtol`` times the largest of the expected ones (at least by ``rtol``
    times 1e-3, for what should vanish), so that a small entry beside large ones is not judged by
    its rounding.
    """
    if isinstance(expected, dict):
        return all(equal(answer[key], expected[key], rtol) for key in expected)
    if isinstance(expected, (tuple, list)):
        pairs = zip(answer, expected, strict=True)
        return all(equal(a, e, rtol) for a, e in pairs)
    if not _is_number(expected):
        return bool(answer == expected)
    return not _wrong(np.asarray(answer), np.asarray(expected), rtol).any()


def _wrong(a: NDArray[Any], e: NDArray[Any], rtol: float) -> NDArray[np.bool_]:
    """Where an array is not what it should be."""
    if e.dtype.kind != "f":
        return np.asarray(a != e)
    scale = max(float(np.abs(e[np.isfinite(e)]).max(initial=0.0)), 1e-3)
    return ~np.isclose(a, e, rtol=0, atol=rtol * scale, equal_nan=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.generic, np.ndarray))


def misfit(answer: Any, expected: Any, name: str = "your answer") -> str:
    """What makes an answer incomparable with what is expected: type, length, shape, kind, nan.

    Parameters
    ----------
    answer, expected : object
    name : str
        How to call the answer.

    Returns
    -------
    str
        A sentence without its full stop, or nothing.
    """
    if type(answer).__module__.startswith("minimlcourse") and hasattr(answer, "numpy"):
        return f"{name} is a {type(answer).__name__}; its array, `.numpy()`, is asked for"
    if isinstance(expected, dict):
        return _misfit_of_dict(answer, expected, name)
    if isinstance(expected, (tuple, list)):
        return _misfit_of_sequence(answer, expected, name)
    if not _is_number(expected):
        if isinstance(answer, type(expected)):
            return ""
        return f"{name} is {_a(answer)}, {_a(expected)} is asked for"
    return _misfit_of_number(answer, expected, name)


def _misfit_of_dict(answer: Any, expected: dict[Any, Any], name: str) -> str:
    if not isinstance(answer, dict):
        return f"{name} is {_a(answer)}, a dict with the keys {', '.join(expected)} is asked for"
    if absent := [key for key in expected if key not in answer]:
        return f"{name} has no {absent[0]!r}"
    if extra := [key for key in answer if key not in expected]:
        return f"{name} has {extra[0]!r}, which is not asked for"
    found = (misfit(answer[key], expected[key], f"{name}[{key!r}]") for key in expected)
    return next(filter(None, found), "")


def _misfit_of_sequence(answer: Any, expected: Sequence[Any], name: str) -> str:
    is_list = isinstance(expected, list)
    if not isinstance(answer, (tuple, list)):
        wanted = f"a list of {len(expected)} entries is" if is_list else _results(expected)
        return f"{name} is {_a(answer)}, {wanted} asked for"
    if len(answer) != len(expected):
        parts = "entries" if is_list else "parts"
        return f"{name} has {len(answer)} {parts}, {len(expected)} are asked for"
    names = (f"entry {i} of {name}" if is_list else f"part {i + 1} of {name}" for i in range(10**6))
    found = (misfit(*three) for three in zip(answer, expected, names, strict=False))
    return next(filter(None, found), "")


def _results(expected: Sequence[Any]) -> str:
    return f"{len(expected)} results, `return a, b`, are"


def _misfit_of_number(answer: Any, expected: Any, name: str) -> str:
    shape = np.shape(expected)
    if not _is_number(answer):
        wanted = f"an array of shape {shape}" if shape else "a number"
        hint = "; np.array(...) makes it one" if shape and isinstance(answer, (list, tuple)) else ""
        return f"{name} is {_a(answer)}, {wanted} is asked for{hint}"
    array = np.asarray(answer)
    if array.shape != shape:
        wanted = f"shape {shape}" if shape else "a single number"
        turned = array.T.shape == shape and array.ndim == 2
        hint = "; it seems to be transposed" if turned else ""
        found = f"has shape {array.shape}" if array.shape else "is a single number"
        return f"{name} {found}, {wanted} is asked for{hint}"
    kind, target = array.dtype.kind, np.asarray(expected).dtype
    if (kind == "b") != (target.kind == "b"):
        if kind == "b":
            return f"{name} holds True and False; numbers are asked for: `.astype(float)`"
        return f"{name} holds numbers ({array.dtype}); True and False are asked for"
    if target.kind in "iu" and kind == "f" and not shape:
        return f"{name} is {array.item()}; an integer is asked for"
    # A shorter float has lost the digits that are compared.
    too_short = kind == "f" == target.kind and array.dtype.itemsize < target.itemsize
    if kind not in "bfiu" or (target.kind in "iu" and kind == "f") or too_short:
        return f"{name} has dtype {array.dtype}, {target} is asked for"
    for bad, word in ((np.isnan, "not a number (nan)"), (np.isinf, "infinite")):
        if np.any(bad(array) & ~bad(np.asarray(expected))):
            where = _index(bad(array) & ~bad(np.asarray(expected)))
            return f"{name} is {word}{where}"
    return ""


def _a(value: Any) -> str:
    if value is None:
        return "None (is there a `return`?)"
    if callable(value):
        return "a function (is it called, with parentheses?)"
    word = "array" if isinstance(value, np.ndarray) else type(value).__name__
    return f"an {word}" if word[0] in "aeio" else f"a {word}"


def _index(wrong: NDArray[np.bool_]) -> str:
    """Say where the first True is: nothing for a number, ' at [1, 0]' in an array."""
    if wrong.ndim == 0:
        return ""
    place = ", ".join(map(str, np.argwhere(wrong)[0].tolist()))
    return f" at [{place}]"


def explain(attempts: Sequence[Attempt]) -> str:
    """The pattern of what is wrong in all of these attempts, or the first entry that is.

    Every attempt has the right type and shape and a wrong value.
    """
    first = attempts[0]
    if isinstance(first.expected, (dict, tuple, list)):
        return _explain_parts(attempts)
    if not _is_number(first.expected):
        return f"your answer, {first.answer!r}, is not right"
    if np.asarray(first.expected).dtype.kind != "f":  # a pattern among counts would be chance
        return _first_entry(first)
    for pattern, words in _PATTERNS:
        if all(pattern(attempt) for attempt in attempts):
            return words
    return _factor(attempts) or _first_entry(first)


def _explain_parts(attempts: Sequence[Attempt]) -> str:
    expected = attempts[0].expected
    keys = list(expected) if isinstance(expected, dict) else list(range(len(expected)))
    for key in keys:
        parts = [
            Attempt(attempt.arguments, attempt.answer[key], attempt.expected[key], attempt.rtol)
            for attempt in attempts
        ]
        if wrong := [part for part in parts if not equal(part.answer, part.expected, part.rtol)]:
            name = repr(key) if isinstance(expected, dict) else f"part {key + 1}"
            if isinstance(expected, list):
                name = f"entry {key}"
            return f"in {name}, {explain(wrong)}"
    raise AssertionError("no part is wrong")


def _arrays(attempt: Attempt) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.asarray(attempt.answer, dtype=float), np.asarray(attempt.expected, dtype=float)


def _is_sign(attempt: Attempt) -> bool:
    a, e = _arrays(attempt)
    return equal(-a, e, attempt.rtol)


def _is_nearly_right(attempt: Attempt) -> bool:
    return equal(*_arrays(attempt), rtol=1e-3)


def _is_zero(attempt: Attempt) -> bool:
    return not _arrays(attempt)[0].any()


def _is_transposed(attempt: Attempt) -> bool:
    a, e = _arrays(attempt)
    return a.ndim == 2 and a.shape[0] == a.shape[1] and equal(a.T, e, attempt.rtol)


def _is_rolled(attempt: Attempt) -> bool:
    a, e = _arrays(attempt)
    return a.ndim > 0 and any(
        equal(np.roll(a, step, axis), e, attempt.rtol) for axis in range(a.ndim) for step in (1, -1)
    )


def _is_shuffled(attempt: Attempt) -> bool:
    a, e = _arrays(attempt)
    return a.size > 1 and equal(np.sort(a, axis=None), np.sort(e, axis=None), attempt.rtol)


def _is_size_only(attempt: Attempt) -> bool:
    a, e = _arrays(attempt)
    return equal(np.abs(a), np.abs(e), attempt.rtol)


def _is_shifted(attempt: Attempt) -> bool:
    a, e = _arrays(attempt)
    difference = (a - e).ravel()
    return a.size > 1 and equal(difference, np.full_like(difference, difference[0]), attempt.rtol)


_PATTERNS: tuple[tuple[Callable[[Attempt], bool], str], ...] = (
    (_is_nearly_right, "nearly right, but not exactly: is something approximated or rounded?"),
    (_is_zero, "your answer is zero everywhere"),
    (_is_sign, "the sign is wrong: minus your answer would be right"),
    (_is_transposed, "your answer is transposed: its rows should be its columns"),
    (_is_rolled, "every entry stands one place too far: is an index off by one?"),
    (_is_shuffled, "the numbers are right, but in other places: which index goes where?"),
    (_is_size_only, "every size is right, but some signs are not"),
    (_is_shifted, "every entry is off by the same amount: is a term missing, or one too many?"),
)


def _factor(attempts: Sequence[Attempt]) -> str:
    """Name the constant factor by which all answers are off, or the size of the batch."""
    factors = []
    if sum(np.count_nonzero(attempt.expected) for attempt in attempts) < 2:
        return ""  # of a single number, the factor would be the answer
    for attempt in attempts:
        a, e = _arrays(attempt)
        norm = float(np.vdot(e, e))
        factor = float(np.vdot(e, a)) / norm if norm else 0.0
        if not factor or not equal(a / factor, e, attempt.rtol):
            return ""
        factors.append(factor)
    sizes = [
        {len(x) for x in attempt.arguments if isinstance(x, np.ndarray) and x.ndim}
        for attempt in attempts
    ]
    for name, counts in (("", factors), ("1/", [1 / factor for factor in factors])):
        if len({round(n) for n in counts}) > 1 and all(
            any(abs(n - size) < 1e-6 * size for size in some)
            for n, some in zip(counts, sizes, strict=True)
        ):
            more = "too large" if not name else "too small"
            return f"your answer is n times {more}, n the length of what came in: sum or mean?"
    if np.ptp(factors) < 1e-6 * abs(factors[0]):
        return f"your answer is {factors[0]:.4g} times what it should be"
    return ""


def _first_entry(attempt: Attempt) -> str:
    a, e = np.asarray(attempt.answer), np.asarray(attempt.expected)
    if a.ndim == 0:
        return f"your answer, {_told(a)}, is not right"
    wrong = _wrong(a, e, attempt.rtol)
    value = _told(a[tuple(np.argwhere(wrong)[0])])
    if wrong.sum() == 1:
        return f"the entry{_index(wrong)} is wrong: yours is {value}"
    count = f"{wrong.sum()} of {wrong.size} entries are wrong"
    return f"{count}, the first{_index(wrong)}: yours is {value}"


def _told(value: Any) -> str:
    return str(value) if value.dtype.kind == "b" else f"{value.item():.6g}"
