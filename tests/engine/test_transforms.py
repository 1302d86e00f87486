"""grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp: kinds of arguments, nesting, constants.

That they agree with one another on random programs is in ``test_graph.py``.
"""

import math
from typing import Any

import numpy as np
import pytest

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor, no_grad
from minimlcourse.autodiff import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp


def cubes(x: Any) -> Any:
    return (x**3).sum()


# -- what comes back is of the kind of what was given ----------------------------------------------


@pytest.mark.parametrize("x", [2, 2.0, np.float64(2.0), True + 1])
def test_numbers_give_numbers(x: Any) -> None:
    value, slope = value_and_grad(lambda x: x**3)(x)
    assert (type(value), value) == (float, 8.0)
    assert (type(slope), slope) == (float, 12.0)
    assert type(grad(cubes)(x)) is float
    assert jvp(cubes, x, 1) == (8.0, 12.0)
    assert hvp(cubes, x, 1.0) == 12.0
    assert hessian(cubes)(x) == jacobian(grad(cubes))(x) == 12.0
    y, pull = vjp(cubes, x)
    assert (y, pull(2.0)) == (8.0, 24.0)


def test_arrays_give_arrays() -> None:
    x = np.array([1.0, 2.0])
    for result, want in [
        (grad(cubes)(x), [3.0, 12.0]),
        (hvp(cubes, x, x), [6.0, 24.0]),
        (hessian(cubes)(x), [[6.0, 0.0], [0.0, 12.0]]),
        (jacobian(lambda x: x**2)(x), [[2.0, 0.0], [0.0, 4.0]]),
        (jvp(lambda x: x**2, x, x)[1], [2.0, 8.0]),
        (vjp(lambda x: x**2, x)[1](x), [2.0, 8.0]),
    ]:
        assert type(result) is np.ndarray
        assert result.flags.writeable
        np.testing.assert_array_equal(result, want)
    np.testing.assert_array_equal(x, [1.0, 2.0])


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("recording", [False, True])
def test_tensors_give_tensors(requires_grad: bool, recording: bool) -> None:
    """Of a variable, they can be differentiated again, unless no_grad() says otherwise."""
    x = Tensor([1.0, 2.0], requires_grad=requires_grad)

    def compute() -> list[Any]:
        value, slope = value_and_grad(cubes)(x)
        y, pull = vjp(lambda x: x**2, x)
        return [
            value,
            slope,
            hvp(cubes, x, np.ones(2)),
            hessian(cubes)(x),
            jacobian(lambda x: x**2)(x),
            y,
            pull(np.ones(2)),
            *jvp(lambda x: x**2, x, np.ones(2)),
        ]

    results = compute() if recording else no_grad()(compute)()
    for result in results:
        assert type(result) is Tensor
        assert result.requires_grad == (requires_grad and recording)
    assert x.grad is None


def test_float32_stays_float32() -> None:
    x = np.array([1.0, 2.0], dtype=np.float32)
    results = [
        grad(cubes)(x),
        hvp(cubes, x, x),
        hessian(cubes)(x),
        jacobian(lambda x: x**2)(x),
        *jvp(lambda x: x**2, x, x),
        vjp(lambda x: x**2, x)[1](np.ones(2)),
    ]
    assert [r.dtype for r in results] == [np.float32] * len(results)


def test_integers_are_points_of_the_reals() -> None:
    x = np.array([1, 2])
    np.testing.assert_array_equal(grad(cubes)(x), [3.0, 12.0], strict=True)
    np.testing.assert_array_equal(grad(cubes)([1, 2]), [3.0, 12.0])
    np.testing.assert_array_equal(hessian(cubes)(x), np.diag([6.0, 12.0]))


def test_curves_and_mixed_arguments() -> None:
    """Numbers go in, arrays come out where the result has axes."""

    def curve(t: Any) -> Any:
        return ad.stack([t, t**2, t**3])

    np.testing.assert_array_equal(jacobian(curve)(2.0), [1.0, 4.0, 12.0])
    np.testing.assert_array_equal(jacobian(jacobian(curve))(2.0), [0.0, 2.0, 12.0])
    np.testing.assert_array_equal(jacobian(lambda t: t.reshape(1))(2.0), [1.0])
    np.testing.assert_array_equal(jvp(curve, 2.0, 1.0)[1], [1.0, 4.0, 12.0])
    assert vjp(curve, 2.0)[1](np.array([0.0, 0.0, 1.0])) == 12.0

    H = hessian(lambda x, s: (x * x).sum() * s, (0, 1))(np.array([1.0, 2.0]), 3.0)
    np.testing.assert_array_equal(H[0][0], 6 * np.eye(2))
    np.testing.assert_array_equal(H[0][1], [2.0, 4.0])
    np.testing.assert_array_equal(H[1][0], [2.0, 4.0])
    assert H[1][1] == 0.0


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0), (2, 3)])
def test_shapes_of_derivatives(shape: tuple[int, ...]) -> None:
    x = np.ones(shape)
    assert np.shape(grad(cubes)(x)) == shape
    assert hessian(cubes)(x).shape == shape * 2
    assert jacobian(lambda x: x[None] * np.ones((4, *shape)))(x).shape == (4, *shape, *shape)
    assert np.shape(hvp(cubes, x, x)) == shape
    assert np.shape(jvp(lambda x: x**2, x, x)[1]) == shape


