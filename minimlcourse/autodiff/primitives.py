r"""The table of primitives: what each operation computes, and how it pulls gradients back.

Each rule receives the adjoint ``g`` of the result, the result ``out`` and the arguments, and
returns the adjoint of its argument. Rules are written with operators and with the functions of this
table, so that the same line runs on arrays (``backward()``) and on Tensors (``create_graph=True``).
Broadcasting is undone by the engine.

All functions take Tensors and arrays alike. Given arrays alone, they return an array.

Lesson 04, "The table of rules".
"""

import math
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np

from minimlcourse.autodiff.graph import Primitive
from minimlcourse.autodiff.tensor import Array, Axis, Operand, Result, Tensor

# -- arithmetic ------------------------------------------------------------------------------------

add = Primitive(
    "add",
    np.add,
    lambda g, out, a, b: g,
    lambda g, out, a, b: g,
    reads_inputs=False,
    doc=r"""a + b, with :math:`\bar a = g,\ \bar b = g`.""",
)
subtract = Primitive(
    "subtract",
    np.subtract,
    lambda g, out, a, b: g,
    lambda g, out, a, b: -g,
    reads_inputs=False,
    doc=r"""a - b, with :math:`\bar a = g,\ \bar b = -g`.""",
)
negative = Primitive(
    "negative",
    np.negative,
    lambda g, out, x: -g,
    reads_inputs=False,
    doc=r"""-x, with :math:`\bar x = -g`.""",
)
multiply = Primitive(
    "multiply",
    np.multiply,
    lambda g, out, a, b: g * b,
    lambda g, out, a, b: g * a,
    doc=r"""a * b elementwise, with :math:`\bar a = g \odot b,\ \bar b = g \odot a`.""",
)
divide = Primitive(
    "divide",
    np.divide,
    lambda g, out, a, b: g / b,
    lambda g, out, a, b: -g * out / b,  # and not a / b², where b² may overflow
    doc=r"""a / b elementwise, with :math:`\bar a = g / b,\ \bar b = -g a / b^2`.""",
)


def _power_base(g: Any, out: Any, x: Any, k: Any) -> Any:
    # k x^(k-1) reads 0 * inf at x = k = 0, where the derivative of x^0 = 1 is 0 (erratum E9).
    if isinstance(k, (int, float)):
        return g * k * x ** (k - 1 if k else 0)
    return g * k * x ** (where((_array(x) == 0) & (_array(k) == 0), 1.0, k) - 1)


def _power_exponent(g: Any, out: Any, x: Any, k: Any) -> Any:
    # x^k log x tends to 0 with x for k > 0; at x = k = 0 PyTorch's convention, 0, is kept.
    at_zero = (_array(x) == 0) & (_array(k) >= 0)
    return g * where(at_zero, 0.0, out * log(where(at_zero, 1.0, x)))


power = Primitive(
    "power",
    np.power,
    _power_base,
    _power_exponent,
    doc=r"""x ** k elementwise, with :math:`\bar x = g\,k x^{k-1},\ \bar k = g\,x^k \log x`.

    ``x ** 0`` is 1 with derivative 0 everywhere, 0 included. A non-integer exponent needs x > 0:
    elsewhere NumPy's nan is returned, and at x = 0 with k < 1 the derivative is infinite.
    """,
)


def _matmul_left(g: Any, out: Any, a: Any, b: Any) -> Any:
    if a.ndim == b.ndim == 1:
        return g * b
    if b.ndim == 1:
        return expand_dims(g, -1) * b  # outer product: each row of a met the same b
    if a.ndim == 1:
        return (expand_dims(g, -2) @ swapaxes(b, -1, -2)).reshape(*g.shape[:-1], a.shape[0])
    return g @ swapaxes(b, -1, -2)


def _matmul_right(g: Any, out: Any, a: Any, b: Any) -> Any:
    if a.ndim == b.ndim == 1:
        return g * a
    if a.ndim == 1:
        return expand_dims(a, -1) * expand_dims(g, -2)
    if b.ndim == 1:
        return (swapaxes(a, -1, -2) @ expand_dims(g, -1)).reshape(*a.shape[:-2], b.shape[0])
    return swapaxes(a, -1, -2) @ g


matmul = Primitive(
    "matmul",
    np.matmul,
    _matmul_left,
    _matmul_right,
    doc=r"""a @ b, with :math:`\bar A = G B^\top,\ \bar B = A^\top G`.

    As in NumPy: one-dimensional operands are vectors, leading axes are a broadcast batch.
    """,
)

