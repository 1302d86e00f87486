"""The exercises of lesson 03: the nine questions of the homeworks' first part, and three more."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minimlcourse.functional as F
from minimlcourse.classroom.checks.exercise import Case, Exercise, Function, Mistake, Task, Wrong
from minimlcourse.classroom.checks.formula import Formula, derivative

Array = NDArray[np.float64]

# -- 03.1 to 03.5: formulas ------------------------------------------------------------------------

SIGMOID_BY_TANH = Formula(
    identifier="03.1",
    title="A sigmoid is a hyperbolic tangent",
    points=1,
    variables={"x": (0.0, 1.0, -2.0, 30.0, -30.0)},
    expected="sigmoid(x)",
    functions=("tanh",),
    known=(
        Mistake(
            "argument not halved",
            "The range is right, from 0 to 1, but your curve is too steep: compare the slopes at "
            "0.",
            "(tanh(x) + 1) / 2",
        ),
        Mistake(
            "argument doubled",
            "The range is right, from 0 to 1, but your curve is too steep: which of the two curves "
            "has to be stretched?",
            "(tanh(2 * x) + 1) / 2",
        ),
        Mistake(
            "range from -1 to 1",
            "Your curve goes from -1 to 1, the sigmoid from 0 to 1.",
            "tanh(x / 2)",
        ),
        Mistake(
            "range from 0 to 2",
            "Your curve goes from 0 to 2, the sigmoid from 0 to 1.",
            "tanh(x / 2) + 1",
        ),
        Mistake(
            "falls instead of rising",
            "Your curve falls: it is the sigmoid of -x.",
            "(1 - tanh(x / 2)) / 2",
        ),
    ),
    verified="is the sigmoid, to twenty-five digits at thirteen places",
)

LOG_SIGMOID = Formula(
    identifier="03.2",
    title="The logarithm of a sigmoid",
    points=1,
    variables={"x": (0.0, 1.0, -3.0, 40.0, -40.0)},
    expected="log(sigmoid(x))",
    functions=("softplus",),
    known=(
        Mistake(
            "sign of the argument",
            "The sign in front is right. A logarithm of a probability tends to 0 where the "
            "probability tends to 1: on which side does yours?",
            "-softplus(x)",
        ),
        Mistake(
            "sign in front",
            "A probability is less than 1, so that its logarithm is negative; yours is positive.",
            "softplus(-x)",
        ),
    ),
    verified="is log σ(x), to twenty-five digits at thirteen places",
)


def _at_height(function: str, inverse: Callable[[Decimal], Decimal]) -> Callable[..., Decimal]:
    """The slope of a function where it has a given value, from its inverse."""
    slope = derivative(function, "x")

    def at(values: Mapping[str, Decimal]) -> Decimal:
        with localcontext() as context:
            context.prec = 60
            (height,) = values.values()
            return slope({"x": inverse(height)})

    return at


SIGMOID_SLOPE = Formula(
    identifier="03.3",
    title="The slope of the sigmoid, from its value",
    points=1,
    variables={"s": (0.01, 0.25, 0.5, 0.75, 0.99)},
    expected=_at_height("sigmoid(x)", lambda s: (s / (1 - s)).ln()),
    functions=(),
    known=(
        Mistake(
            "the inner minus lost",
            "Your slope is negative, the sigmoid rises: the derivative of exp(-x) has a minus, and "
            "that of 1/u another.",
            "-s * (1 - s)",
        ),
        Mistake(
            "slope of the tangent",
            "Your slope is largest where s is 0; but there, far to the left, the sigmoid is flat.",
            "1 - s**2",
        ),
    ),
    verified="is the slope where the sigmoid has the value s, at thirteen values",
)

TANH_SLOPE = Formula(
    identifier="03.4",
    title="The slope of tanh, from its value",
    points=1,
    variables={"t": (-0.9, -0.5, 0.0, 0.25, 0.95)},
    expected=_at_height("tanh(x)", lambda t: ((1 + t) / (1 - t)).ln() / 2),
    functions=(),
    known=(
        Mistake(
            "slope of the sigmoid",
            "Your slope is 0 at the origin; but there tanh is steepest.",
            "t * (1 - t)",
        ),
        Mistake(
            "square lost",
            "Is tanh steeper at -2 than at 2? Your formula says so, but the curve is odd.",
            "1 - t",
        ),
    ),
    verified="is the slope where tanh has the value t, at thirteen values",
)

SIGN = Formula(
    identifier="03.5",
    title="The sign, from indicators",
    points=1,
    variables={"x": (-3.0, -0.01, 0.0, 0.01, 4.0)},
    expected="sign(x)",
    functions=(),
    special={0: "at x = 0"},
    known=(
        Mistake(
            "+1 at zero",
            "Right everywhere but at x = 0, where yours is +1: one of the two homeworks writes it "
            "so, just after saying that sign(0) = 0.",
            "2*(x > 0) + 2*(x == 0) - 1",
        ),
        Mistake(
            "-1 at zero",
            "Right everywhere but at x = 0, where yours is -1: one of the two homeworks writes it "
            "so, and later uses sign(0) = 0.",
            "(x > 0) - (x <= 0)",
        ),
        Mistake(
            "+1 on both sides",
            "Right for positive numbers and at 0. A negative number has the sign -1; yours is +1.",
            "(x > 0) + (x < 0)",
        ),
    ),
    verified="is the sign of thirteen numbers, 0 included",
)

# -- 03.6 and 03.7: kinks --------------------------------------------------------------------------


def _kink_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([-2.0, 0.5, 3.0]),))
    yield Case((rng.normal(size=(4, 3)),))
    yield Case((1000 * rng.normal(size=5),))
    yield Case((np.array([0.0, 1.0, -0.0]),), "at the kink, x = 0")
    yield Case((np.array([1e-300, -1e-300]),), "at x = ±1e-300")


def _outside(x: Array, f: Callable[[Array], Array]) -> Array:
    """The slope of a function made of two half-lines; at 0 the convention of the exercise."""
    step = np.where(x == 0, 0.0, np.abs(x) / 2)
    return np.divide(f(x + step) - f(x - step), 2 * step, out=np.zeros_like(x), where=step > 0)


ABS_SLOPE = Function(
    identifier="03.6",
    title="The slope of |x|",
    points=1,
    parameters=("x",),
    cases=_kink_cases,
    expected=lambda x: _outside(x, np.abs),
    known=(
        Mistake(
            "+1 at the kink",
            "Right everywhere but at 0. There +1 is one of the two slopes; the convention asked "
            "for lies between them.",
            lambda x: np.where(x >= 0, 1.0, -1.0),
        ),
        Mistake(
            "-1 at the kink",
            "Right everywhere but at 0. There -1 is one of the two slopes; the convention asked "
            "for lies between them.",
            lambda x: np.where(x > 0, 1.0, -1.0),
        ),
        Mistake(
            "divided by zero",
            "Right everywhere but at 0, where this is 0/0: not a number.",
            lambda x: x / np.abs(x),
        ),
        Mistake("the function", "This is |x|; its slope is asked for.", np.abs),
    ),
    verified="is the slope of |x| at 23 places, and 0 at 0",
)

RELU_SLOPE = Function(
    identifier="03.7",
    title="The slope of the rectifier",
    points=1,
    parameters=("x",),
    cases=_kink_cases,
    expected=lambda x: _outside(x, lambda x: np.maximum(x, 0)),
    known=(
        Mistake(
            "maximum for its indicator",
            "This is the rectifier itself, max(0, x). Its derivative is asked for: draw it.",
            lambda x: np.maximum(0, x),
        ),
        Mistake(
            "1 at the kink",
            "Right everywhere but at 0, where the convention of the course and of the homeworks is "
            "0: every number from 0 to 1 is a sub-gradient there.",
            lambda x: (x >= 0).astype(float),
        ),
        Mistake(
            "slope of |x|",
            "To the left of 0 the rectifier is flat.",
            np.sign,
        ),
    ),
    verified="is the slope of the rectifier at 23 places, and 0 at 0",
)

# -- 03.8 and 03.9: norms --------------------------------------------------------------------------


def _vector_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([3.0, 1.0, -5.0]),))
    for d in (1, 4, 6):
        yield Case((rng.normal(size=d),))
    yield Case((np.array([0.0, -2.0, 0.0]),), "where an entry is 0")
    yield Case((np.zeros(2),), "at the origin")
    yield Case((np.array([1e-300, -1e-300]),), "where the entries are ±1e-300")


def _central(f: Callable[[Array], Any], x: Array) -> Array:
    """The gradient of a function that is at most quadratic away from its kinks: exact."""
    steps = np.diag(np.where(x == 0, 1.0, np.abs(x) / 2))
    return np.array([(f(x + step) - f(x - step)) / (2 * step.sum()) for step in steps])


SQUARED_NORM = Function(
    identifier="03.8",
    title="The gradient of a squared norm",
    points=1,
    parameters=("x",),
    cases=_vector_cases,
    expected=lambda x: _central(lambda x: np.sum(x**2), x),
    known=(
        Mistake(
            "gradient of the norm itself",
            "This is the gradient of the norm, not of its square; and it has no value at the "
            "origin.",
            lambda x: x / np.linalg.norm(x),
        ),
        Mistake(
            "the function",
            "This is the squared norm; its gradient has d entries.",
            lambda x: float(x @ x),
        ),
        Mistake(
            "mean for sum",
            "You divide by d: this is the gradient of the mean of the squares, the norm is a sum.",
            lambda x: 2 * x / len(x),
        ),
    ),
    verified="agrees with difference quotients at seven vectors",
)

ONE_NORM = Function(
    identifier="03.9",
    title="The gradient of the 1-norm",
    points=1,
    parameters=("x",),
    cases=_vector_cases,
    expected=lambda x: _central(lambda x: np.sum(np.abs(x)), x),
    known=(
        Mistake(
            "absolute values",
            "These are the terms of the norm; the slope of each is asked for.",
            np.abs,
        ),
        Mistake(
            "ones",
            "A negative entry makes the norm smaller when it grows: the sign has been lost, as in "
            "one of the two homeworks' last question.",
            np.ones_like,
        ),
        Mistake(
            "mean for sum",
            "You divide by d: this is the slope of the mean of the |x_i|, the norm is their sum.",
            lambda x: np.sign(x) / len(x),
        ),
        Mistake(
            "divided by zero",
            "Right where no entry is 0; there it is 0/0. The convention is 0.",
            lambda x: x / np.abs(x),
        ),
    ),
    verified="agrees with difference quotients at seven vectors, with the slope 0 at a kink",
)

# -- 03.10 to 03.12: what a computer, a kink and a matrix make of them -----------------------------


def _stable_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([-1.0, 0.0, 2.0]),))
    yield Case((rng.normal(size=(3, 2)),))
    yield Case((rng.uniform(-30, 30, 6),))
    yield Case((np.array([-1000.0, -745.2]),), "far to the left")
    yield Case((np.array([710.0, 1e8]),), "far to the right")


_FROM_FAR_TO_FAR = Function(
    identifier="03.10",
    title="The logarithm of a sigmoid, computed",
    points=2,
    parameters=("x",),
    cases=_stable_cases,
    expected=lambda x: np.asarray(-F.softplus(-x)),
    known=(
        Mistake(
            "overflow to the left",
            "Right in algebra, but far to the left `exp(-x)` overflows, and the result is lost. It "
            "is close to x there: keep the argument of `exp` negative.",
            lambda x: np.log(1 / (1 + np.exp(-x))),
        ),
        Mistake(
            "overflow to the right",
            "Right to the left. To the right `exp(x)` overflows: you need one form for either "
            "side, or one that serves both.",
            lambda x: x - np.log(1 + np.exp(x)),
        ),
    ),
    verified="is log σ(x) from -1000 to 100 million",
)


def _examine_log_sigmoid(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    _FROM_FAR_TO_FAR.examine(answer, rng)
    for x in (20.0, 37.0, 300.0):
        value = float(np.ravel(answer(np.array([x])))[0])
        if not np.isclose(value, float(-F.softplus(np.array(-x))), rtol=1e-6, atol=0):
            raise Wrong(
                f"Nothing overflows, but at x = {x:g} digits are lost: yours is {value:.6g} there. "
                "To the right the result is tiny, and not 0: what does `1 + t` keep of a tiny t?",
                "digits lost",
            )


STABLE_LOG_SIGMOID = Task(
    identifier="03.10",
    title=_FROM_FAR_TO_FAR.title,
    points=_FROM_FAR_TO_FAR.points,
    examination=_examine_log_sigmoid,
    named=(*_FROM_FAR_TO_FAR.mistakes, "digits lost"),
    verified="is log σ(x) from -1000 to 100 million, with its digits where it is tiny",
)


def _slope_cases(rng: np.random.Generator) -> Iterator[Case]:
    slopes = np.array([-1.5, -1.0, 0.0, 0.25, 1.0, 1.2])
    yield Case((np.array([2.0, 2.0, -3.0]), np.array([1.0, 0.5, 1.0])))
    yield Case((np.array([-2.0] * 6), slopes))
    yield Case((np.ones(6), slopes))
    yield Case((np.zeros(6), slopes), "at the kink")
    yield Case((rng.normal(size=6), rng.choice([-1.0, 1.0], 6)))
    yield Case((np.zeros(4), np.array([-1.0, 1.0, -0.5, 1.5])), "at the kink")


def _never_above(x: Array, g: Array) -> NDArray[np.bool_]:
    """Whether the line through (x, |x|) with slope g stays on or below |y| on a wide grid."""
    y = np.linspace(-50, 50, 1001)[:, None]
    return np.asarray((np.abs(x) + g * (y - x) <= np.abs(y) + 1e-9).all(axis=0))


SUBGRADIENT = Function(
    identifier="03.11",
    title="Which slopes are sub-gradients?",
    points=2,
    parameters=("x", "g"),
    cases=_slope_cases,
    expected=_never_above,
    known=(
        Mistake(
            "the convention alone",
            "0 is the sub-gradient that we choose at the kink, not the only one: which lines "
            "through the origin stay below |y|?",
            lambda x, g: g == np.sign(x),
        ),
        Mistake(
            "the interval everywhere",
            "From -1 to 1: that is right at the kink. Elsewhere the graph is straight around x, "
            "and only one line through the point stays below.",
            lambda x, g: np.abs(g) <= 1,
        ),
        Mistake(
            "open interval",
            "Right everywhere but at the ends: does the line with slope 1 through the origin rise "
            "above |y| anywhere?",
            lambda x, g: np.where(x == 0, np.abs(g) < 1, g == np.sign(x)),
        ),
    ),
    verified="agrees with lines laid against the graph of |y|, in 31 places",
)


def _matrix_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([[1.0, -2.0], [3.0, -4.0]]),))
    for shape in ((2, 3), (4, 2), (1, 5)):
        yield Case((rng.normal(size=shape),))


PENALTIES = Function(
    identifier="03.12",
    title="Two penalties of a matrix",
    points=1,
    parameters=("W",),
    cases=_matrix_cases,
    expected=lambda W: (
        sum(w * w for row in W.tolist() for w in row),
        sum(abs(w) for row in W.tolist() for w in row),
    ),
    known=(
        Mistake(
            "operator norms",
            "For a matrix, `np.linalg.norm(W, 2)` and `np.linalg.norm(W, 1)` are operator norms, "
            "the largest stretch and the largest column sum. A penalty adds up over all entries.",
            lambda W: (float(np.linalg.norm(W, 2)) ** 2, float(np.linalg.norm(W, 1))),
        ),
        Mistake(
            "operator norms, not squared",
            "For a matrix, `np.linalg.norm(W, 2)` and `np.linalg.norm(W, 1)` are operator norms, "
            "the largest stretch and the largest column sum. A penalty adds up over all entries.",
            lambda W: (float(np.linalg.norm(W, 2)), float(np.linalg.norm(W, 1))),
        ),
        Mistake(
            "largest stretch",
            "The second is right. For a matrix, `np.linalg.norm(W, 2)` is an operator norm, the "
            "largest stretch; the penalty adds up squares over all entries.",
            lambda W: (float(np.linalg.norm(W, 2)) ** 2, float(np.abs(W).sum())),
        ),
        Mistake(
            "largest column sum",
            "The first is right. For a matrix, `np.linalg.norm(W, 1)` is an operator norm, the "
            "largest column sum; the penalty adds up over all entries.",
            lambda W: (float((W**2).sum()), float(np.linalg.norm(W, 1))),
        ),
        Mistake(
            "norm without its square",
            "The second is right; the first is the Frobenius norm, its square is asked for.",
            lambda W: (float(np.sqrt((W**2).sum())), float(np.abs(W).sum())),
        ),
        Mistake(
            "signs not removed",
            "The first is right. In the second, entries of opposite sign cancel.",
            lambda W: (float((W**2).sum()), float(W.sum())),
        ),
    ),
    verified="adds up squares and absolute values over every entry of four matrices",
)

EXERCISES: tuple[Exercise, ...] = (
    SIGMOID_BY_TANH,
    LOG_SIGMOID,
    SIGMOID_SLOPE,
    TANH_SLOPE,
    SIGN,
    ABS_SLOPE,
    RELU_SLOPE,
    SQUARED_NORM,
    ONE_NORM,
    STABLE_LOG_SIGMOID,
    SUBGRADIENT,
    PENALTIES,
)