# -- several arguments -----------------------------------------------------------------------------


def mixed(a: Any, b: Any, c: Any) -> Any:
    return (a * b**2).sum() * c


POINT = (np.array([1.0, 2.0]), np.array([3.0, 5.0]), 2.0)
EXPECTED = ([18.0, 50.0], [12.0, 40.0], 59.0)


@pytest.mark.parametrize("argnums", [0, 1, 2, (0,), (2, 0), (0, 1, 2), ()])
def test_argnums(argnums: Any) -> None:
    value, got = value_and_grad(mixed, argnums)(*POINT)
    assert value == 118.0
    if isinstance(argnums, int):
        np.testing.assert_array_equal(got, EXPECTED[argnums])
        np.testing.assert_array_equal(jacobian(mixed, argnums)(*POINT), EXPECTED[argnums])
    else:
        assert type(got) is tuple
        for k, g, J in zip(argnums, got, jacobian(mixed, argnums)(*POINT), strict=True):
            np.testing.assert_array_equal(g, EXPECTED[k])
            np.testing.assert_array_equal(J, EXPECTED[k])


def test_vjp_jvp_hvp_of_several_arguments() -> None:
    value, pull = vjp(mixed, *POINT)
    assert value == 118.0
    for g, want in zip(pull(1.0), EXPECTED, strict=True):
        np.testing.assert_array_equal(g, want)
    tangents = (np.array([1.0, 0.0]), np.array([0.0, 1.0]), 1.0)
    assert jvp(mixed, POINT, tangents) == (118.0, 18.0 + 40.0 + 59.0)
    a, b, c = hvp(mixed, POINT, tangents)
    np.testing.assert_array_equal(a, [9.0, 20.0 + 25.0])
    np.testing.assert_array_equal(b, [12.0 + 6.0, 8.0 + 20.0])
    assert c == 9.0 + 20.0


def test_pull_may_be_called_again() -> None:
    _, pull = vjp(lambda x: x**2, np.array([1.0, 3.0]))
    for u in ([1.0, 0.0], [0.0, 1.0]):
        np.testing.assert_array_equal(pull(u), [2.0 * u[0], 6.0 * u[1]])


def test_keyword_arguments_are_passed_on() -> None:
    assert grad(lambda x, k=1: x**k)(2.0, k=3) == 12.0
    assert value_and_grad(lambda x, *, k: x**k)(2.0, k=3) == (8.0, 12.0)


# -- nesting ---------------------------------------------------------------------------------------


def test_derivatives_of_any_order() -> None:
    f, value = (lambda x: x**6), 2.0**6
    for n in range(1, 7):
        f = grad(f)
        value = math.perm(6, n) * 2.0 ** (6 - n)
        assert f(2.0) == value
    assert grad(f)(2.0) == 0.0


def test_sines_come_back_after_four() -> None:
    f = F.tanh
    for _ in range(3):
        f = grad(f)
    t = math.tanh(0.3)
    assert f(0.3) == pytest.approx((1 - t * t) * (6 * t * t - 2), rel=1e-14)
    fourth = grad(grad(grad(grad(ad.sin))))
    assert fourth(0.7) == pytest.approx(math.sin(0.7), rel=1e-14)


