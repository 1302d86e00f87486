r"""Derivatives against central differences: ``gradcheck`` and ``gradgradcheck``.

For a smooth f, :math:`\frac{f(x + \varepsilon) - f(x - \varepsilon)}{2\varepsilon} = f'(x) +
O(\varepsilon^2)`, plus a rounding error of order :math:`u |f| / \varepsilon` with
:math:`u \approx 10^{-16}`: at :math:`\varepsilon = 10^{-6}` about ten digits are left. What it
cannot see: a kink (of relu, of max) nearer than :math:`\varepsilon`, and points it is not given.

Lesson 04, "What a gradient check can and cannot see".
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minimlcourse.autodiff.graph import pull_back, reachable
from minimlcourse.autodiff.tensor import Array, Operand, Tensor, no_grad
from minimlcourse.autodiff.transforms import vjp


class GradientError(AssertionError):
    """A derivative that disagrees with central differences."""


def gradcheck(
    f: Callable[..., Any],
    inputs: Operand | tuple[Operand, ...],
    *,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
) -> bool:
    r"""Compare the derivatives of ``f(*inputs)`` with central differences, entry by entry.

    Entry (i, j) of the Jacobian passes if
    :math:`|J_{ij} - \hat J_{ij}| \le \mathrm{atol} + \mathrm{rtol}\,|\hat J_{ij}|`, the hat meaning
    central differences.

    Parameters
    ----------
    f : callable
        Takes Tensors and returns a Tensor of any shape.
    inputs : array or tuple of arrays
        The points to check at, in ``float64``.
    eps, rtol, atol : float
        The step, and the relative and absolute tolerances.

    Returns
    -------
    bool
        True. (A failure is an exception, so that ``assert gradcheck(...)`` reads well.)

    Raises
    ------
    GradientError
        Naming the operation whose rule is wrong, the argument, the index, what was got and what was
        expected.
    TypeError
        If an input is not ``float64``: central differences of ``float32`` have three digits.

    Examples
    --------
    >>> import numpy as np
    >>> gradcheck(lambda x: (x.exp() * x).sum(), np.linspace(-1, 1, 5))
    True
    """
    arrays = _float64("gradcheck", inputs)
    check = _Check(eps, rtol, atol)
    problem = check.first_difference(f, arrays, range(len(arrays)))
    if problem is None:
        return True
    culprit = check.wrong_operation(f, arrays)
    raise GradientError(f"gradcheck of {_name(f)}: {problem}" + (f"\n{culprit}" if culprit else ""))


def gradgradcheck(
    f: Callable[..., Any],
    inputs: Operand | tuple[Operand, ...],
    *,
    rng: np.random.Generator | None = None,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
) -> bool:
    r"""Check the second derivatives: :func:`gradcheck` of :math:`(x, u) \mapsto J_f(x)^\top u`.

    The adjoint u is drawn from ``rng`` (seed 0 by default); parameters, return and errors are
    otherwise those of :func:`gradcheck`.

    Examples
    --------
    >>> import numpy as np
    >>> gradgradcheck(lambda x: x**3, np.array([1.0, 2.0]))
    True
    """
    arrays = _float64("gradgradcheck", inputs)
    rng = np.random.default_rng(0) if rng is None else rng
    with no_grad():
        u = rng.standard_normal(np.shape(f(*map(Tensor, arrays)).data))

    for k in range(len(arrays)):

        def gradient(*args: Any, k: int = k) -> Any:
            _, pull = vjp(f, *args[:-1])
            pulled = pull(args[-1])
            return pulled[k] if isinstance(pulled, tuple) else pulled

        gradient.__name__ = f"the gradient of {_name(f)} with respect to argument {k}"
        gradcheck(gradient, (*arrays, u), eps=eps, rtol=rtol, atol=atol)
    return True


def _float64(name: str, inputs: Any) -> list[Array]:
    arrays = []
    for k, x in enumerate(inputs if isinstance(inputs, tuple) else (inputs,)):
        array = x.numpy() if isinstance(x, Tensor) else np.array(x)
        if array.dtype != np.float64:
            raise TypeError(f"{name}: input {k} has dtype {array.dtype}, expected float64")
        arrays.append(array)
    return arrays


class _Check:
    """Central differences with one step and one tolerance."""

    def __init__(self, eps: float, rtol: float, atol: float) -> None:
        self.eps, self.rtol, self.atol = eps, rtol, atol

    def agrees(self, got: float, expected: float) -> bool:
        return abs(got - expected) <= self.atol + self.rtol * abs(expected)

    def first_difference(
        self, f: Callable[..., Any], arrays: Sequence[Array], places: Sequence[int]
    ) -> str | None:
        """Say where the two Jacobians first differ, or None. ``places`` number the arguments."""
        variables = [Tensor(x) for x in arrays]
        output = f(*variables)
        if not isinstance(output, Tensor):
            raise TypeError(f"gradcheck: f returned {type(output).__name__}, expected a Tensor")
        rows = []
        for unit in np.eye(output.size).reshape(output.size, *output.shape):
            found = pull_back(output, unit, wanted=variables) if output.requires_grad else {}
            rows.append([found.get(x, np.zeros(x.shape)) for x in variables])
        for k, x in enumerate(arrays):
            for j in np.ndindex(x.shape):
                left, right = self.slopes(f, arrays, k, j)
                for row, i in enumerate(np.ndindex(output.shape)):
                    got, sides = rows[row][k][j], (float(left[i]), float(right[i]))
                    expected = (sides[0] + sides[1]) / 2
                    if not self.agrees(got, expected):
                        return (
                            f"the derivative{f' of element {_index(i)} of the result' if i else ''}"
                            f" with respect to argument {places[k]} at index {_index(j)} is "
                            f"{got:.10g}, expected {expected:.10g}"
                            f"{self.kink(*sides)}"
                        )
        return None

    def slopes(
        self, f: Callable[..., Any], arrays: Sequence[Array], k: int, j: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """The slopes of f on the left and on the right along one coordinate; their mean is the
        central difference.
        """
        values = []
        for step in (-self.eps, 0.0, self.eps):
            moved = [x.copy() for x in arrays]
            moved[k][j] += step
            with no_grad():
                values.append(f(*map(Tensor, moved)).numpy())
        return (values[1] - values[0]) / self.eps, (values[2] - values[1]) / self.eps

    def kink(self, left: float, right: float) -> str:
        """A remark if the slopes differ by more than curvature explains: for a smooth f they differ
        by eps f''.
        """
        if abs(right - left) <= math.sqrt(self.eps) * (1 + abs(left) + abs(right)):
            return ""
        return (
            f" (the slope is {left:.4g} on the left and {right:.4g} on the right: a kink, where "
            "central differences mean nothing; check another point)"
        )

    def wrong_operation(self, f: Callable[..., Any], arrays: Sequence[Array]) -> str | None:
        """Check each operation of the graph of f by itself, the oldest first; name one at fault."""
        for node in reversed(reachable(f(*map(Tensor, arrays)))):
            if node._history is None:
                continue
            primitive, values, options, _, edges, _ = node._history
            places = [i for i, _ in edges]

            def alone(*moved: Any) -> Any:
                arguments = list(values)  # noqa: B023 (called before the loop goes on)
                for i, x in zip(places, moved, strict=True):  # noqa: B023
                    arguments[i] = x
                return primitive(*arguments, **options)  # noqa: B023

            points = [np.array(values[i], dtype=np.float64) for i in places]
            problem = self.first_difference(alone, points, places)
            if problem is not None:
                return f"At fault is the operation {primitive.name}: {problem}"
        return None


def _index(index: tuple[int, ...]) -> str:
    return str(index[0] if len(index) == 1 else index)


def _name(f: Any) -> str:
    return str(getattr(f, "name", None) or getattr(f, "__name__", None) or repr(f))
