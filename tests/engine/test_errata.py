"""Errors of the sources on automatic differentiation: the wrong version fails, ours holds.

Each test is named after an erratum, and shows both versions on the same numbers. ``Scalar`` is the
textbook engine in which they live: gradients kept in every node, a recursive order.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor
from minimlcourse.autodiff import GradientError, Primitive, grad, gradcheck
from minimlcourse.autodiff.graph import reachable


class Scalar:
    """A node as textbooks write it."""

    def __init__(self, value: float, parents: tuple["Scalar", ...] = ()) -> None:
        self.value = value
        self.parents = parents
        self.grad = 0.0
        self.pull: Callable[[], None] = lambda: None

    def __add__(self, other: "Scalar") -> "Scalar":
        out = Scalar(self.value + other.value, (self, other))

        def pull() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out.pull = pull
        return out

    def __mul__(self, other: "Scalar") -> "Scalar":
        out = Scalar(self.value * other.value, (self, other))

        def pull() -> None:
            self.grad += out.grad * other.value
            other.grad += out.grad * self.value

        out.pull = pull
        return out

    def order(self) -> list["Scalar"]:
        found: list[Scalar] = []
        seen: set[int] = set()

        def visit(node: "Scalar") -> None:
            if id(node) not in seen:
                seen.add(id(node))
                for parent in node.parents:
                    visit(parent)
                found.append(node)

        visit(self)
        return found

    def backward(self) -> None:
        order = self.order()
        self.grad = 1.0
        for node in reversed(order):
            node.pull()


def central(f: Callable[[float], float], x: float, eps: float = 1e-6) -> float:
    return (f(x + eps) - f(x - eps)) / (2 * eps)


def test_the_textbook_engine_is_a_fair_opponent() -> None:
    """On one small graph, walked once, it is right."""
    x, y = Scalar(3.0), Scalar(5.0)
    (x * y + x * x).backward()
    assert (x.grad, y.grad) == (11.0, 3.0)


# -- E1: which derivative the chain rule multiplies with -------------------------------------------


@pytest.mark.claim("E1")
def test_e1_local_derivatives_not_total_ones() -> None:
    """z = v w with w = v²: the successors of v are w and z.

    Multiplying with total derivatives counts the way through w twice.
    """
    v = 2.0
    w = v * v
    adjoint_of_w, adjoint_of_z = v, 1.0
    with_total = adjoint_of_w * (2 * v) + adjoint_of_z * (3 * v * v)
    with_local = adjoint_of_w * (2 * v) + adjoint_of_z * w
    truth = central(lambda v: v * (v * v), v)
    assert with_total == pytest.approx(truth + 8.0)  # 20 instead of 12
    assert with_local == pytest.approx(truth)
    assert grad(lambda v: v * (v * v))(v) == 12.0


@pytest.mark.claim("E1")
def test_e1_the_jacobian_is_transposed() -> None:
    """For vectors the factor is a Jacobian, and it stands transposed, on the left."""
    A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    u = np.array([1.0, -1.0])
    x = Tensor([1.0, 0.0, 2.0])
    (A @ x).backward(u)
    with pytest.raises(ValueError, match="mismatch"):
        A @ u
    np.testing.assert_array_equal(x.grad, A.T @ u)
    square = np.array([[0.0, 1.0], [0.0, 0.0]])  # here both orders fit, and one is wrong
    y = Tensor([1.0, 1.0])
    (square @ y).backward(u)
    np.testing.assert_array_equal(y.grad, square.T @ u)
    assert not np.array_equal(y.grad, square @ u)


# -- E2: which nodes are reached -------------------------------------------------------------------


@pytest.mark.claim("E2")
def test_e2_only_ancestors_of_the_root_are_reached() -> None:
    """Not every node is visited, nor does every node have an adjoint other than 0."""
    x, apart = Tensor(3.0), Tensor(4.0)
    beside = x * x  # uses x, and does not lead to the root
    root = 2.0 * x
    elsewhere = apart * x
    visited = reachable(root)
    assert all(node is not beside and node is not elsewhere for node in visited)
    root.backward()
    assert x.grad == 2.0  # and no 2x from beside
    assert apart.grad is None
    assert grad(lambda x, apart: 2.0 * x, argnums=1)(3.0, 4.0) == 0.0


# -- E3: backward twice ----------------------------------------------------------------------------


@pytest.mark.claim("E3")
def test_e3_two_calls_give_twice_the_gradient() -> None:
    """Gradients that stay in interior nodes are sent down again by the second call."""
    x = Scalar(3.0)
    cube = x * x * x
    cube.backward()
    assert x.grad == 27.0
    cube.backward()
    assert x.grad == 72.0  # and not 54

    y = Tensor(3.0)
    root = y * y * y
    root.backward()
    assert y.grad == 27.0
    root.backward()
    assert y.grad == 54.0
    y.zero_grad()
    root.backward()
    assert y.grad == 27.0


# -- E4: recursion ---------------------------------------------------------------------------------


@pytest.mark.claim("E4")
def test_e4_depth_without_recursion() -> None:
    """A recurrent network over 2000 steps is 2000 deep."""
    x, one = Scalar(1.0), Scalar(1.0)
    node = x
    for _ in range(2000):
        node = node + one
    with pytest.raises(RecursionError):
        node.backward()

    y, step = Tensor(1.0), Tensor(1.0)
    state = y
    for _ in range(2000):
        state = state + step
    state.backward()
    assert (y.grad, step.grad) == (1.0, 2000.0)


# -- E5: an assignment inside the function that it assigns -----------------------------------------


def product(a: Scalar, b: Scalar, indented_too_far: bool) -> Scalar:
    out = Scalar(a.value * b.value, (a, b))

    def pull() -> None:
        a.grad += out.grad * b.value
        b.grad += out.grad * a.value
        if indented_too_far:
            out.pull = pull  # nobody calls pull, so nobody gets here

    if not indented_too_far:
        out.pull = pull
    return out


@pytest.mark.claim("E5")
def test_e5_a_rule_that_is_never_attached() -> None:
    """All gradients are 0, and nothing complains; a gradient check does."""
    for too_far, expected in [(True, (0.0, 0.0)), (False, (5.0, 3.0))]:
        a, b = Scalar(3.0), Scalar(5.0)
        product(a, b, too_far).backward()
        assert (a.grad, b.grad) == expected
    lost = Primitive("lost", np.multiply, lambda g, out, a, b: 0 * g, lambda g, out, a, b: 0 * g)
    with pytest.raises(GradientError, match="is 0, expected 5"):
        gradcheck(lost, (np.array([3.0]), np.array([5.0])))


# -- E6: products with vectors and stacks ----------------------------------------------------------

TEXTBOOK_PRODUCT = Primitive(
    "textbook product", np.matmul, lambda g, out, a, b: g @ b.T, lambda g, out, a, b: a.T @ g
)


@pytest.mark.claim("E6")
@pytest.mark.parametrize(
    ("a", "b"), [((3, 2), (2,)), ((3,), (3, 2)), ((4, 3, 2), (4, 2, 5)), ((4, 3, 2), (2, 5))]
)
def test_e6_matrix_products_of_every_rank(a: Any, b: Any, rng: np.random.Generator) -> None:
    """G Bᵀ and Aᵀ G are for matrices: .T does nothing to a vector and reverses all of a stack."""
    point = (rng.normal(size=a), rng.normal(size=b))
    with pytest.raises((ValueError, GradientError)):
        gradcheck(TEXTBOOK_PRODUCT, point)
    assert gradcheck(ad.matmul, point)


@pytest.mark.claim("E6")
def test_e6_between_matrices_the_textbook_is_right(rng: np.random.Generator) -> None:
    assert gradcheck(TEXTBOOK_PRODUCT, (rng.normal(size=(3, 2)), rng.normal(size=(2, 4))))


# -- E7: local derivative or vector-Jacobian product -----------------------------------------------


@pytest.mark.claim("E7")
def test_e7_a_rule_returns_a_product_with_g() -> None:
    """Taken as what a rule returns, the local derivative e^x forgets the incoming gradient."""
    x = np.array([0.5, 1.0])
    local = Primitive("local", np.exp, lambda g, out, x: out)
    pulled = Primitive("pulled", np.exp, lambda g, out, x: g * out)
    u = np.array([3.0, -2.0])
    for primitive, wanted in [(local, np.exp(x)), (pulled, u * np.exp(x))]:
        t = Tensor(x)
        primitive(t).backward(u)
        np.testing.assert_array_equal(t.grad, wanted)
    with pytest.raises(GradientError, match="operation local"):
        gradcheck(lambda x: 2.0 * local(x), x)
    assert gradcheck(lambda x: 2.0 * pulled(x), x)


@pytest.mark.claim("E7")
def test_e7_the_local_derivative_of_a_product_has_four_indices(rng: np.random.Generator) -> None:
    """∂C_ij/∂A_kl = δ_ik B_lj; contracted with G it is G Bᵀ, which is no derivative itself."""
    A, B, G = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    local = np.einsum("ik,lj->ijkl", np.eye(2), B)
    J = ad.jacobian(lambda A: A @ B)(A)
    np.testing.assert_allclose(J, local)
    pulled = ad.vjp(lambda A: A @ B, A)[1](G)
    np.testing.assert_allclose(pulled, np.einsum("ij,ijkl->kl", G, local))
    np.testing.assert_allclose(pulled, G @ B.T)
    assert J.shape != (G @ B.T).shape


# -- E8: GELU and its approximation ----------------------------------------------------------------


@pytest.mark.claim("E8")
def test_e8_the_sigmoid_form_of_gelu_is_an_approximation() -> None:
    x = np.linspace(-6, 6, 2401)
    exact = np.array([v * 0.5 * math.erfc(-v / math.sqrt(2)) for v in x])
    slope = np.array([central(lambda v: v * 0.5 * math.erfc(-v / math.sqrt(2)), v) for v in x])

    def slopes(f: Callable[[Any], Any]) -> np.ndarray:
        return grad(lambda x: f(x).sum())(x)

    def approximate(x: Any) -> Any:
        return F.gelu(x, approximate="sigmoid")

    s = 1 / (1 + np.exp(-1.702 * x))
    np.testing.assert_allclose(slopes(approximate), s + 1.702 * x * s * (1 - s), atol=1e-14)
    assert np.abs(approximate(x) - exact).max() == pytest.approx(0.0203, abs=5e-5)
    assert np.abs(slopes(approximate) - slope).max() == pytest.approx(0.0291, abs=5e-5)
    np.testing.assert_allclose(F.gelu(x), exact, atol=1e-14)
    np.testing.assert_allclose(slopes(F.gelu), slope, atol=1e-8)


# -- E9: domains -----------------------------------------------------------------------------------


@pytest.mark.claim("E9")
def test_e9_derivatives_have_domains() -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        assert math.isnan(0 * np.float64(0.0) ** (0 - 1))  # k x^(k-1) at x = k = 0
        assert grad(lambda x: x**0.5)(0.0) == math.inf
        assert math.isnan(grad(lambda x: x ** (1 / 3))(-8.0))
        assert grad(ad.log)(0.0) == math.inf
        assert math.isnan(ad.log(-1.0))
    assert grad(lambda x: x**0)(0.0) == 0.0
    assert [grad(F.relu)(x) for x in (-1e-300, 0.0, 1e-300)] == [0.0, 0.0, 1.0]
    right, left = (F.relu(1e-6) - F.relu(0.0)) / 1e-6, (F.relu(0.0) - F.relu(-1e-6)) / 1e-6
    assert (left, right) == (0.0, 1.0)  # any number between is a sub-gradient; 0 is chosen


# -- E10 and E11: what a graph costs ---------------------------------------------------------------


def perceptron(n: int, d: int, layers: int) -> Tensor:
    rng = np.random.default_rng(0)
    z: Any = rng.normal(size=(n, d))
    for _ in range(layers):
        z = F.relu(z @ Tensor(rng.normal(size=(d, d))))
    return z.sum()


def products(root: Tensor) -> list[tuple[int, ...]]:
    """(rows, inner, columns) of each matrix product in the graph."""
    nodes = [node for node in reachable(root) if node._history and node._history[0] is ad.matmul]
    return [
        (*np.shape(getattr(node._history[1][0], "_data", node._history[1][0])), node.shape[1])
        for node in nodes
    ]


def multiplications(root: Tensor) -> int:
    return sum(math.prod(sizes) for sizes in products(root))


@pytest.mark.claim("E10")
def test_e10_nodes_do_not_see_the_width() -> None:
    """|V| + |E| is the same for d = 5 and d = 50; the arithmetic is a hundred times as much."""
    small, wide = perceptron(16, 5, 4), perceptron(16, 50, 4)
    assert len(reachable(small)) == len(reachable(wide))
    assert multiplications(small) == 4 * 16 * 5 * 5
    assert multiplications(wide) == 100 * multiplications(small)


@pytest.mark.claim("E10")
def test_e10_backward_costs_a_small_multiple_of_forward() -> None:
    """Two products back for each one forward; one for the first layer, whose input is constant."""
    forward = backward = 0

    def counted(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        nonlocal forward
        forward += a.shape[0] * a.shape[1] * b.shape[1]
        return a @ b

    def left(g: Any, out: Any, a: Any, b: Any) -> Any:
        nonlocal backward
        backward += g.shape[0] * g.shape[1] * b.shape[0]
        return g @ b.T

    def right(g: Any, out: Any, a: Any, b: Any) -> Any:
        nonlocal backward
        backward += a.shape[1] * a.shape[0] * g.shape[1]
        return a.T @ g

    product = Primitive("product", counted, left, right)
    z: Any = np.ones((16, 8))
    for _ in range(5):
        z = F.tanh(product(z, Tensor(np.ones((8, 8)))))
    z.sum().backward()
    assert forward == 5 * 16 * 8 * 8
    assert backward == (2 * 5 - 1) * 16 * 8 * 8


@pytest.mark.claim("E11")
def test_e11_nodes_grow_with_depth_by_construction() -> None:
    """Three a layer and one for the sum: a line in a plot of this confirms nothing about bytes."""
    assert [len(reachable(perceptron(2, 3, layers))) for layers in (1, 2, 10)] == [4, 7, 31]


@pytest.mark.claim("E11")
def test_e11_memory_is_bytes_not_nodes() -> None:
    """As many nodes, much more memory: L n d numbers in the layers and L d² in the weights."""

    def held(root: Tensor) -> int:
        return sum(node._data.nbytes for node in reachable(root))

    small, wide = perceptron(50, 5, 4), perceptron(50, 50, 4)
    assert len(reachable(small)) == len(reachable(wide))
    for root, d in [(small, 5), (wide, 50)]:
        # The product, its relu, the weights; and the sum.
        assert held(root) == 8 * (4 * (2 * 50 * d + d * d) + 1)
    assert held(wide) > 10 * held(small)


# -- E12: undoing broadcasting ---------------------------------------------------------------------


@pytest.mark.claim("E12")
def test_e12_summing_the_rows_is_one_case_of_many(rng: np.random.Generator) -> None:
    G = rng.normal(size=(3, 4))
    rows = G.sum(axis=0)  # the formula of the sources
    shapes: list[tuple[int, ...]] = [(1, 4), (4,), (3, 1), (1, 1), (), (1,), (3, 4)]
    right = {(1, 4), (4,)}
    for shape in shapes:
        b = Tensor(rng.normal(size=shape))
        (b + np.zeros((3, 4))).backward(G)
        assert b.grad.shape == shape
        fits = rows.size == b.size and np.allclose(rows.reshape(shape), b.grad)
        assert fits == (shape in right)
        assert gradcheck(lambda b: b + np.zeros((3, 4)), b)


@pytest.mark.claim("E12")
def test_e12_the_factor_of_a_product_comes_before_the_sum(rng: np.random.Generator) -> None:
    G, A = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    column = Tensor(rng.normal(size=(3, 1)))
    (A * column).backward(G)
    np.testing.assert_allclose(column.grad, (G * A).sum(axis=1, keepdims=True))
    too_early = G.sum(axis=1, keepdims=True) * A.sum(axis=1, keepdims=True)
    assert not np.allclose(column.grad, too_early)


# -- E39: the stable cross-entropy -----------------------------------------------------------------


@pytest.mark.claim("E39")
def test_e39_the_shift_must_not_be_dropped() -> None:
    z, y = np.array([[800.0, -900.0]]), np.array([1])
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        as_printed = -z[0, y] + np.log(np.exp(z).sum())
        from_softmax = -np.log(np.exp(z[0, y]) / np.exp(z).sum())
        shifted_too_late = -np.log(F.softmax(z)[0, y])
    assert as_printed == math.inf
    assert not np.isfinite(from_softmax)
    assert shifted_too_late == math.inf
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        logits = Tensor(z)
        loss = F.cross_entropy(logits, y)
        loss.backward()
    assert loss.item() == 1700.0
    np.testing.assert_array_equal(logits.grad, [[1.0, -1.0]])
    np.testing.assert_array_equal(-F.log_softmax(z)[0, y], 1700.0)


@pytest.mark.claim("E39")
def test_e39_both_agree_where_both_are_finite(rng: np.random.Generator) -> None:
    z, y = rng.normal(size=(5, 3)) * 10, rng.integers(0, 3, 5)
    as_printed = (-z[np.arange(5), y] + np.log(np.exp(z).sum(axis=1))).mean()
    assert F.cross_entropy(z, y) == pytest.approx(as_printed, rel=1e-12)