# -- elementwise functions -------------------------------------------------------------------------

exp = Primitive(
    "exp",
    np.exp,
    lambda g, out, x: g * out,
    reads_inputs=False,
    doc=r""":math:`e^x`, with :math:`\bar x = g\,e^x`.""",
)
expm1 = Primitive(
    "expm1",
    np.expm1,
    lambda g, out, x: g * (out + 1),
    reads_inputs=False,
    doc=r""":math:`e^x - 1`, accurate near 0, with :math:`\bar x = g\,e^x`.""",
)
log = Primitive(
    "log",
    np.log,
    lambda g, out, x: g / x,
    doc=r""":math:`\log x` for x > 0, with :math:`\bar x = g / x`.""",
)
log1p = Primitive(
    "log1p",
    np.log1p,
    lambda g, out, x: g / (1 + x),
    doc=r""":math:`\log(1 + x)`, accurate near 0, with :math:`\bar x = g / (1 + x)`.""",
)
sqrt = Primitive(
    "sqrt",
    np.sqrt,
    lambda g, out, x: g / (2 * out),
    reads_inputs=False,
    doc=r""":math:`\sqrt x`, with :math:`\bar x = g / (2\sqrt x)`, infinite at 0.""",
)
sin = Primitive(
    "sin",
    np.sin,
    lambda g, out, x: g * cos(x),
    doc=r""":math:`\sin x`, with :math:`\bar x = g \cos x`.""",
)
cos: Primitive = Primitive(
    "cos",
    np.cos,
    lambda g, out, x: -g * sin(x),
    doc=r""":math:`\cos x`, with :math:`\bar x = -g \sin x`.""",
)
tanh = Primitive(
    "tanh",
    np.tanh,
    lambda g, out, x: g * (1 - out * out),
    reads_inputs=False,
    doc=r""":math:`\tanh x`, with :math:`\bar x = g\,(1 - \tanh^2 x)`.""",
)
sign = Primitive(
    "sign",
    np.sign,
    lambda g, out, x: g * 0.0,
    reads_inputs=False,
    doc="The sign of x, -1, 0 or 1, with derivative 0 (also at 0, by convention).",
)
absolute = Primitive(
    "absolute",
    np.absolute,
    lambda g, out, x: g * sign(x),
    doc=r""":math:`|x|`, with :math:`\bar x = g\,\mathrm{sign}(x)`: at 0 the sub-gradient 0.""",
)
abs = absolute


@cache
def _erfc_coefficients() -> tuple[float, ...]:
    # erfc(z) = t exp(-z^2 + c(t)) for z >= 0, with t = 2 / (2 + z) in (0, 1] and c smooth: a
    # Chebyshev interpolant of c is as good as the standard library's erfc that it is fitted to.
    # Beyond z = 26 erfc leaves the range of float64, hence the lower end of the interval of t.
    from numpy.polynomial import chebyshev

    def c(s: Array) -> Array:
        t = _T_MID + _T_HALF * s
        z = 2 / t - 2
        return np.array([math.log(math.erfc(v) / u) + v * v for v, u in zip(z, t, strict=True)])

    return tuple(chebyshev.chebinterpolate(c, 30))


_T_LOW = 2 / (2 + 26.0)
_T_MID, _T_HALF = (1 + _T_LOW) / 2, (1 - _T_LOW) / 2


def _normal_cdf_value(x: Array) -> Array:
    from numpy.polynomial import chebyshev

    x = np.asarray(x)
    z = np.abs(x) * math.sqrt(0.5)
    t = 2 / (2 + np.minimum(z, 26.0))
    c = chebyshev.chebval((t - _T_MID) / _T_HALF, _erfc_coefficients())
    tail = 0.5 * t * np.exp(c - z * z)
    return np.where(x > 0, 1 - tail, tail).astype(np.result_type(x, np.float32), copy=False)


normal_cdf = Primitive(
    "normal_cdf",
    _normal_cdf_value,
    lambda g, out, x: g * (exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))),
    doc=r""":math:`\Phi(x) = P(N(0,1) \le x)`, with :math:`\bar x = g e^{-x^2/2}/\sqrt{2\pi}`.""",
)

# -- choosing --------------------------------------------------------------------------------------