def test_inner_and_outer_variables_are_not_confused() -> None:
    """d/dx [x · d/dy (x + y)] = 1: an engine that mixes the two up answers 2."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(3.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert grad(lambda x: grad(lambda x: x**2)(x) * x)(3.0) == 12.0
    assert jvp(lambda x: x * jvp(lambda y: x + y, 1.0, 1.0)[1], 3.0, 1.0)[1] == 1.0
    assert hvp(lambda x: x * grad(lambda y: x * y**2)(x), 3.0, 1.0) == pytest.approx(6 * 2 * 3.0)


def test_transforms_inside_one_another() -> None:
    A = np.array([[2.0, 1.0], [1.0, 3.0]])
    x = np.array([1.0, -1.0])

    def quadratic(x: Any) -> Any:
        return 0.5 * x @ A @ x

    np.testing.assert_allclose(jacobian(grad(quadratic))(x), A)
    np.testing.assert_allclose(hessian(quadratic)(x), A)
    np.testing.assert_allclose(jacobian(lambda x: jvp(quadratic, x, x)[1])(x), (A + A.T) @ x)
    np.testing.assert_allclose(jvp(grad(quadratic), x, x)[1], A @ x)
    np.testing.assert_allclose(grad(lambda x: hvp(quadratic, x, x) @ x)(x), 2 * A @ x)
    np.testing.assert_allclose(
        grad(lambda x: vjp(grad(quadratic), x)[1](x).sum())(x), A.sum(axis=0)
    )


def test_gradient_of_a_gradient_penalty() -> None:
    """What create_graph is for: a loss that holds a gradient (of an outside Tensor)."""
    w, x = Tensor([1.0, -2.0, 0.5]), np.array([0.3, 0.2, -0.1])

    def penalty() -> Any:
        g = grad(lambda x: ad.tanh(x @ w))(x)
        return (g * g).sum()

    penalty().backward()
    numeric = []
    for i in range(3):
        sides = []
        for eps in (1e-6, -1e-6):
            former = w.data[i]
            w.data[i] += eps
            sides.append(penalty().item())
            w.data[i] = former
        numeric.append((sides[0] - sides[1]) / 2e-6)
    np.testing.assert_allclose(w.grad, numeric, rtol=1e-7)


# -- constants and outside Tensors -----------------------------------------------------------------


def test_functions_that_do_not_depend() -> None:
    x = np.array([1.0, 2.0])
    for f in (
        lambda x: 3.0,
        lambda x: Tensor(3.0),
        lambda x: np.float64(3),
        lambda x: x.detach().sum(),
    ):
        assert value_and_grad(f)(x)[0] == 3.0
        np.testing.assert_array_equal(grad(f)(x), [0.0, 0.0])
        np.testing.assert_array_equal(hessian(f)(x), np.zeros((2, 2)))
        np.testing.assert_array_equal(hvp(f, x, x), [0.0, 0.0])
        assert jvp(f, x, x)[1] == 0.0
        np.testing.assert_array_equal(vjp(f, x)[1](1.0), [0.0, 0.0])
    first = grad(lambda a, b: a * 2, (0, 1))(1.0, 1.0)
    assert first == (2.0, 0.0)
    assert grad(lambda x: x)(5.0) == 1.0


def test_linear_functions_have_no_curvature() -> None:
    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(hessian(lambda x: x.sum())(x), np.zeros((2, 2)))
    np.testing.assert_array_equal(hvp(lambda x: 3 * x[0], x, x), [0.0, 0.0])


def test_outside_tensors_get_no_grad_behind_the_back() -> None:
    w = Tensor([1.0, 2.0])
    g = grad(lambda x: (x * w).sum())(np.ones(2))
    assert type(g) is Tensor
    assert g.requires_grad
    assert w.grad is None
    (g**2).sum().backward()
    np.testing.assert_array_equal(w.grad, [2.0, 4.0])
    with no_grad():
        assert type(grad(lambda x: (x * w).sum())(np.ones(2))) is np.ndarray


def test_derivatives_under_no_grad() -> None:
    """no_grad() says that the answer is not recorded, not that there is none."""
    with no_grad():
        assert grad(cubes)(2.0) == 12.0
        assert grad(grad(cubes))(2.0) == 12.0
        assert jvp(cubes, 2.0, 1.0) == (8.0, 12.0)
        assert hvp(cubes, 2.0, 1.0) == 12.0
        g = grad(lambda a, b: (a + b).sum(), (0, 1))(Tensor([1.0]), Tensor([2.0]))
    assert not any(x.requires_grad for x in g)
    g[0].data[0] = 7.0
    assert g[1].item() == 1.0
    blocked = grad(lambda x: no_grad()(cubes)(x))
    assert blocked(2.0) == 0.0


def test_backward_inside_a_transform() -> None:
    """The two ways of asking do not disturb each other."""
    w = Tensor(3.0)

    def f(x: Any) -> Any:
        y = w * w
        y.backward()
        return x**2

    assert float(grad(f)(2.0)) == 4.0
    assert w.grad == 6.0


def test_jvp_at_an_infinite_slope() -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        assert jvp(ad.sqrt, 4.0, 1.0) == (2.0, 0.25)
        assert grad(ad.sqrt)(0.0) == math.inf


def test_jacobian_of_a_network_is_that_of_the_chain_rule() -> None:
    rng = np.random.default_rng(0)
    W1, W2, x = rng.normal(size=(5, 3)), rng.normal(size=(2, 5)), rng.normal(size=3)
    h = np.tanh(W1 @ x)
    J = jacobian(lambda x: F.linear(F.tanh(F.linear(x, W1)), W2))(x)
    np.testing.assert_allclose(J, W2 @ np.diag(1 - h**2) @ W1)
