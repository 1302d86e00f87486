"""Ties, kinks, zeros, infinities, empty arrays, integers: what is promised at the corners."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor
from minimlcourse.autodiff import grad, hessian

INF, NAN = np.inf, np.nan


def gradient(f: Any, *data: Any) -> list[np.ndarray]:
    xs = [Tensor(x) for x in data]
    y = f(*xs)
    y.backward(np.ones(y.shape))
    return [x.grad for x in xs]


# -- kinks and ties --------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [F.relu, ad.abs, ad.sign])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_derivative_0_at_the_kink(f: Any, zero: float) -> None:
    assert f(Tensor(zero)).item() == 0.0
    np.testing.assert_array_equal(gradient(f, [zero, 1.0]), [[0.0, f is not ad.sign]])
    assert grad(grad(f))(zero) == 0.0


@pytest.mark.parametrize(("f", "tie"), [(ad.max, 3.0), (ad.min, -3.0)])
def test_extrema_that_tie_share(f: Any, tie: float) -> None:
    np.testing.assert_array_equal(gradient(f, [0.0, tie, 1.0, tie]), [[0, 0.5, 0, 0.5]])
    np.testing.assert_array_equal(gradient(f, np.full((2, 2), tie)), [np.full((2, 2), 0.25)])
    rows = [[tie, tie, 0.0], [0.0, tie, 0.0]]
    np.testing.assert_array_equal(
        gradient(lambda x: f(x, axis=1), rows), [[[0.5, 0.5, 0], [0, 1, 0]]]
    )
    np.testing.assert_array_equal(
        gradient(lambda x: f(x, axis=0, keepdims=True), rows), [[[1, 0.5, 0.5], [0, 0.5, 0.5]]]
    )
    x32 = Tensor(rows, dtype=np.float32)
    f(x32).backward()
    assert x32.grad.dtype == np.float32
    assert x32.grad.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("f", [ad.maximum, ad.minimum])
def test_two_arguments_that_tie_share(f: Any) -> None:
    a, b = gradient(f, [1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(a + b, np.ones(3))
    assert a[1] == b[1] == 0.5
    np.testing.assert_array_equal(gradient(lambda x: f(x, x), [1.0, 2.0]), [[1.0, 1.0]])


def test_clip_at_its_limits() -> None:
    np.testing.assert_array_equal(
        gradient(lambda x: ad.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0]), [[0, 1, 1, 1, 0]]
    )
    np.testing.assert_array_equal(gradient(ad.clip, [-INF, 5.0]), [[1.0, 1.0]])


# -- powers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0, 0.0, -0.0, np.float64(0), np.zeros(3), [0, 0, 0]], ids=repr)
def test_x_to_the_0(k: Any) -> None:
    """1 with derivative 0, at 0 too, and so in all orders."""
    x = [0.0, -2.0, 3.0]
    np.testing.assert_array_equal((Tensor(x) ** k).numpy(), np.ones(3))
    np.testing.assert_array_equal(gradient(lambda x: x**k, x), [np.zeros(3)])
    np.testing.assert_array_equal(hessian(lambda x: (x**k).sum())(np.array(x)), np.zeros((3, 3)))
    y = Tensor(x)
    (y**k).sum().backward(create_graph=True)
    np.testing.assert_array_equal(y.grad.numpy(), np.zeros(3))


@pytest.mark.parametrize(
    ("k", "first", "second"), [(1, 1.0, 0.0), (2, 0.0, 2.0), (3, 0.0, 0.0), (2.0, 0.0, 2.0)]
)
def test_integer_powers_at_0(k: float, first: float, second: float) -> None:
    def power(x: Any) -> Any:
        return x**k

    assert grad(power)(0.0) == first
    assert grad(grad(power))(0.0) == second
    assert grad(lambda x: x ** np.array([k]).sum())(0.0) == first
    assert gradient(ad.power, [0.0], [float(k)])[0] == first


def test_powers_of_negative_numbers() -> None:
    np.testing.assert_array_equal(gradient(lambda x: x**3, [-2.0]), [[12.0]])
    np.testing.assert_array_equal(gradient(lambda x: x**-2, [-2.0]), [[0.25]])


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_powers_where_the_derivative_does_not_exist() -> None:
    assert gradient(lambda x: x**0.5, 0.0) == [INF]
    assert gradient(ad.sqrt, 0.0) == [INF]
    with pytest.warns(RuntimeWarning, match="invalid"):
        assert math.isnan((Tensor(-8.0) ** (1 / 3)).item())


@pytest.mark.parametrize(
    ("x", "k", "slope"), [(0.0, 2.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.0), (1.0, 5.0, 0.0)]
)
def test_derivative_of_the_exponent(x: float, k: float, slope: float) -> None:
    assert grad(lambda k: x**k)(k) == slope
    with np.errstate(divide="ignore"):
        assert gradient(ad.power, x, k)[1] == slope


def test_mixed_derivatives_of_a_power_at_exponent_0() -> None:
    """d²(x^k)/dx dk = x^(k-1) (1 + k log x), which is 1/x at k = 0."""
    H = hessian(ad.power, (0, 1))(2.0, 0.0)
    np.testing.assert_allclose(H, [[0.0, 0.5], [0.5, math.log(2) ** 2]], rtol=1e-15)


# -- products with zeros ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([2.0, 3.0, 4.0], [12.0, 8.0, 6.0]),
        ([0.0, 3.0, 4.0], [12.0, 0.0, 0.0]),
        ([0.0, 0.0, 4.0], [0.0, 0.0, 0.0]),
        ([0.0], [1.0]),
        ([], []),
        (0.0, 1.0),
    ],
)
def test_product(x: Any, expected: Any) -> None:
    np.testing.assert_array_equal(gradient(ad.prod, x)[0], expected)


def test_second_derivative_of_a_product_with_zeros() -> None:
    H = hessian(ad.prod)(np.array([0.0, 0.0, 4.0]))
    np.testing.assert_array_equal(H, [[0, 4, 0], [4, 0, 0], [0, 0, 0]])


# -- nothing at all --------------------------------------------------------------------------------


def test_empty_reductions() -> None:
    x = Tensor(np.zeros((0, 3)))
    for y, value in [(x.sum(), 0.0), (x.prod(), 1.0), (F.logsumexp(x), -INF)]:
        assert y.item() == value
        y.backward()
        assert x.grad.shape == (0, 3)
    np.testing.assert_array_equal(x.sum(axis=0).numpy(), np.zeros(3))
    np.testing.assert_array_equal(F.logsumexp(x, axis=0).numpy(), np.full(3, -INF))
    assert x.mean(axis=1).shape == x.max(axis=1).shape == x.var(axis=1).shape == (0,)


@pytest.mark.parametrize("f", [ad.sum, ad.mean, ad.max, ad.min, ad.prod, ad.var, F.logsumexp])
@pytest.mark.parametrize("axis", [(), None])
def test_a_scalar_reduces_to_itself(f: Any, axis: Any) -> None:
    x = Tensor(3.0)
    y = f(x, axis=axis)
    assert (y.shape, y.item()) == ((), 0.0 if f is ad.var else 3.0)
    y.backward()
    assert x.grad == (0.0 if f is ad.var else 1.0)


@pytest.mark.parametrize("f", [ad.sum, ad.mean, ad.max, ad.min, ad.prod, ad.var, F.logsumexp])
@pytest.mark.parametrize("axis", [0, -1])
def test_a_scalar_has_no_axis(f: Any, axis: int) -> None:
    """NumPy lets a 0-d array pass for a 1-d one; then the gradient must as well."""
    x = Tensor(3.0)
    try:
        y = f(x, axis=axis)
    except ValueError as error:
        assert "out of bounds" in str(error)
    else:
        y.backward()
        assert x.grad == (0.0 if f is ad.var else 1.0)


@pytest.mark.parametrize(
    ("x", "W"),
    [((0, 3), (2, 3)), ((4, 0), (2, 0)), ((4, 3), (0, 3)), ((2, 4, 0), (2, 0)), ((0,), (2, 0))],
)
def test_linear_with_a_side_of_0(x: Any, W: Any) -> None:
    a, b, c = gradient(F.linear, np.ones(x), np.ones(W), np.ones(W[0]))
    assert (a.shape, b.shape, c.shape) == (x, W, W[:1])
    np.testing.assert_array_equal(b, np.full(W, math.prod(x[:-1])))


# -- integers and lists ----------------------------------------------------------------------------


@pytest.mark.parametrize("x", [[1, 2, 3], (1, 2, 3), np.array([1, 2, 3])], ids=repr)
@pytest.mark.parametrize(
    "f",
    [
        ad.exp,
        ad.log,
        ad.mean,
        ad.var,
        F.sigmoid,
        F.softplus,
        F.gelu,
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: F.gelu(x, approximate="sigmoid"),
        F.softmax,
        F.log_softmax,
        F.logsumexp,
        lambda x: F.cross_entropy(x, 1),
        lambda x: F.cross_entropy(x, [0.5, 0.25, 0.25]),
        lambda x: F.nll(x, 1),
        lambda x: F.mse(x, [3, 2, 1]),
        lambda x: F.mse([3, 2, 1], x),
        lambda x: F.binary_cross_entropy_with_logits(x, [1, 0, 1]),
        lambda x: F.linear(x, [[1, 2, 3]], [1]),
        lambda x: F.dropout(x, 0.5, np.random.default_rng(0)),
    ],
)
def test_integers_mean_real_numbers(f: Any, x: Any) -> None:
    got, want = f(x), f(np.array([1.0, 2.0, 3.0]))
    assert isinstance(got, (np.ndarray, np.generic))
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [F.sigmoid, F.softplus, F.gelu, F.softmax, F.log_softmax, F.logsumexp, ad.mean, ad.var],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool])
def test_pixels_mean_real_numbers(f: Any, dtype: Any) -> None:
    """Small integers neither wrap around nor end up in float16."""
    x = np.array([0, 1, 1, 100], dtype=dtype)
    np.testing.assert_allclose(f(x), f(x.astype(float)), rtol=1e-12)


@pytest.mark.parametrize(
    "f", [ad.sum, ad.mean, ad.var, ad.max, ad.exp, F.relu, F.sigmoid, F.gelu, F.softplus]
)
def test_numbers_are_arrays_without_axes(f: Any) -> None:
    for number in (3, 3.0, np.float32(3.0), np.float64(3.0)):
        np.testing.assert_allclose(f(number), f(np.array([3.0])).sum(), rtol=1e-6)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: [[1.0, 2.0], [3.0, 4.0]] @ x, [1.0, 2.0]),
        (lambda x: x @ [[1.0, 2.0], [3.0, 4.0]], [1.0, 2.0]),
        (lambda x: x * [3, 4], [1.0, 2.0]),
        (lambda x: [3, 4] / x, [1.0, 2.0]),
        (lambda x: x ** [0, 2], [0.0, 2.0]),
        (lambda x: [0.0, 2.0] ** x, [2.0, 2.0]),
        (lambda x: ad.maximum(x, [0.0, 3.0]), [1.0, 2.0]),
        (lambda x: ad.where([True, False], x, [0.0, 3.0]), [1.0, 2.0]),
        (lambda x: ad.clip(x, [0.0, 3.0], [5.0, 5.0]), [1.0, 2.0]),
        (lambda x: ad.stack([x, [0.0, 3.0]]), [1.0, 2.0]),
        (lambda x: ad.concatenate([x, [0.0], (3.0,)]), [1.0, 2.0]),
        (lambda x: F.linear([[1.0, 2.0]], x), [[1.0, 2.0]]),
        (lambda x: F.linear(x, [[1.0, 2.0]], [3.0]), [[1.0, 2.0]]),
        (lambda x: F.mse(x, [3.0, 4.0]), [1.0, 2.0]),
        (lambda x: F.mse([3.0, 4.0], x), [1.0, 2.0]),
        (lambda x: F.binary_cross_entropy_with_logits(x, [0.0, 1.0]), [1.0, 2.0]),
        (lambda x: F.cross_entropy(x, [0, 1]), [[1.0, 2.0], [0.0, 1.0]]),
        (lambda x: F.cross_entropy(x, [[0.5, 0.5]]), [[1.0, 2.0]]),
        (lambda x: F.nll(x, [0]), [[1.0, 2.0]]),
    ],
)
def test_lists_beside_tensors(f: Any, x: Any, create_graph: bool) -> None:
    t = Tensor(x)
    y = f(t)
    u = np.random.default_rng(0).normal(size=y.shape)
    y.backward(u, create_graph=create_graph)
    got = t.grad.numpy() if create_graph else t.grad
    v, eps = np.random.default_rng(1).normal(size=t.shape), 1e-6
    sides = [float(np.vdot(f(Tensor(t.numpy() + s * v)).numpy(), u)) for s in (eps, -eps)]
    if 0.0 not in np.ravel(x):
        np.testing.assert_allclose(np.vdot(got, v), (sides[0] - sides[1]) / (2 * eps), rtol=1e-6)
    else:
        assert np.isfinite(got).all()


# -- the softmax family and the activations, far out -----------------------------------------------

LARGE = [-INF, -1e308, -1e4, -1000.0, -745.2, -709.8, -88.8, 0.0, 88.8, 709.8, 1000.0, 1e4, 1e308]
FINITE = LARGE[1:]


@pytest.mark.parametrize(
    ("f", "left", "right"),
    [
        (F.sigmoid, lambda x: 0.0, lambda x: 1.0),
        (F.softplus, lambda x: 0.0, lambda x: x),
        (F.relu, lambda x: 0.0, lambda x: x),
        (F.gelu, lambda x: 0.0, lambda x: x),
        (ad.normal_cdf, lambda x: 0.0, lambda x: 1.0),
        (F.tanh, lambda x: -1.0, lambda x: 1.0),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # x² may, where exp(-x²) is 0
def test_activations_far_out(f: Any, left: Any, right: Any, dtype: Any) -> None:
    """No overflow, no nan: values and two derivatives."""
    xs = np.array([-3e38, -1e20, -1e4, -1000.0, 1000.0, 1e4, 1e20, 3e38], dtype=dtype)
    with np.errstate(divide="raise", invalid="raise"):
        for x in xs:
            t = Tensor(x)
            y = f(t)
            want = left(x) if x < 0 else right(x)
            assert y.item() == pytest.approx(want, rel=1e-6, abs=1e-30)
            y.backward(create_graph=True)
            slope = t.grad
            assert slope.item() == (want == x)
            t.zero_grad()
            if slope.requires_grad:
                slope.backward()
                assert t.grad == 0.0


def test_sigmoid_keeps_its_relative_accuracy() -> None:
    for x in (-700.0, -100.0, -40.0, -1.0):
        e = math.exp(x)
        assert F.sigmoid(Tensor(x)).item() == pytest.approx(e / (1 + e), rel=1e-15)
        assert F.softplus(Tensor(x)).item() == pytest.approx(math.log1p(e), rel=1e-15)


@pytest.mark.parametrize("x", [-37.0, -20.0, -8.3, -5.0, -1.0, -1e-9, 0.0, 1e-9, 0.5, 3.0, 9.0])
def test_normal_cdf_keeps_its_relative_accuracy(x: float) -> None:
    exact = 0.5 * math.erfc(-x / math.sqrt(2))
    assert ad.normal_cdf(Tensor(x)).item() == pytest.approx(exact, rel=1e-12)
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    assert grad(ad.normal_cdf)(x) == pytest.approx(density, rel=1e-14)
    assert F.gelu(x) == pytest.approx(x * exact, rel=1e-12)
    assert grad(F.gelu)(x) == pytest.approx(exact + x * density, rel=1e-10, abs=1e-300)


def test_normal_cdf_at_the_ends() -> None:
    np.testing.assert_array_equal(ad.normal_cdf([-INF, INF, NAN, -40.0]), [0.0, 1.0, NAN, 0.0])


@pytest.mark.parametrize("x", [1e-20, -1e-12, 1e-9])
def test_accurate_near_0(x: float) -> None:
    assert ad.expm1(x) == pytest.approx(x, rel=1e-8)
    assert ad.log1p(x) == pytest.approx(x, rel=1e-8)


@pytest.mark.claim("C46")
@pytest.mark.parametrize("shift", [0.0, 1e3, -1e3, 1e8, -1e15])
def test_softmax_family_is_shift_invariant(shift: float) -> None:
    x = np.array([[0.0, 2.0, -4.0], [8.0, 8.0, 8.0]])
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    with np.errstate(all="raise"):
        np.testing.assert_allclose(F.softmax(x + shift), p, rtol=1e-12)
        np.testing.assert_allclose(F.log_softmax(x + shift), np.log(p), rtol=1e-12)
        lse = F.logsumexp(x + shift, axis=1)  # rounded to a multiple of the spacing there
        exact = np.log(np.exp(x).sum(axis=1))
        np.testing.assert_allclose(lse - shift, exact, atol=np.spacing(abs(shift) + 1))
        lse_gradient = gradient(lambda z: F.logsumexp(z, axis=1), x + shift)[0]
        np.testing.assert_allclose(lse_gradient, p, rtol=1e-12)
        g = gradient(lambda z: F.cross_entropy(z, [2, 0]), x + shift)[0]
        np.testing.assert_allclose(g, (p - np.eye(3)[[2, 0]]) / 2, rtol=1e-12)


def test_impossible_classes() -> None:
    """Logits of -inf, from a mask: probability 0, and no nan in the others."""
    z = [[0.0, -INF, 0.0], [-INF, -INF, 5.0]]
    np.testing.assert_array_equal(F.softmax(z), [[0.5, 0, 0.5], [0, 0, 1]])
    np.testing.assert_allclose(
        F.log_softmax(z), [[-math.log(2), -INF, -math.log(2)], [-INF, -INF, 0.0]]
    )
    np.testing.assert_allclose(F.logsumexp(z, axis=1), [math.log(2), 5.0])
    with np.errstate(all="raise"):
        for f in (
            F.softmax,
            lambda x: F.logsumexp(x, axis=1),
            lambda x: F.cross_entropy(x, [0, 2]),
            lambda x: F.log_softmax(x)[[0, 1], [0, 2]],
        ):
            assert np.isfinite(gradient(f, z)[0]).all()
    assert F.cross_entropy(z, [0, 2]) == pytest.approx(math.log(2) / 2)
    assert F.cross_entropy(z, [1, 2]) == INF


def test_logsumexp_of_infinities() -> None:
    assert F.logsumexp([-INF, -INF]) == -INF
    assert F.logsumexp([INF, 0.0]) == INF
    assert math.isnan(F.logsumexp([NAN, 0.0]))


@pytest.mark.claim("E39")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [88.0, 709.0, 710.0, 1e4, 1e30])
def test_cross_entropy_of_large_logits(scale: float, dtype: Any) -> None:
    """Also beyond where exp overflows: 88 in float32, 709 in float64 (erratum E39)."""
    z = np.array([[scale, 0.0, -scale], [-scale, -scale, scale]], dtype=dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        losses = F.cross_entropy(z, [1, 2], reduction="none")
        np.testing.assert_allclose(losses, [scale, 0.0], rtol=1e-6)
        g = gradient(lambda x: F.cross_entropy(x, [1, 2], reduction="sum"), z)[0]
        np.testing.assert_allclose(g, [[1, -1, 0], [0, 0, 0]], atol=1e-30)
        one_hot = np.eye(3, dtype=dtype)[[1, 2]]
        np.testing.assert_allclose(F.cross_entropy(z, one_hot, reduction="none"), losses)


@pytest.mark.parametrize("z", [-1e30, -1000.0, -40.0, 0.0, 40.0, 1000.0, 1e30])
@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
def test_binary_cross_entropy_of_large_logits(z: float, y: float) -> None:
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        loss = F.binary_cross_entropy_with_logits(Tensor(z), y)
        exact = max(z, 0) - y * z + math.log1p(math.exp(-abs(z)))
        assert loss.item() == pytest.approx(exact, rel=1e-15)
        slope = grad(F.binary_cross_entropy_with_logits)(z, y)
        assert slope == pytest.approx(float(F.sigmoid(z)) - y, abs=1e-16)


@given(x=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=6))
def test_probabilities_whatever_the_logits(x: list[float]) -> None:
    p = F.softmax(x)
    assert np.all((p >= 0) & (p <= 1))
    assert p.sum() == pytest.approx(1.0)
    assert np.all(F.log_softmax(x) <= 0)
    assert max(x) <= F.logsumexp(x) <= max(x) + math.log(len(x)) + 1e-10 * abs(max(x))
    assert gradient(F.logsumexp, x)[0].sum() == pytest.approx(1.0)
    np.testing.assert_allclose(gradient(lambda z: F.softmax(z)[0], x)[0].sum(), 0.0, atol=1e-12)


# -- nan and overflow ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [ad.exp, ad.tanh, ad.abs, F.relu, F.sigmoid, F.softplus, F.gelu, ad.normal_cdf, ad.sign],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy's logaddexp of nan
def test_nan_is_passed_on_and_stays_where_it_is(f: Any) -> None:
    y = f(Tensor([NAN, 1.0]))
    assert math.isnan(y.numpy()[0])
    assert not math.isnan(y.numpy()[1])
    assert not math.isnan(gradient(f, [NAN, 1.0])[0][1])


def test_where_needs_a_safe_argument() -> None:
    """The trap that its docstring tells: 0 times infinity is nan; and the way out."""
    x = [0.0, 4.0]
    with np.errstate(divide="ignore", invalid="ignore"):
        trap = gradient(lambda x: ad.where(x > 0, ad.sqrt(x), 0.0), x)[0]
    assert math.isnan(trap[0])
    safe = gradient(lambda x: ad.where(x > 0, ad.sqrt(ad.where(x > 0, x, 1.0)), 0.0), x)[0]
    np.testing.assert_array_equal(safe, [0.0, 0.25])


@pytest.mark.parametrize("tiny", [1e-200, 1e-160])
def test_quotients_of_small_numbers(tiny: float) -> None:
    """a / b and its derivatives 1 / b and -a / b² are finite, even where b² is 0."""
    da, db = gradient(ad.divide, tiny, tiny)
    assert da == pytest.approx(1 / tiny)
    assert db == pytest.approx(-1 / tiny)


def test_quotients_of_large_float32() -> None:
    da, db = gradient(ad.divide, np.float32(1e25), np.float32(1e25))
    np.testing.assert_allclose([da, db], [1e-25, -1e-25], rtol=1e-6)


# -- dropout ---------------------------------------------------------------------------------------


def test_dropout_keeps_the_expectation() -> None:
    x = np.ones((200, 500))
    for p in (0.0, 0.2, 0.75):
        y = F.dropout(x, p, np.random.default_rng(0))
        assert set(np.unique(y)) == ({1.0} if p == 0 else {0.0, 1 / (1 - p)})
        assert y.mean() == pytest.approx(1.0, abs=0.02)
        assert np.mean(y == 0) == pytest.approx(p, abs=0.005)


def test_dropout_sends_gradients_through_what_was_kept() -> None:
    x = Tensor(np.ones(1000))
    y = F.dropout(x, 0.5, np.random.default_rng(0))
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.numpy())


def test_dropout_draws_from_its_generator() -> None:
    x = np.ones(100)
    first, second, again = (F.dropout(x, 0.5, np.random.default_rng(k)) for k in (0, 1, 0))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != second)
    rng = np.random.default_rng(0)
    assert np.any(F.dropout(x, 0.5, rng) != F.dropout(x, 0.5, rng))