_where: Primitive = Primitive(
    "where",
    lambda a, b, condition: np.where(condition, a, b),
    lambda g, out, a, b, condition: where(condition, g, 0.0),
    lambda g, out, a, b, condition: where(condition, 0.0, g),
    reads_inputs=False,
)


def where(condition: Operand, a: Operand, b: Operand) -> Result:
    r"""a where the condition holds, else b; :math:`\bar a` is g there and 0 elsewhere.

    Both a and b are computed everywhere: ``where(x > 0, log(x), 0)`` has nan gradients at
    x <= 0, from 0 times infinity. Make the argument safe instead: ``log(where(x > 0, x, 1))``.
    """
    return _where(a, b, condition=np.array(_array(condition)))


def _share(g: Any, a: Any, b: Any, wins: Any) -> Any:
    """What the argument a of maximum or minimum receives: g where it wins, half where it ties."""
    a, b = _array(a), _array(b)
    return g * (wins(a, b) + 0.5 * np.equal(a, b)).astype(g.dtype)


maximum = Primitive(
    "maximum",
    np.maximum,
    lambda g, out, a, b: _share(g, a, b, np.greater),
    lambda g, out, a, b: _share(g, b, a, np.greater),
    doc="The larger of a and b elementwise; where they are equal, each receives half of g.",
)
minimum = Primitive(
    "minimum",
    np.minimum,
    lambda g, out, a, b: _share(g, a, b, np.less),
    lambda g, out, a, b: _share(g, b, a, np.less),
    doc="The smaller of a and b elementwise; where they are equal, each receives half of g.",
)
_clip = Primitive(
    "clip",
    lambda x, low, high: np.clip(x, low, high),
    lambda g, out, x, low, high: g * ((low <= _array(x)) & (_array(x) <= high)),
)


def clip(x: Operand, low: Any = None, high: Any = None) -> Result:
    """x limited to [low, high] (constants; None for no limit).

    The derivative is 1 inside and at the two limits, and 0 outside.
    """
    for name, bound in (("low", low), ("high", high)):
        if isinstance(bound, Tensor):
            raise TypeError(f"clip: {name} is a Tensor; use maximum() and minimum() instead")
    return _clip(x, -np.inf if low is None else low, np.inf if high is None else high)


# -- reductions ------------------------------------------------------------------------------------


def _axes(x: Any, axis: Axis) -> tuple[int, ...]:
    if axis is None or x.ndim == 0:  # NumPy reduces a scalar along axis 0 as well
        return tuple(range(x.ndim))
    return np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)


def _lift(g: Any, x: Any, axis: Axis) -> Any:
    """Give the reduced g the axes of x again, with length 1, so that it broadcasts against x."""
    axes = _axes(x, axis)
    return g.reshape(tuple(1 if k in axes else n for k, n in enumerate(x.shape)))


def _count(x: Any, axis: Axis, ddof: int = 0) -> int:
    """How many elements each result is made of, less ddof."""
    count = math.prod(x.shape[k] for k in _axes(x, axis))
    if count <= ddof:
        raise ValueError(f"{count} elements along axis {axis}, expected more than {ddof}")
    return count - ddof


_sum = Primitive(
    "sum",
    lambda x, axis, keepdims: np.add.reduce(x, axis=axis, keepdims=keepdims),
    lambda g, out, x, axis, keepdims: broadcast_to(_lift(g, x, axis), shape=x.shape),
    reads_inputs=False,
)


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Result:
    r"""Sum over one, several or all axes, 0 if empty; :math:`\bar x` is g, broadcast back."""
    return _sum(x, axis=axis, keepdims=keepdims)


_mean = Primitive(
    "mean",
    lambda x, axis, keepdims: np.add.reduce(x, axis=axis, keepdims=keepdims) / _count(x, axis),
    lambda g, out, x, axis, keepdims: broadcast_to(
        _lift(g, x, axis) / _count(x, axis), shape=x.shape
    ),
    reads_inputs=False,
)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Result:
    r"""Mean over one, several or all axes; ``ValueError`` if there is nothing to average."""
    return _mean(_operand(x), axis=axis, keepdims=keepdims)


def _var_value(x: Array, axis: Axis, keepdims: bool, ddof: int) -> Array:
    count = _count(x, axis, ddof)
    centred = x - np.mean(x, axis, keepdims=True)
    return np.sum(centred * centred, axis, keepdims=keepdims) / count


