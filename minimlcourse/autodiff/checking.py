r"""Derivatives against central differences: ``gradcheck`` and ``gradgradcheck``.

For a smooth f, :math:`\frac{f(x + \varepsilon) - f(x - \varepsilon)}{2\varepsilon} = f'(x) +
O(\varepsilon^2)`, plus a rounding error of order :math:`u |f| / \varepsilon` with
:math:`u \approx 10^{-16}`: at :math:`\varepsilon = 10^{-6}` about ten digits are left. What it
cannot see: a kink (of relu, of max) nearer than :math:`\varepsilon`, and points it is not given.

Lesson 04, "What a gradient check can and cannot see".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from minimlcourse.autodiff.graph import Primitive, pull_back, reachable
from minimlcourse.autodiff.tensor import Array, Operand, Tensor, _record, no_grad
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
    problem = check.first_difference(f, arrays)
    if problem is None:
        return True
    message = f"gradcheck of {_name(f)}: {problem}"
    if not problem.at_kink:
        message += "\n" + _culprit(f, arrays, check.first_difference)
    raise GradientError(message)


def gradgradcheck(
    f: Callable[..., Any],
    inputs: Operand | tuple[Operand, ...],
    *,
    rng: "np.random.Generator | None" = None,  # quoted: numpy.random takes long to import
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
    check = _Check(eps, rtol, atol)

    def first_difference(f: Callable[..., Any], arrays: Sequence[Array]) -> "_Problem | None":
        with no_grad():
            u = rng.standard_normal(f(*map(Tensor, arrays)).shape)
        for k in range(len(arrays)):
            problem = check.first_difference(partial(_pulled, f, k), [*arrays, u])
            if problem is not None:
                return problem
        return None

    problem = first_difference(f, arrays)
    if problem is None:
        return True
    message = f"gradgradcheck: of the gradient of {_name(f)}, {problem}"
    if not problem.at_kink:
        message += "\n" + _culprit(f, arrays, first_difference)
    raise GradientError(message)


def _pulled(f: Callable[..., Any], k: int, *args: Any) -> Any:
    """The gradient of <u, f> with respect to argument k; u comes last in args."""
    *xs, u = args
    _, pull = vjp(f, *xs)
    adjoints = pull(u)
    return adjoints[k] if isinstance(adjoints, tuple) else adjoints


def _float64(name: str, inputs: Any) -> list[Array]:
    arrays = []
    for k, x in enumerate(inputs if isinstance(inputs, tuple) else (inputs,)):
        array = x.numpy() if isinstance(x, Tensor) else np.array(x)
        if array.dtype != np.float64:
            raise TypeError(f"{name}: input {k} has dtype {array.dtype}, expected float64")
        arrays.append(array)
    return arrays


@dataclass
class _Problem:
    """Where two Jacobians differ."""

    output: tuple[int, ...]
    argument: int
    index: tuple[int, ...]
    got: float
    left: float
    right: float
    at_kink: bool

    def __str__(self) -> str:
        element = f" of element {_index(self.output)} of the result" if self.output else ""
        text = (
            f"the derivative{element} with respect to argument {self.argument} at index "
            f"{_index(self.index)} is {self.got:.10g}, expected {(self.left + self.right) / 2:.10g}"
        )
        if self.at_kink:
            text += (
                f". But the slope is {self.left:.4g} on the left and {self.right:.4g} on the right:"
                " there is a kink, where central differences mean nothing; check another point"
            )
        return text


class _Check:
    """Central differences with one step and one tolerance."""

    def __init__(self, eps: float, rtol: float, atol: float) -> None:
        self.eps, self.rtol, self.atol = eps, rtol, atol

    def first_difference(self, f: Callable[..., Any], arrays: Sequence[Array]) -> _Problem | None:
        """Where the Jacobian of f first differs from central differences."""
        variables = [Tensor(x) for x in arrays]
        with _record(True):
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
                    problem = self.compare(rows[row][k][j], float(left[i]), float(right[i]))
                    if problem is not None:
                        return replace(problem, output=i, argument=k, index=j)
        return None

    def slopes(
        self, f: Callable[..., Any], arrays: Sequence[Array], k: int, j: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """The slopes of f to the left and to the right along one coordinate.

        Their mean is the central difference.
        """
        values = []
        for step in (-self.eps, 0.0, self.eps):
            moved = [x.copy() for x in arrays]
            moved[k][j] += step
            with no_grad():
                values.append(f(*map(Tensor, moved)).numpy())
        return (values[1] - values[0]) / self.eps, (values[2] - values[1]) / self.eps

    def compare(self, got: float, left: float, right: float) -> _Problem | None:
        expected = (left + right) / 2
        if abs(got - expected) <= self.atol + self.rtol * abs(expected):
            return None
        # For a smooth f the two slopes differ by eps f'', which is far less than this.
        at_kink = abs(right - left) > math.sqrt(self.eps) * (1 + abs(left) + abs(right))
        return _Problem((), 0, (), float(got), left, right, at_kink)


def _culprit(
    f: Callable[..., Any],
    arrays: Sequence[Array],
    first_difference: Callable[[Callable[..., Any], Sequence[Array]], _Problem | None],
) -> str:
    """Check each operation of the graph of f by itself, the oldest first; name one at fault."""
    with _record(True):
        nodes = reachable(f(*map(Tensor, arrays)))
    for node in reversed(nodes):
        if node._history is not None:
            primitive, values, options, _, edges, _ = node._history
            places = [i for i, _ in edges]
            alone = partial(_alone, primitive, values, options, places)
            problem = first_difference(alone, [np.array(values[i], np.float64) for i in places])
            if problem is not None:
                if problem.argument < len(places):
                    problem = replace(problem, argument=places[problem.argument])
                return f"At fault is the operation {primitive.name}: {problem}"
    return (
        "Each operation agrees with central differences on its own: was a value computed outside "
        "the graph, from .data or .numpy()?"
    )


def _alone(
    primitive: Primitive, values: Sequence[Any], options: Any, places: Sequence[int], *moved: Any
) -> Any:
    arguments = list(values)
    for i, x in zip(places, moved, strict=True):
        arguments[i] = x
    return primitive(*arguments, **options)


def _index(index: tuple[int, ...]) -> str:
    return str(index[0] if len(index) == 1 else index)


def _name(f: Any) -> str:
    return str(getattr(f, "name", None) or getattr(f, "__name__", None) or repr(f))
