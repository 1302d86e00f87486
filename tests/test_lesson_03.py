"""Lesson 03: its formulas hold where they are said to hold, and its widget on all its settings."""

import math
from decimal import Decimal, localcontext
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("ipywidgets")

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse.autodiff import GradientError, grad, gradcheck
from minimlcourse.classroom.basic_functions import (
    FUNCTIONS,
    KINKS,
    SupportLine,
    draw_slopes,
    draw_support_line,
    stays_below,
    verdict,
)

LESSON = Path(__file__).parents[1] / "notebooks" / "03_derivatives.ipynb"

ordinary = st.floats(-30, 30)
exp = np.exp


def defined_in(*cells):
    """What cells of the lesson define, by the identifiers of the cells."""
    names = {"np": np, "ad": ad, "F": F, "grad": grad, "print": lambda *_, **__: None}
    names |= {"Decimal": Decimal, "localcontext": localcontext}
    sources = {cell.id: cell.source for cell in nbformat.read(LESSON, as_version=4).cells}
    for cell in cells:
        exec(sources[cell], names)
    return names


@pytest.fixture(scope="module")
def lesson():
    return defined_in("slope", "stable", "cases", "truth", "signs", "engine-at-zero")


def slope(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


def exact(formula, x, digits=60):
    """A formula of exp and ln in many digits, as a Decimal."""
    with localcontext() as context:
        context.prec = digits
        return formula(Decimal(float(x)))


def exact_sigmoid(x):
    return 1 / (1 + (-x).exp())


# ---- the tool


def test_the_central_difference_gains_two_digits_for_one(lesson):
    for f, derivative in (
        (np.sin, np.cos),
        (np.exp, np.exp),
        (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    ):
        errors = [abs(lesson["slope"](f, 0.7, h) - derivative(0.7)) for h in (1e-1, 1e-2, 1e-3)]
        assert errors[0] / errors[1] == pytest.approx(100, rel=0.05)
        assert errors[1] / errors[2] == pytest.approx(100, rel=0.05)


def test_the_gain_needs_a_third_derivative():
    """At 0, x |x|^(1/2) has the slope 0 and no second derivative: the error is h^(1/2)."""
    errors = [abs(slope(lambda x: x * abs(x) ** 0.5, 0.0, h)) for h in (1e-2, 1e-4)]
    assert errors[0] / errors[1] == pytest.approx(10)


@pytest.mark.parametrize(
    ("f", "first", "third", "x"),
    [
        (math.sin, math.cos, lambda x: -math.cos(x), 1.0),
        (math.exp, math.exp, math.exp, 1.0),
        (math.log, lambda x: 1 / x, lambda x: 2 / x**3, 3.0),
    ],
)
def test_the_best_step(f, first, third, x):
    """At h* the error is below that of steps a hundred times larger or smaller, and near 3Ah*²."""
    A, B = abs(third(x)) / 6, np.finfo(float).eps * abs(f(x))
    best = (B / (2 * A)) ** (1 / 3)
    grid = np.logspace(-12, 0, 4001)
    assert grid[np.argmin(A * grid**2 + B / grid)] == pytest.approx(best, rel=0.01)

    def worst_near(h):
        return max(abs(slope(f, x, h * s) - first(x)) for s in np.linspace(0.7, 1.4, 15))

    assert worst_near(best) < 3 * 3 * A * best**2
    assert worst_near(best) < min(worst_near(100 * best), worst_near(best / 100)) / 5


# ---- sigmoid, tanh, softplus


@pytest.mark.claim("C280", "C307")
@given(ordinary)
def test_a_sigmoid_is_a_tanh(x):
    def from_tanh(x):
        u, v = (x / 2).exp(), (-x / 2).exp()
        return ((u - v) / (u + v) + 1) / 2

    assert abs(exact(from_tanh, x) - exact(exact_sigmoid, x)) < Decimal("1e-55")
    assert F.sigmoid(x) == pytest.approx((math.tanh(x / 2) + 1) / 2, abs=1e-15)
    if abs(x) > 1e-3:  # with the argument not halved it fails, but at 0
        assert abs((math.tanh(x) + 1) / 2 - F.sigmoid(x)) > 1e-14


@pytest.mark.claim("C281", "C308")
@given(ordinary)
def test_the_logarithm_of_a_sigmoid(x):
    def log_sigmoid(x):
        return exact_sigmoid(x).ln()

    assert float(exact(log_sigmoid, x)) == pytest.approx(-F.softplus(-x), rel=1e-14)
    if abs(x) > 1e-3:  # the inner minus matters, but at 0
        assert abs(float(exact(log_sigmoid, x)) + F.softplus(x)) > 1e-4


@pytest.mark.claim("C281")
def test_the_right_hand_side_is_the_one_to_compute():
    with np.errstate(all="ignore"):
        assert np.log(1 / (1 + np.exp(1000.0))) == -np.inf
    assert -F.softplus(1000.0) == -1000.0


@pytest.mark.claim("C282", "C309")
def test_the_slope_of_the_sigmoid():
    x = np.linspace(-8, 8, 41)
    s, v = F.sigmoid(x), 1 + exp(-x)
    np.testing.assert_allclose(s * (1 - s), slope(F.sigmoid, x), atol=1e-10)
    np.testing.assert_allclose((0 * v - 1 * -exp(-x)) / v**2, s * (1 - s), rtol=1e-12)
    np.testing.assert_allclose((-1) * v**-2 * -exp(-x), s * (1 - s), rtol=1e-12)
    assert (s * (1 - s)).max() == 0.25
    # It is a property of this curve: σ(2x) does not have it.
    doubled = F.sigmoid(2 * x)
    assert not np.allclose(slope(lambda x: F.sigmoid(2 * x), x), doubled * (1 - doubled), atol=1e-3)


@pytest.mark.claim("E159", "E173")
def test_the_printed_slopes_of_the_sigmoid():
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    truth = slope(F.sigmoid, x)
    as_printed = exp(-x) / (1 + exp(x)) ** 2
    assert (np.abs(as_printed - truth) < 1e-9).tolist() == [False, False, True, False, False]
    assert as_printed[3] == pytest.approx(0.0266, abs=5e-5)
    np.testing.assert_allclose(exp(-x) / (1 + exp(-x)) ** 2, truth, rtol=1e-8)
    np.testing.assert_allclose(-exp(-x) * (1 + exp(-x)) ** -2, -truth, rtol=1e-8)


@pytest.mark.claim("C283", "C310", "E160")
def test_the_slope_of_tanh():
    x = np.linspace(-4, 4, 40)  # 0 is not among them
    u, v = exp(x) - exp(-x), exp(x) + exp(-x)
    truth = slope(np.tanh, x)
    quotient = (v * v - u * u) / v**2
    np.testing.assert_allclose(quotient, truth, atol=1e-9)
    np.testing.assert_allclose(1 - np.tanh(x) ** 2, truth, atol=1e-9)
    s = F.sigmoid(2 * x)
    np.testing.assert_allclose(4 * s * (1 - s), truth, atol=1e-9)
    first, second = v * v**-1.0, u * slope(lambda t: 1 / (exp(t) + exp(-t)), x)
    np.testing.assert_allclose(first, 1, rtol=1e-15)
    np.testing.assert_allclose(first + second, truth, atol=1e-9)
    # As printed, without the prime, and for another quotient of exponentials, it is false.
    assert quotient[-1] < 0.01 < np.tanh(x)[-1]
    other = (2 * exp(x) - exp(-x)) / v
    assert not np.allclose(
        1 - other**2, slope(lambda t: (2 * exp(t) - exp(-t)) / (exp(t) + exp(-t)), x)
    )


@pytest.mark.claim("C273")
@pytest.mark.parametrize(("w", "b"), [(0.5, 2.0), (1.0, -3.0), (4.0, 2.0), (-4.0, 2.0)])
def test_where_and_how_steep_a_neuron_is(w, b):
    def neuron(x):
        return F.sigmoid(w * x + b)

    middle = -b / w
    assert neuron(middle) == 0.5
    assert slope(neuron, middle) == pytest.approx(w / 4, rel=1e-8)
    x = middle + np.linspace(-3, 3, 60)
    assert (np.abs(slope(neuron, x)) < abs(w) / 4).all()
    moved = (-b / (2 * w), -b / (w / 2))  # the step moves with w, as b is not 0
    assert [F.sigmoid(2 * w * moved[0] + b), F.sigmoid(w / 2 * moved[1] + b)] == [0.5, 0.5]
    assert abs(F.sigmoid(2 * w * middle + b) - 0.5) > 0.1
    left, right = (F.relu(w * (middle + d) + b) for d in (-1.0, 1.0))
    assert sorted((left, right)) == [0.0, abs(w)]


@given(ordinary)
def test_softplus_is_a_rounded_rectifier(x):
    gap = F.softplus(x) - max(x, 0.0)
    assert 0 <= gap <= math.log(2) + 1e-15
    assert F.softplus(x) - F.softplus(-x) == pytest.approx(x, abs=1e-14)
    assert slope(F.softplus, x) == pytest.approx(F.sigmoid(x), abs=1e-8)


# ---- on a computer


STABLE = {
    "stable_sigmoid": exact_sigmoid,
    "stable_softplus": lambda x: (1 + x.exp()).ln(),
    "stable_log_sigmoid": lambda x: exact_sigmoid(x).ln(),
    "stable_tanh": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
}


@pytest.mark.parametrize("name", STABLE)
def test_the_stable_formulas_keep_their_digits(lesson, name):
    sizes = [1e-300, 1e-12, 1e-5, 0.1, 1.0, 5.0, 18.0, 36.0, 40.0, 300.0, 700.0]
    for x in [*sizes, *(-size for size in sizes)]:
        truth = exact(STABLE[name], x, digits=700)
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            value = float(lesson[name](np.float64(x)))
        assert abs(Decimal(value) / truth - 1) < Decimal("1e-14"), (name, x)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert np.isfinite(lesson[name](np.array([-1e300, -1000.0, 0.0, 1000.0, 1e300]))).all()


def test_the_formulas_as_written_lose_theirs(lesson):
    with np.errstate(all="ignore"):
        values = {
            name: float(written(np.float64(x), np.exp, np.log))
            for name, (x, written, _) in lesson["cases"].items()
        }
    assert values["σ(−1000)"] == 0  # right by luck
    assert values["ln σ(−1000)"] == -np.inf
    assert values["softplus(1000)"] == np.inf
    assert np.isnan(values["tanh(1000)"])
    assert values["softplus(−40)"] == values["1 − σ(40)"] == 0
    for name, (x, written, computed) in lesson["cases"].items():
        truth = float(lesson["truth"](written, x))
        assert float(computed(x)) == pytest.approx(truth, rel=1e-14), name


def test_the_rule_of_the_sigmoid_cancels_in_one_tail():
    """What the lesson shows of the package: as long as it is so, the page says so."""
    assert grad(F.sigmoid)(-40.0) == pytest.approx(math.exp(-40), rel=1e-12)
    assert grad(F.sigmoid)(40.0) == 0.0
    with np.errstate(all="ignore"):
        assert np.isnan(grad(lambda x: ad.log(1 / (1 + ad.exp(-x))))(-1000.0))
    assert grad(lambda x: -F.softplus(-x))(-1000.0) == 1.0


# ---- sign, absolute value, rectifier


@pytest.mark.claim("C284", "C311", "E161")
def test_the_sign_in_indicators(lesson):
    forms = {name: values.tolist() for name, values in lesson["forms"].items()}
    assert forms["what holds"] == forms["A, by cases"] == forms["np.sign"] == [-1, 0, 1]
    assert forms["A, indicators"] == [-1, 1, 1]
    assert forms["B, indicators"] == [-1, -1, 1]
    x = np.array([-3.0, -1e-300, -0.0, 0.0, 1e-300, 5.0])
    difference = 1.0 * (x > 0) - 1.0 * (x < 0)
    np.testing.assert_array_equal(difference, np.sign(x))
    away = x != 0
    for wrong in (2.0 * (x > 0) + 2.0 * (x == 0) - 1, 1.0 * (x > 0) - 1.0 * (x <= 0)):
        np.testing.assert_array_equal(wrong[away], np.sign(x)[away])
        assert (wrong[~away] != 0).all()


@pytest.mark.claim("E161")
def test_a_weight_stays_at_zero_only_if_the_sign_of_zero_is_zero():
    descend, start = defined_in("descent")["descend"], np.array([2.0, 0.5])
    assert descend(np.sign, start).tolist() == descend(np.sign, start, 10).tolist() == [0, 0]
    for at_zero in (1.0, -1.0):

        def direction(x, at_zero=at_zero):
            return np.where(x == 0, at_zero, np.sign(x))

        ends = [descend(direction, start, steps)[1] for steps in (2, 3, 4)]
        assert ends == [0, -0.25 * at_zero, 0]
    assert (descend(lambda x: 2 * x, start, 100) > 0).all()


@pytest.mark.claim("C285", "C286", "C312", "E162")
@pytest.mark.parametrize(
    ("f", "derivative", "sides"),
    [(np.abs, np.sign, [-1, 1]), (F.relu, lambda x: 1.0 * (x > 0), [0, 1])],
)
def test_slopes_away_from_the_kink_and_none_at_it(f, derivative, sides):
    x = np.array([-5.0, -1e-3, 1e-3, 5.0])
    np.testing.assert_allclose(slope(f, x), derivative(x), atol=1e-9)
    for h in (1e-2, 1e-6, 1e-12):
        assert [(f(0.0) - f(-h)) / h, (f(h) - f(0.0)) / h] == sides  # for every h: no limit
    low, high = sides
    y = np.linspace(-2, 2, 401)
    for g in np.arange(-12, 13) / 8:
        assert (f(y) >= g * y).all() == (low <= g <= high)
    assert low <= float(derivative(0.0)) <= high  # the convention is one of them


@pytest.mark.claim("C312")
def test_the_absolute_value_has_a_derivative_in_the_sense_of_distributions():
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x, weights = np.concatenate([nodes - 1, nodes + 1]), np.tile(weights, 2)

    def both_sides(phi, phi_slope, value_at_zero=0.0):
        sign = np.where(x == 0, value_at_zero, np.sign(x))
        return -(np.abs(x) * phi_slope(x)) @ weights, (sign * phi(x)) @ weights

    for k in range(5):

        def phi(t, k=k):
            return (4 - t**2) ** 2 * t**k

        def phi_slope(t, k=k):
            return -4 * t * (4 - t**2) * t**k + (4 - t**2) ** 2 * k * t ** max(k - 1, 0)

        for value_at_zero in (-1.0, 0.0, 1.0):
            left, right = both_sides(phi, phi_slope, value_at_zero)
            assert left == pytest.approx(right, abs=1e-10)
    # Without "vanishes at the ends", what is missing is |x| φ there: 8 for φ(x) = x on [-2, 2].
    left, right = both_sides(lambda t: t, np.ones_like)
    assert right - left == pytest.approx(8)


@pytest.mark.claim("C313")
def test_the_convention_and_other_ways_of_writing(lesson):
    at_zero = {}
    with np.errstate(all="ignore"):
        for name, f in lesson["written"].items():
            at_zero[name] = float(grad(f)(0.0))
            kind = np.abs if name.startswith("|x|") else F.relu
            for x in (-1.0, 1.0):
                assert grad(f)(x) == pytest.approx(slope(kind, x))
    assert at_zero["rect: relu(x)"] == at_zero["|x|:  abs(x)"] == 0
    rectifiers = {value for name, value in at_zero.items() if name.startswith("rect")}
    assert rectifiers == {0.0, 0.5, 1.0}  # three answers, all of them sub-gradients
    assert np.isnan(at_zero["|x|:  sqrt(x²)"])


def test_a_central_difference_does_not_see_the_kink_of_abs():
    assert slope(np.abs, 0.0) == 0
    assert slope(F.relu, 0.0) == pytest.approx(0.5)
    assert gradcheck(ad.abs, np.array(0.0))
    with pytest.raises(GradientError, match="kink"):
        gradcheck(F.relu, np.array(0.0))


# ---- norms


def directional(f, x, u, h=1e-6):
    return (f(x + h * u) - f(x - h * u)) / (2 * h)


@pytest.mark.claim("C287", "C314")
@pytest.mark.parametrize("n", [1, 3, 10])
def test_the_gradient_of_the_squared_norm(n):
    rng = np.random.default_rng(n)
    x, h = rng.normal(size=n), rng.normal(size=n)

    def squared(x):
        return x @ x

    assert squared(x + h) == pytest.approx(squared(x) + 2 * x @ h + squared(h))  # the expansion
    for u in np.eye(n):
        assert directional(squared, x, u) == pytest.approx(2 * x @ u, abs=1e-8)
    np.testing.assert_array_equal(grad(lambda x: (x * x).sum())(x), 2 * x)
    # Without the square: another gradient, and none at 0.
    for u in np.eye(n):
        assert directional(np.linalg.norm, x, u) == pytest.approx(
            x @ u / np.linalg.norm(x), abs=1e-8
        )
    assert not np.allclose(x / np.linalg.norm(x), 2 * x)
    u = np.eye(n)[0]
    assert [np.linalg.norm(t * u) / t for t in (-1e-9, 1e-9)] == [-1, 1]


@pytest.mark.claim("C288", "C315")
@pytest.mark.parametrize("n", [1, 3, 10])
def test_the_gradient_of_the_l1_norm(n):
    rng = np.random.default_rng(n)
    x = rng.choice([-1, 1], n) * rng.uniform(0.1, 3, n)

    def absolute(x):
        return np.abs(x).sum()

    for u in np.eye(n):
        assert directional(absolute, x, u) == pytest.approx(np.sign(x) @ u, abs=1e-8)
    # Where a component is 0 there is no gradient; what may stand there is [-1, 1].
    x[0] = 0.0
    first = np.eye(n)[0]
    sides = [(absolute(x + t * first) - absolute(x)) / t for t in (-1e-3, 1e-3)]
    assert sides == pytest.approx([-1, 1])
    for g in (-1.5, -1.0, 0.0, 0.3, 1.0, 1.1):
        candidate = np.sign(x) + g * first
        others = x + rng.normal(size=(2000, n)) * 0.5
        others[:2] = x + np.array([[-1.0], [1.0]]) * first
        supports = np.abs(others).sum(axis=1) >= absolute(x) + (others - x) @ candidate - 1e-12
        assert supports.all() == (abs(g) <= 1)


@pytest.mark.claim("E163")
def test_the_names_of_the_norms():
    W = np.array([[1.0, 2.0], [-2.0, 1.0]])
    sums = (W**2).sum(), np.abs(W).sum()
    operators = np.linalg.norm(W, 2) ** 2, np.linalg.norm(W, 1)
    assert sums == (10, 6) and operators == pytest.approx((5, 3))
    assert np.linalg.norm(W) ** 2 == pytest.approx(sums[0])
    np.testing.assert_array_equal(grad(lambda W: (W * W).sum())(W), 2 * W)
    # For a vector both readings agree, for L1 and L2: the slip shows with matrices only.
    x = np.array([3.0, -4.0])
    assert np.linalg.norm(x, 2) ** 2 == pytest.approx((x**2).sum())
    assert np.linalg.norm(x, 1) == np.abs(x).sum()
    # The square is no norm: it is not homogeneous. And the two norms of a vector differ.
    assert ((2 * x) ** 2).sum() == 4 * (x**2).sum()
    assert np.linalg.norm(x, 1) == 7 and np.linalg.norm(x, 2) == 5


# ---- figures and the widget


def title_of(axes):
    return axes.get_title("left") or axes.get_title()  # where it is depends on the style


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_drawn_slope_is_that_of_its_function(name):
    x = np.concatenate([np.linspace(-4, -0.01, 60), np.linspace(0.01, 4, 60)])
    function = FUNCTIONS[name]
    np.testing.assert_allclose(function.slope(x), slope(function.value, x), atol=1e-8)
    assert np.isfinite(function.slope(np.zeros(1))).all()
    for curve, jumps in ((function.value, function.jumps), (function.slope, function.slope_jumps)):
        left, right = curve(np.array([-1e-9])), curve(np.array([1e-9]))
        assert bool(abs(left - right)[0] > 1e-6) == jumps


@pytest.mark.parametrize("count", range(1, len(FUNCTIONS) + 1))
def test_panels(count):
    names = list(FUNCTIONS)[:count]
    for chosen in (names, names[::-1]):
        figure = draw_slopes(chosen, title="So many.")
        figure.canvas.draw()
        assert [title_of(axes) for axes in figure.axes if axes.axison] == chosen


@pytest.mark.parametrize("names", [[], ["relu"], ["sigmoid", "Tanh"]])
def test_panels_that_do_not_exist(names):
    with pytest.raises(ValueError, match="draw_slopes: names has"):
        draw_slopes(names)


QUARTERS = np.arange(-8, 9) / 4


@pytest.mark.parametrize("name", KINKS)
def test_every_line_that_the_slider_reaches(name):
    x = np.unique(np.concatenate([np.linspace(-3, 3, 601), [1e-9, -1e-9]]))
    for g in QUARTERS:
        g = float(g)
        below = bool((KINKS[name].value(x) >= g * x).all())
        assert stays_below(name, g) == below
        figure = draw_support_line(name, g)
        figure.canvas.draw()
        assert ("no sub-gradient" in verdict(name, g)) == (not below)
        title = title_of(figure.axes[0])
        assert ("no sub-gradient" in title) == (not below)
        assert f"{g:g}".replace("-", "−") in title and "-" not in title.replace("sub-g", "")


def test_an_unknown_function_is_named():
    with pytest.raises(ValueError, match=r"draw_support_line: name is 'x³', expected one of"):
        draw_support_line("x³", 1.0)


def test_the_widget_shows_each_setting_and_comes_back():
    widget = SupportLine("|x|", 1.25)
    choices, words, image = widget.children
    name, g, reset = choices.children
    assert (name.value, g.value) == ("|x|", 1.25)
    assert bytes(image.value).startswith(b"\x89PNG") and "no sub-gradient" in words.value
    seen = set()
    for name.value in KINKS:
        for g.value in (-2.0, 0.0, 2.0):
            assert words.value == verdict(name.value, g.value)
            seen.add((bytes(image.value), words.value))
    assert len(seen) == 3 * len(KINKS)
    reset.click()
    assert (name.value, g.value) == ("|x|", 1.25) and "1.25" in words.value
    assert repr(widget).endswith("run this cell in JupyterLab.")