def _var_rule(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool, ddof: int) -> Any:
    centred = x - mean(x, axis, keepdims=True)
    return _lift(g, x, axis) * centred * (2 / _count(x, axis, ddof))


_var = Primitive(
    "var",
    _var_value,
    _var_rule,
)


def var(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Result:
    r"""Variance :math:`\frac1{n - \mathrm{ddof}} \sum_i (x_i - m)^2` along the axes, m the mean.

    ``ddof=0`` divides by n, as NumPy does; PyTorch's default is ``ddof=1``. With
    :math:`\bar x_i = \frac{2g}{n - \mathrm{ddof}} (x_i - m)`.
    """
    return _var(_operand(x), axis=axis, keepdims=keepdims, ddof=ddof)


def _share_extremum(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    reached = _array(x) == _array(_lift(out, x, axis))
    share = reached / reached.sum(axis=_axes(x, axis), keepdims=True)
    return _lift(g, x, axis) * share.astype(g.dtype)


_max = Primitive(
    "max", lambda x, axis, keepdims: np.max(x, axis, keepdims=keepdims), _share_extremum
)
_min = Primitive(
    "min", lambda x, axis, keepdims: np.min(x, axis, keepdims=keepdims), _share_extremum
)


def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Result:
    """Largest element along the axes; elements that tie for it share g equally."""
    return _max(x, axis=axis, keepdims=keepdims)


def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Result:
    """Smallest element along the axes; elements that tie for it share g equally."""
    return _min(x, axis=axis, keepdims=keepdims)


def _prod_rule(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    if np.all(_array(x)):
        return _lift(g * out, x, axis) / x
    return _lift(g, x, axis) * _product_of_others(x, axis)


def _product_of_others(x: Any, axis: Axis) -> Any:
    """For each element the product of all others along the axes: no division, so zeros are safe."""
    axes = _axes(x, axis)
    order = tuple(k for k in range(x.ndim) if k not in axes) + axes
    rows = transpose(x, order)
    shape = rows.shape
    n = math.prod(x.shape[k] for k in axes)
    flat = rows.reshape((*shape[: len(shape) - len(axes)], 1, n))
    others = prod(where(np.eye(n, dtype=bool), 1.0, flat), axis=-1)
    return transpose(others.reshape(shape), _inverse(order))


_prod = Primitive("prod", lambda x, axis, keepdims: np.prod(x, axis, keepdims=keepdims), _prod_rule)


def prod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Result:
    r"""Product along the axes, 1 if empty; :math:`\bar x_i = g \prod_{j \ne i} x_j`.

    If one of n elements is 0, the derivative needs n² numbers.
    """
    return _prod(x, axis=axis, keepdims=keepdims)


# -- shapes ----------------------------------------------------------------------------------------

broadcast_to: Primitive = Primitive(
    "broadcast_to",
    lambda x, shape: np.broadcast_to(x, shape),
    lambda g, out, x, shape: g,
    doc="x repeated to the shape given; the engine sums the gradient back.",
)
astype = Primitive(
    "astype",
    lambda x, dtype: x.astype(dtype),
    lambda g, out, x, dtype: g,
    reads_inputs=False,
    doc="x converted to another floating dtype; the gradient is converted back.",
)
_reshape = Primitive(
    "reshape",
    lambda x, shape: np.reshape(x, shape),
    lambda g, out, x, shape: g.reshape(x.shape),
)
_squeeze = Primitive(
    "squeeze",
    lambda x, axis: np.squeeze(x, axis),
    lambda g, out, x, axis: g.reshape(x.shape),
)
_expand_dims = Primitive(
    "expand_dims",
    lambda x, axis: np.expand_dims(x, axis),
    lambda g, out, x, axis: g.reshape(x.shape),
)
_transpose = Primitive(
    "transpose",
    lambda x, axes: np.transpose(x, axes),
    lambda g, out, x, axes: transpose(g, None if axes is None else _inverse(axes)),
)
_swapaxes = Primitive(
    "swapaxes",
    lambda x, axis1, axis2: np.swapaxes(x, axis1, axis2),
    lambda g, out, x, axis1, axis2: swapaxes(g, axis1, axis2),
)


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes this one."""
    return tuple(np.argsort([k % len(axes) for k in axes]).tolist())


def reshape(x: Operand, shape: int | tuple[int, ...]) -> Result:
    """x with another shape (one length may be -1)."""
    return _reshape(x, shape=shape)


def squeeze(x: Operand, axis: Axis = None) -> Result:
    """x without the axes given, which must have length 1 (all such axes by default)."""
    return _squeeze(x, axis=axis)


def expand_dims(x: Operand, axis: int | tuple[int, ...]) -> Result:
    """x with new axes of length 1 at these positions of the result."""
    return _expand_dims(x, axis=axis)


def transpose(x: Operand, axes: tuple[int, ...] | None = None) -> Result:
    """x with its axes permuted (reversed by default)."""
    return _transpose(x, axes=None if axes is None else tuple(axes))


def swapaxes(x: Operand, axis1: int, axis2: int) -> Result:
    """x with two axes exchanged."""
    return _swapaxes(x, axis1=axis1, axis2=axis2)


_getitem = Primitive(
    "getitem",
    lambda x, index: x[index],
    lambda g, out, x, index: _scatter(g, index=index, shape=x.shape),
)
_scatter: Primitive = Primitive(
    "scatter",
    lambda g, index, shape: _scattered(g, index, shape),
    lambda g, out, x, index, shape: _getitem(g, index=index),
    reads_inputs=False,
)


def _scattered(g: Array, index: Any, shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, np.asarray(g).dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) and part.dtype != bool for part in parts):
        np.add.at(out, index, g)  # an element that was taken twice receives both gradients
    else:
        out[index] = g
    return out


def getitem(x: Operand, index: Any) -> Result:
    """``x[index]`` for integers, slices, ``None``, ``...``, integer arrays and boolean masks.

    The gradient is added up at the places it was taken from.
    """
    return _getitem(x, index=_frozen(index))


def _frozen(index: Any) -> Any:
    """The index with its arrays copied, since the graph needs them later."""
    return tuple(map(_frozen_part, index)) if isinstance(index, tuple) else _frozen_part(index)


def _frozen_part(part: Any) -> Any:
    if isinstance(part, Tensor):
        raise TypeError("getitem: a Tensor cannot be an index; use an array of integers or a mask")
    if isinstance(part, (list, tuple)):
        part = np.array(part)
        return part if part.size else part.astype(int)
    return part.copy() if isinstance(part, np.ndarray) else part


def _concatenate_rule(
    i: int, g: Any, out: Any, *parts: Any, axis: int, stops: Sequence[int]
) -> Any:
    place = slice(stops[i] - parts[i].shape[axis], stops[i])
    return g[(slice(None),) * (axis % g.ndim) + (place,)]


_concatenate = Primitive(
    "concatenate",
    lambda *parts, axis, stops: np.concatenate(parts, axis),
    _concatenate_rule,
    variadic=True,
    reads_inputs=False,
)
_stack = Primitive(
    "stack",
    lambda *parts, axis: np.stack(parts, axis),
    lambda i, g, out, *parts, axis: g[(slice(None),) * (axis % g.ndim) + (i,)],
    variadic=True,
    reads_inputs=False,
)


def concatenate(parts: Sequence[Operand], axis: int = 0) -> Result:
    """The parts joined along an axis that they have; each receives its slice of g."""
    parts = [_operand(part) for part in parts]
    if not isinstance(axis, int):
        raise TypeError(f"concatenate: axis is {axis!r}, expected an integer")
    lengths = (part.shape[axis] if -part.ndim <= axis < part.ndim else 0 for part in parts)
    return _concatenate(*parts, axis=axis, stops=tuple(accumulate(lengths)))


def stack(parts: Sequence[Operand], axis: int = 0) -> Result:
    """The parts, all of one shape, joined along a new axis; each receives its slice of g."""
    return _stack(*parts, axis=axis)


def _pad_rule(g: Any, out: Any, x: Any, pad_width: Any, value: float) -> Any:
    widths = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    return g[tuple(slice(low, low + n) for (low, _), n in zip(widths, x.shape, strict=True))]


_pad = Primitive(
    "pad",
    lambda x, pad_width, value: np.pad(x, pad_width, constant_values=value),
    _pad_rule,
    reads_inputs=False,
)


def pad(x: Operand, pad_width: Any, value: float = 0.0) -> Result:
    """x with a border of ``value``; ``pad_width`` is ((before, after), ...) by axis."""
    return _pad(x, pad_width=pad_width, value=value)


# -- small helpers ---------------------------------------------------------------------------------


def _array(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x


def _operand(x: Any) -> Any:
    return x if isinstance(x, Tensor) else np.asarray(x)
