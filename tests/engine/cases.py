"""Every function of the engine beside the same function in plain NumPy.

``CASES`` maps the name of a function to a strategy that draws a call of it: shapes (0-d, size 0 and
size 1 included), options, numbers. The plain version is written from the definition, and so that it
takes complex numbers and is analytic in them, branch by branch: a complex step then gives its
derivative to the last digit. Numbers keep 0.05 away from kinks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minimlcourse.autodiff as ad
import minimlcourse.functional as F

Array = np.ndarray
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass
class Call:
    """``ours(*arrays)`` and ``plain(*arrays)`` compute the same."""

    arrays: list[Array]
    ours: Callable[..., Any]
    plain: Callable[..., Any]
    note: str
    widens: bool = False  # a float64 array takes part, or a wider dtype is asked for

    def __repr__(self) -> str:
        return f"<{self.note} of {', '.join(map(repr, self.arrays))}>"


CASES: dict[str, st.SearchStrategy[Call]] = {}

TAKES_COMPLEX = set(
    """add subtract negative multiply divide power matmul exp expm1 log log1p sqrt sin cos tanh
    where sum mean var prod broadcast_to reshape squeeze expand_dims transpose swapaxes getitem
    concatenate stack pad linear mse""".split()
)
"""Functions whose own NumPy code is analytic, so that a complex step goes through it as well."""


def case(name: str) -> Callable[[Callable[[Draw], Call]], None]:
    """Register the function below as the way to draw a call of ``name``."""

    def register(function: Callable[[Draw], Call]) -> None:
        CASES[name] = st.composite(function)()

    return register


# -- shapes and numbers ----------------------------------------------------------------------------

SIDES = {"min_side": 0, "max_side": 3}
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, **SIDES)
SEEDS = st.integers(0, 2**32 - 1)


def numbers(draw: Draw, shape: tuple[int, ...], low: float = -2.0, high: float = 2.0) -> Array:
    return np.asarray(np.random.default_rng(draw(SEEDS)).uniform(low, high, size=shape))


def distinct(draw: Draw, shape: tuple[int, ...], offset: float = 0.0) -> Array:
    """Multiples of 0.2 plus an offset, no two equal, of both signs."""
    rng = np.random.default_rng(draw(SEEDS))
    n = math.prod(shape)
    return np.asarray((rng.permutation(2 * n)[:n].reshape(shape) - n) * 0.2 + offset)


def broadcastable(draw: Draw, n: int) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """Shapes that broadcast against one another, and what they broadcast to."""
    found = draw(hnp.mutually_broadcastable_shapes(num_shapes=n, max_dims=3, **SIDES))
    return list(found.input_shapes), found.result_shape


def an_axis(draw: Draw, ndim: int) -> Any:
    """None, an integer, or a tuple of some: negative ones included."""
    if ndim == 0:
        return draw(st.sampled_from([None, ()]))
    one = st.integers(-ndim, ndim - 1)
    several = st.lists(one, max_size=ndim, unique_by=lambda k: k % ndim).map(tuple)
    return draw(st.one_of(st.none(), one, several))


def axis_and_keepdims(draw: Draw, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"axis": an_axis(draw, len(shape)), "keepdims": draw(st.booleans())}


def count(shape: tuple[int, ...], axis: Any) -> int:
    """How many elements are reduced to one."""
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[k] for k in (axis if isinstance(axis, tuple) else (axis,)))


# -- elementwise functions -------------------------------------------------------------------------


def normal_cdf(z: Array) -> Array:
    """The definition, to first order in the imaginary part."""
    x = np.asarray(z).real
    value = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x.ravel()]).reshape(x.shape)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return value + 1j * np.imag(z) * density if np.iscomplexobj(z) else value


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


UNARY: dict[str, tuple[float, float, Callable[..., Any], Callable[..., Any]]] = {
    "negative": (-2, 2, ad.negative, lambda z: 0 - z),
    "exp": (-2, 2, ad.exp, np.exp),
    "expm1": (-2, 2, ad.expm1, lambda z: np.exp(z) - 1),
    "log": (0.3, 3, ad.log, np.log),
    "log1p": (-0.7, 3, ad.log1p, lambda z: np.log(1 + z)),
    "sqrt": (0.3, 3, ad.sqrt, np.sqrt),
    "sin": (-4, 4, ad.sin, np.sin),
    "cos": (-4, 4, ad.cos, np.cos),
    "tanh": (-2, 2, ad.tanh, lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))),
    "normal_cdf": (-4, 4, ad.normal_cdf, normal_cdf),
    "sigmoid": (-4, 4, F.sigmoid, sigmoid),
    "softplus": (-4, 4, F.softplus, lambda z: np.log(1 + np.exp(z))),
    "gelu": (-4, 4, F.gelu, lambda z: z * normal_cdf(z)),
    "gelu, tanh": (
        -4,
        4,
        partial(F.gelu, approximate="tanh"),
        lambda z: z / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (z + 0.044715 * z**3))),
    ),
    "gelu, sigmoid": (
        -4,
        4,
        partial(F.gelu, approximate="sigmoid"),
        lambda z: z * sigmoid(1.702 * z),
    ),
}
WITH_A_KINK_AT_0: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sign": (ad.sign, lambda z: np.sign(z.real) + 0 * z),
    "absolute": (ad.absolute, lambda z: np.sign(z.real) * z),
    "abs": (ad.abs, lambda z: np.sign(z.real) * z),
    "relu": (F.relu, lambda z: (z.real > 0) * z),
}

for name, (low, high, ours, plain) in UNARY.items():

    @case(name)
    def _(draw, low=low, high=high, ours=ours, plain=plain, name=name):
        return Call([numbers(draw, draw(SHAPES), low, high)], ours, plain, name)


for name, (ours, plain) in WITH_A_KINK_AT_0.items():

    @case(name)
    def _(draw, ours=ours, plain=plain, name=name):
        return Call([distinct(draw, draw(SHAPES), 0.1)], ours, plain, name)


# -- two arguments ---------------------------------------------------------------------------------

for name, ours, plain in [
    ("add", ad.add, lambda a, b: a + b),
    ("subtract", ad.subtract, lambda a, b: a - b),
    ("multiply", ad.multiply, lambda a, b: a * b),
    ("divide", ad.divide, lambda a, b: a * b**-1.0),
]:

    @case(name)
    def _(draw, ours=ours, plain=plain, name=name):
        (s, t), _ = broadcastable(draw, 2)
        a, b = numbers(draw, s), numbers(draw, t, 0.5, 2.0)
        if draw(st.booleans()):
            np.negative(b, out=b)
        return Call([a, b], ours, plain, name)


@case("power")
def _(draw):
    (s, t), _ = broadcastable(draw, 2)
    a, b = numbers(draw, s, 0.3, 3.0), numbers(draw, t)
    return Call([a, b], ad.power, lambda x, k: np.exp(k * np.log(x)), "power")


@case("power, constant exponent")
def _(draw):
    k = draw(st.sampled_from([0, 1, 2, 3, -1, -2, 0.0, 1.0, 2.0, 0.5, -1.5, np.float32(2.0)]))
    x = numbers(draw, draw(SHAPES), 0.3, 3.0)
    if float(k).is_integer() and draw(st.booleans()):
        np.negative(x, out=x)
    return Call([x], lambda x: x**k, lambda x: x ** float(k), f"x ** {k}")


@case("power, constant base")
def _(draw):
    base = draw(st.sampled_from([2, 0.5, np.float64(1.5), np.array([0.5, 3.0])]))
    k = numbers(draw, (*draw(SHAPES), 2))
    return Call(
        [k],
        lambda k: base**k,
        lambda k: np.exp(k * np.log(base)),
        f"{base} ** x",
        widens=isinstance(base, np.ndarray),
    )


@case("matmul")
def _(draw):
    found = draw(
        hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, **SIDES)
    )
    a, b = (numbers(draw, shape) for shape in found.input_shapes)
    return Call([a, b], ad.matmul, lambda a, b: a @ b, "matmul")


for name, ours, wins in [
    ("maximum", ad.maximum, np.greater),
    ("minimum", ad.minimum, np.less),
]:

    @case(name)
    def _(draw, ours=ours, wins=wins, name=name):
        (s, t), _ = broadcastable(draw, 2)
        a, b = distinct(draw, s), distinct(draw, t, 0.1)
        return Call([a, b], ours, lambda a, b: np.where(wins(a.real, b.real), a, b), name)


@case("where")
def _(draw):
    (s, t, c), _ = broadcastable(draw, 3)
    condition = numbers(draw, c) > 0
    a, b = numbers(draw, s), numbers(draw, t)
    return Call(
        [a, b],
        lambda a, b: ad.where(condition, a, b),
        lambda a, b: condition * a + ~condition * b,
        f"where {condition}",
    )


@case("clip")
def _(draw):
    x = distinct(draw, draw(SHAPES))
    low = draw(st.sampled_from([None, -0.3, np.float64(-0.3), np.full(x.shape, -0.3)]))
    high = draw(st.sampled_from([None, 0.5, 7, np.full(x.shape[-1:], 0.5)]))
    widens = isinstance(low, np.ndarray) or isinstance(high, np.ndarray)

    def plain(z):
        z = z if low is None else np.where(z.real < low, low, z)
        return z if high is None else np.where(z.real > high, high, z)

    return Call([x], lambda x: ad.clip(x, low, high), plain, f"clip to {low}, {high}", widens)


@case("linear")
def _(draw):
    outer = draw(hnp.array_shapes(min_dims=0, max_dims=2, **SIDES))
    n_in, n_out = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x, weight = numbers(draw, (*outer, n_in)), numbers(draw, (n_out, n_in))
    if draw(st.booleans()):
        bias = numbers(draw, (n_out,))
        return Call([x, weight, bias], F.linear, lambda x, w, b: x @ w.T + b, "linear")
    return Call([x, weight], F.linear, lambda x, w: x @ w.T, "linear")


# -- reductions ------------------------------------------------------------------------------------


@case("sum")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    options = axis_and_keepdims(draw, x.shape)
    return Call([x], partial(ad.sum, **options), partial(np.sum, **options), f"sum {options}")


@case("mean")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    options = axis_and_keepdims(draw, x.shape)
    n = count(x.shape, options["axis"])
    assume(n)
    return Call(
        [x], partial(ad.mean, **options), lambda z: np.sum(z, **options) / n, f"mean {options}"
    )


@case("var")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    options = axis_and_keepdims(draw, x.shape)
    n, ddof = count(x.shape, options["axis"]), draw(st.integers(0, 1))
    assume(n > ddof)

    def plain(z):
        centred = z - z.mean(axis=options["axis"], keepdims=True)
        return (centred**2).sum(**options) / (n - ddof)

    return Call([x], partial(ad.var, ddof=ddof, **options), plain, f"var {options} {ddof=}")


@case("prod")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    x[numbers(draw, x.shape, 0, 1) < draw(st.sampled_from([0.0, 0.2, 0.6]))] = 0.0
    options = axis_and_keepdims(draw, x.shape)
    return Call([x], partial(ad.prod, **options), partial(np.prod, **options), f"prod {options}")


for name, ours, reach in [("max", ad.max, np.max), ("min", ad.min, np.min)]:

    @case(name)
    def _(draw, ours=ours, reach=reach, name=name):
        x = distinct(draw, draw(SHAPES))
        options = axis_and_keepdims(draw, x.shape)
        assume(count(x.shape, options["axis"]))

        def plain(z):
            best = reach(z.real, axis=options["axis"], keepdims=True)
            return np.where(z.real == best, z, 0).sum(**options)

        return Call([x], partial(ours, **options), plain, f"{name} {options}")


@case("logsumexp")
def _(draw):
    x = numbers(draw, draw(SHAPES), -4, 4)
    options = axis_and_keepdims(draw, x.shape)
    assume(count(x.shape, options["axis"]))
    return Call(
        [x],
        partial(F.logsumexp, **options),
        lambda z: np.log(np.exp(z).sum(**options)),
        f"logsumexp {options}",
    )


for name, ours, last in [
    ("softmax", F.softmax, lambda p: p),
    ("log_softmax", F.log_softmax, np.log),
]:

    @case(name)
    def _(draw, ours=ours, last=last, name=name):
        x = numbers(draw, draw(SHAPES), -4, 4)
        axis = an_axis(draw, x.ndim)
        return Call(
            [x],
            partial(ours, axis=axis),
            lambda z: last(np.exp(z) / np.exp(z).sum(axis=axis, keepdims=True)),
            f"{name} {axis=}",
        )


# -- shapes ----------------------------------------------------------------------------------------


def same_in_numpy(name: str, x: Array, **options: Any) -> Call:
    ours, plain = getattr(ad, name), getattr(np, name)
    return Call([x], partial(ours, **options), partial(plain, **options), f"{name} {options}")


@case("broadcast_to")
def _(draw):
    (shape,), result = broadcastable(draw, 1)
    repeated = tuple(draw(st.integers(0, 3)) if n == 1 else n for n in result)
    return same_in_numpy("broadcast_to", numbers(draw, shape), shape=(2, *repeated))


@case("astype")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    ours = partial(ad.astype, dtype=np.longdouble)
    return Call([x], ours, lambda z: z, "astype longdouble", widens=True)


@case("reshape")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    shapes = [x.shape[::-1], (*x.shape, 1), (1, *x.shape), (x.size,), x.size]
    if x.size:
        shapes += [-1, (-1, 1), (1, -1)]
    shape = draw(st.sampled_from(shapes))
    return Call([x], partial(ad.reshape, shape=shape), lambda z: np.reshape(z, shape), f"{shape=}")


@case("squeeze")
def _(draw):
    x = numbers(draw, draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=2)))
    units = [k for k, n in enumerate(x.shape) if n == 1]
    axes = [None, (), *units, *(k - x.ndim for k in units), tuple(units)]
    return same_in_numpy("squeeze", x, axis=draw(st.sampled_from(axes)))


@case("expand_dims")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    n = x.ndim
    return same_in_numpy("expand_dims", x, axis=draw(st.sampled_from([0, n, -1, -n - 1, (0, -1)])))


@case("transpose")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    order = draw(st.permutations(range(x.ndim)))
    negative = tuple(k - x.ndim if draw(st.booleans()) else k for k in order)
    return same_in_numpy("transpose", x, axes=draw(st.sampled_from([None, tuple(order), negative])))


@case("swapaxes")
def _(draw):
    x = numbers(draw, draw(hnp.array_shapes(min_dims=1, max_dims=3, **SIDES)))
    axes = st.integers(-x.ndim, x.ndim - 1)
    return same_in_numpy("swapaxes", x, axis1=draw(axes), axis2=draw(axes))


@case("concatenate")
def _(draw):
    shape = list(draw(hnp.array_shapes(min_dims=1, max_dims=3, **SIDES)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        shape[axis] = draw(st.integers(0, 3))
        parts.append(numbers(draw, tuple(shape)))
    return Call(
        parts,
        lambda *parts: ad.concatenate(parts, axis=axis),
        lambda *parts: np.concatenate(parts, axis=axis),
        f"concatenate {axis=}",
    )


@case("stack")
def _(draw):
    shape = draw(SHAPES)
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    return Call(
        [numbers(draw, shape) for _ in range(draw(st.integers(1, 3)))],
        lambda *parts: ad.stack(parts, axis=axis),
        lambda *parts: np.stack(parts, axis=axis),
        f"stack {axis=}",
    )


@case("pad")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    ends = st.tuples(st.integers(0, 2), st.integers(0, 2))
    widths = draw(st.one_of(st.integers(0, 2), ends, st.tuples(*(ends for _ in x.shape))))
    value = draw(st.sampled_from([0.0, 1.5, -1]))
    assume(np.shape(widths) != (0,))
    return Call(
        [x],
        lambda x: ad.pad(x, widths, value),
        lambda z: np.pad(z, widths, constant_values=value),
        f"pad {widths} with {value}",
    )


@st.composite
def indices(draw, shape: tuple[int, ...]) -> Any:
    """An index of an array of this shape, of any kind that NumPy knows."""
    kind = draw(st.sampled_from(["basic", "mask", "one by one", "one by one"]))
    if kind == "basic":
        return draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    if kind == "mask":
        axes = draw(st.integers(0, len(shape)))
        return numbers(draw, shape[:axes]) > 0
    parts: list[Any] = []
    for n in shape:
        kinds = ["slice", "whole"]
        if n:
            kinds += ["integer", "array", "array", "list"]
        if n >= 2:
            kinds.append("mask")
        match draw(st.sampled_from(kinds)):
            case "slice":
                parts.append(draw(st.slices(n)))
            case "whole":
                parts.append(slice(None))
            case "integer":
                parts.append(draw(st.integers(-n, n - 1)))
            case "array":  # with repetitions, most of the time
                places = draw(st.sampled_from([(2,), (1,), (3, 2), (3, 1), ()]))
                parts.append(draw(hnp.arrays(np.int64, places, elements=st.integers(-n, n - 1))))
            case "list":
                part = draw(st.lists(st.integers(-n, n - 1), min_size=2, max_size=2))
                parts.append(draw(st.sampled_from([list, tuple]))(part))
            case "mask":  # of two True, to broadcast against the arrays
                mask = np.zeros(n, dtype=bool)
                mask[draw(st.permutations(range(n)))[:2]] = True
                parts.append(mask)
    while parts and isinstance(parts[-1], slice) and draw(st.booleans()):
        parts.pop()
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if len(parts) < len(shape) and draw(st.booleans()):
        parts.append(...)
    alone = len(parts) == 1 and not isinstance(parts[0], tuple) and draw(st.booleans())
    return parts[0] if alone else tuple(parts)


@case("getitem")
def _(draw):
    x = numbers(draw, draw(hnp.array_shapes(min_dims=0, max_dims=3, **SIDES)))
    index = draw(indices(x.shape))
    return Call([x], lambda x: x[index], lambda z: np.asarray(z)[index], f"x[{index!r}]")


# -- losses ----------------------------------------------------------------------------------------


def reduced(draw: Draw, n: int) -> tuple[str, Callable[[Array], Any]]:
    """A reduction by name, and what it means. (An empty mean is an error.)"""
    means = {"sum": np.sum, "none": lambda losses: losses}
    if n:
        means["mean"] = np.mean
    name = draw(st.sampled_from(sorted(means)))
    return name, means[name]


@case("mse")
def _(draw):
    shape = draw(SHAPES)
    reduction, means = reduced(draw, math.prod(shape))
    return Call(
        [numbers(draw, shape), numbers(draw, shape)],
        partial(F.mse, reduction=reduction),
        lambda y, t: means((y - t) ** 2),
        f"mse {reduction}",
    )


@case("binary_cross_entropy_with_logits")
def _(draw):
    shape = draw(SHAPES)
    reduction, means = reduced(draw, math.prod(shape))

    def plain(z, y):
        p = sigmoid(z)
        return means(-y * np.log(p) - (1 - y) * np.log(1 - p))

    return Call(
        [numbers(draw, shape, -4, 4), numbers(draw, shape, 0, 1)],
        partial(F.binary_cross_entropy_with_logits, reduction=reduction),
        plain,
        f"binary_cross_entropy_with_logits {reduction}",
    )


def classes(draw: Draw, shape: tuple[int, ...]) -> Array:
    """A class for each sample: logits of this shape have their classes last."""
    dtype = draw(st.sampled_from([np.int64, np.uint8, np.int32]))
    return draw(hnp.arrays(dtype, shape[:-1], elements=st.integers(0, shape[-1] - 1)))


LOGITS = st.tuples(
    hnp.array_shapes(min_dims=0, max_dims=2, **SIDES), st.integers(1, 4).map(lambda k: (k,))
).map(lambda parts: parts[0] + parts[1])


@case("cross_entropy")
def _(draw):
    shape = draw(LOGITS)
    target = classes(draw, shape)
    reduction, means = reduced(draw, target.size)

    def plain(z):
        p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
        return means(-np.log((p * np.eye(shape[-1])[target]).sum(axis=-1)))

    return Call(
        [numbers(draw, shape, -4, 4)],
        lambda z: F.cross_entropy(z, target, reduction=reduction),
        plain,
        f"cross_entropy {reduction} of classes {target}",
    )


@case("cross_entropy, probabilities")
def _(draw):
    shape = draw(LOGITS)
    reduction, means = reduced(draw, math.prod(shape[:-1]))
    target = numbers(draw, shape, 0.1, 1)

    def plain(z, t):
        p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
        return means(-(t * np.log(p)).sum(axis=-1))

    return Call(
        [numbers(draw, shape, -4, 4), target / target.sum(axis=-1, keepdims=True)],
        partial(F.cross_entropy, reduction=reduction),
        plain,
        f"cross_entropy {reduction}",
    )


@case("nll")
def _(draw):
    shape = draw(LOGITS)
    target = classes(draw, shape)
    reduction, means = reduced(draw, target.size)
    return Call(
        [numbers(draw, shape)],
        lambda lp: F.nll(lp, target, reduction=reduction),
        lambda lp: means(-(lp * np.eye(shape[-1])[target]).sum(axis=-1)),
        f"nll {reduction} of classes {target}",
    )


@case("dropout")
def _(draw):
    x = numbers(draw, draw(SHAPES))
    p, seed = draw(st.sampled_from([0.0, 0.25, 0.9])), draw(SEEDS)
    mask = np.random.default_rng(seed).random(x.shape, dtype=np.float32) >= p
    return Call(
        [x],
        lambda x: F.dropout(x, p, np.random.default_rng(seed)),
        lambda z: z * mask / (1 - p),
        f"dropout {p=}",
    )
