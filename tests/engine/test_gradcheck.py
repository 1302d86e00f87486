"""gradcheck and gradgradcheck: deliberately wrong rules are refused by name; what is not seen."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor, no_grad
from minimlcourse.autodiff import GradientError, Primitive, gradcheck, gradgradcheck


@dataclass
class Mistake:
    """A primitive with a wrong rule, a point, and the first entry that is wrong there."""

    what: str
    primitive: Primitive
    point: tuple[Any, ...]
    argument: int
    index: str
    got: float
    expected: float


X, Y = np.array([0.5, 2.0]), np.array([4.0, -1.0])
M, N = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 9.0]])
P = np.exp(X) / np.exp(X).sum()


MISTAKES = [
    Mistake(
        "a sign",
        Primitive("cosine", np.cos, lambda g, out, x: g * ad.sin(x)),
        (X,),
        0,
        "0",
        math.sin(0.5),
        -math.sin(0.5),
    ),
    Mistake(
        "a factor",
        Primitive("square", np.square, lambda g, out, x: g * x),
        (X,),
        0,
        "0",
        0.5,
        1.0,
    ),
    Mistake(
        "the derivative without the incoming gradient",
        Primitive("exponential", np.exp, lambda g, out, x: out + 0 * g),
        (X,),
        0,
        "0",
        math.exp(0.5),
        0.0,  # of the other element
    ),
    Mistake(
        "a forgotten transpose",
        Primitive("product", np.matmul, lambda g, out, a, b: g @ b, lambda g, out, a, b: a.T @ g),
        (M, N),
        0,
        "(0, 0)",
        N[1, 0],
        N[0, 1],
    ),
    Mistake(
        "the transpose on the other side",
        Primitive("product", np.matmul, lambda g, out, a, b: g @ b.T, lambda g, out, a, b: g @ a.T),
        (M, N),
        1,
        "(0, 0)",
        M[0, 1],
        0.0,
    ),
    Mistake(
        "arguments that change places",
        Primitive(
            "quotient", np.divide, lambda g, out, a, b: g / b, lambda g, out, a, b: -g * b / (a * a)
        ),
        (X, Y),
        1,
        "0",
        -4.0 / 0.25,
        -0.5 / 16,
    ),
    Mistake(
        "the maximum instead of its indicator",
        Primitive(
            "rectifier", lambda x: np.maximum(x, 0), lambda g, out, x: g * ad.maximum(x, 0.0)
        ),
        (np.array([-1.0, 3.0]),),
        0,
        "1",
        3.0,
        1.0,
    ),
    Mistake(
        "a mean that is forgotten",
        Primitive("average", np.mean, lambda g, out, x: ad.broadcast_to(g, shape=x.shape)),
        (X,),
        0,
        "0",
        1.0,
        0.5,
    ),
    Mistake(
        "the terms off the diagonal",
        Primitive(
            "normalised exponential",
            lambda x: np.exp(x) / np.sum(np.exp(x)),
            lambda g, out, x: g * out * (1 - out),
        ),
        (X,),
        0,
        "0",
        0.0,
        -P[0] * P[1],
    ),
    Mistake(
        "one of two paths",
        Primitive("x log x", lambda x: x * np.log(x), lambda g, out, x: g * ad.log(x)),
        (X,),
        0,
        "0",
        math.log(0.5),
        math.log(0.5) + 1,
    ),
    Mistake(
        "an index that is off by one",
        Primitive(
            "first",
            lambda x: x[0],
            lambda g, out, x: ad.concatenate([0.0 * x[:1], g.reshape(1), 0.0 * x[2:]]),
        ),
        (X,),
        0,
        "0",
        0.0,
        1.0,
    ),
    Mistake(
        "a shift that is not differentiated",
        Primitive("centred", lambda x: x - x.mean(), lambda g, out, x: g * 1.0),
        (X,),
        0,
        "0",
        1.0,
        0.5,
    ),
]


def in_the_middle(primitive: Primitive) -> Callable[..., Any]:
    """Some right operations before and after the wrong one."""
    return lambda *xs: (primitive(*(x * 1.0 for x in xs)) + 0.0).reshape(-1)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.what)
def test_a_wrong_rule_is_named(mistake: Mistake) -> None:
    for f in (mistake.primitive, in_the_middle(mistake.primitive)):
        with pytest.raises(GradientError) as caught:
            gradcheck(f, mistake.point)
        found = re.search(
            rf"operation {mistake.primitive.name}: the derivative(?: of element .+ of the result)? "
            r"with respect to argument (\d) at index (.+) is (\S+), expected (\S+?)[\s.]*$",
            str(caught.value),
        )
        assert found, str(caught.value)
        argument, index, got, expected = found.groups()
        assert (int(argument), index) == (mistake.argument, mistake.index)
        assert float(got) == pytest.approx(mistake.got, rel=1e-8)
        assert float(expected) == pytest.approx(mistake.expected, rel=1e-6, abs=1e-8)


def test_the_message_in_full() -> None:
    """What a student reads: the function, then the operation at fault."""
    square = Primitive("square", np.square, lambda g, out, x: g * x)

    def energy(w: Any) -> Any:
        return square(w).sum() * 3

    with pytest.raises(
        GradientError, match=r"^gradcheck of energy: the derivative with respect to"
    ) as e:
        gradcheck(energy, np.array([1.0, 2.0]))
    assert "argument 0 at index 0 is 3, expected 6" in str(e.value)
    assert "operation square" in str(e.value)
    assert "index 0 is 1, expected 2" in str(e.value)


def test_a_constant_argument_keeps_its_number() -> None:
    """The second argument is called argument 1, also where the first is a constant."""
    wrong = Primitive("wrong", np.multiply, lambda g, out, a, b: g * b, lambda g, out, a, b: g)
    with pytest.raises(GradientError, match=r"operation wrong: .* argument 1 at index 0 is 1, exp"):
        gradcheck(lambda b: wrong(np.array([3.0]), b), np.array([2.0]))


def test_broadcasting_that_a_rule_gets_wrong() -> None:
    """Undoing it is the engine's; a rule that undoes it the wrong way does not fit the shape."""
    rows = Primitive(
        "row sums",
        lambda x: x.sum(axis=1),
        lambda g, out, x: g,  # should be repeated along the rows
    )
    with pytest.raises(
        (GradientError, ValueError), match="row sums: the rule of argument 0 returned"
    ):
        gradcheck(rows, np.ones((2, 3)))
    square = np.array([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(GradientError, match="operation columns"):  # the shapes fit by accident
        gradcheck(
            Primitive("columns", lambda x: x * x.sum(axis=0), lambda g, out, x: g * 3), square
        )


def test_every_wrong_argument_is_found() -> None:
    right = lambda g, out, a, b, c: g  # noqa: E731
    for k in range(3):
        rules = [right] * 3
        rules[k] = lambda g, out, a, b, c: 2.0 * g
        wrong = Primitive("sum of three", lambda a, b, c: a + b + c, *rules)
        with pytest.raises(GradientError, match=rf"argument {k} at index 0 is 2, expected 1"):
            gradcheck(wrong, (np.ones(1), np.ones(1), np.ones(1)))


# -- second order ----------------------------------------------------------------------------------

TWICE_WRONG = [
    Primitive("frozen sine", np.sin, lambda g, out, x: g * np.cos(value_of(x))),
    Primitive(
        "kept exponential",
        lambda x: (np.exp(x), np.exp(x)),
        lambda g, kept, x: g * kept,
        keep=lambda x: ad.exp(x) + x - value_of(x),
    ),
    Primitive("frozen gradient", np.sin, lambda g, out, x: value_of(g) * ad.cos(x)),
]


def value_of(x: Any) -> np.ndarray:
    return x.numpy() if isinstance(x, Tensor) else x


@pytest.mark.parametrize("wrong", TWICE_WRONG, ids=lambda p: p.name)
def test_wrong_only_in_second_order(wrong: Primitive) -> None:
    x = np.array([0.5, 1.0])

    def f(x: Any) -> Any:
        return (wrong(x * 1.0) * 2.0).sum()

    assert gradcheck(f, x)
    with pytest.raises(GradientError, match=rf"the gradient of f[\s\S]*{wrong.name}"):
        gradgradcheck(f, x)


def test_what_gradgradcheck_says() -> None:
    with pytest.raises(GradientError) as caught:
        gradgradcheck(TWICE_WRONG[0], np.array([0.5]), rng=np.random.default_rng(0))
    (u,) = np.random.default_rng(0).standard_normal(1)
    found = re.search(r"argument 0 at index 0 is (\S+), expected (\S+)", str(caught.value))
    assert found
    assert float(found[1]) == 0.0
    assert float(found[2]) == pytest.approx(-math.sin(0.5) * u, rel=1e-5)


# -- what is right passes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "point"),
    [
        (ad.matmul, (M, N)),
        (lambda x: x, X),
        (lambda x: x.sum(), X),
        (lambda x: 3.0 * x[0], X),
        (lambda x, y: x, (X, Y)),  # y has derivative 0
        (lambda x: F.softmax(x) @ x, X),
        (lambda x: x * 0.5, np.array(2.0)),
        (lambda x: x * 0.5, np.zeros((0, 2))),
        (lambda x: Tensor(np.ones(2), requires_grad=False), X),
        (F.mse, (M, N)),
        (lambda x: x**3, Tensor(X)),
        (lambda x: x**3, [0.5, 2.0]),
        (lambda x: x * 1e8, X),
        (lambda x: x * 1e-8, X),
    ],
)
def test_right_derivatives_pass(f: Any, point: Any) -> None:
    assert gradcheck(f, point) is True
    assert gradgradcheck(f, point) is True


def test_points_are_left_alone() -> None:
    x, t = X.copy(), Tensor(X)
    gradcheck(lambda x: x**2, x)
    gradgradcheck(lambda x: x**2, t)
    np.testing.assert_array_equal(x, X)
    assert t.grad is None


def test_under_no_grad() -> None:
    with no_grad():
        assert gradcheck(ad.exp, X)
        assert gradgradcheck(ad.exp, X)
        for mistake in MISTAKES[:2]:
            with pytest.raises(GradientError, match=f"operation {mistake.primitive.name}"):
                gradcheck(in_the_middle(mistake.primitive), mistake.point)


def test_tolerances_and_step() -> None:
    nearly = Primitive("nearly", np.sin, lambda g, out, x: g * ad.cos(x) * (1 + 1e-4))
    with pytest.raises(GradientError):
        gradcheck(nearly, X)
    assert gradcheck(nearly, X, rtol=1e-3)
    assert gradcheck(nearly, X, atol=1e-3)
    with pytest.raises(GradientError):  # a step that is too long errs by its square
        gradcheck(lambda x: x**3, X, eps=0.1)


# -- what it cannot see ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "kink"),
    [(F.relu, 0.0), (ad.abs, 0.0), (F.relu, 4e-7), (lambda x: ad.maximum(x, 1.0), 1.0)],
)
def test_at_a_kink_there_is_nothing_to_compare_with(f: Any, kink: float) -> None:
    """The central difference is half of each side: gradcheck says that this is no verdict."""
    try:
        gradcheck(f, np.array([kink, 3.0]))
    except GradientError as error:
        assert "kink" in str(error)
        assert "fault" not in str(error)
    else:  # the convention happens to be the mean of both sides
        assert f is not F.relu


@pytest.mark.parametrize("scale", [1e6, -1e6])
def test_a_steep_curve_is_no_kink(scale: float) -> None:
    """The slopes on the left and on the right differ by 2, and by little beside their size."""
    steep = Primitive("steep", lambda x: scale * x * x, lambda g, out, x: g * scale * x)
    with pytest.raises(GradientError, match="operation steep"):
        gradcheck(steep, np.array([1.0]))


def test_a_kink_elsewhere_is_not_seen() -> None:
    assert gradcheck(F.relu, np.array([-1.0, 1.0]))


def test_points_that_are_not_visited() -> None:
    """Wrong for x < 0 only: no positive point tells."""
    leaky = Primitive("leaky", lambda x: np.where(x > 0, x, 0.1 * x), lambda g, out, x: g)
    assert gradcheck(leaky, np.array([0.5, 2.0]))
    with pytest.raises(GradientError, match=r"operation leaky: .* is 1, expected 0.1"):
        gradcheck(leaky, np.array([0.5, -2.0]))


def test_a_flat_step_is_right_almost_everywhere() -> None:
    """A rounding has derivative 0 wherever one looks, and no use for learning."""
    rounding = Primitive("rounding", np.round, lambda g, out, x: 0.0 * g)
    assert gradcheck(rounding, np.array([0.2, 1.7]))


def test_a_value_that_leaves_the_graph() -> None:
    """No operation is wrong: a part of f is not in the graph."""
    with pytest.raises(GradientError, match="outside the graph"):
        gradcheck(lambda x: x * x.numpy(), X)


def test_float32_is_refused() -> None:
    with pytest.raises(TypeError, match=r"gradcheck: input 0 has dtype float32, expected float64"):
        gradcheck(ad.exp, X.astype(np.float32))
    error = abs(
        (np.exp(np.float32(2.001)) - np.exp(np.float32(1.999))) / np.float32(0.002) - math.exp(2)
    )
    assert error > 1e-5 * math.exp(2)  # what central differences of float32 would be worth


def test_names_that_functions_go_by() -> None:
    wrong = Primitive("wrong", np.sin, lambda g, out, x: g)
    with pytest.raises(GradientError, match="gradcheck of wrong:"):
        gradcheck(wrong, X)
    with pytest.raises(GradientError, match="gradcheck of <lambda>:"):
        gradcheck(lambda x: wrong(x), X)
