"""What holds for every graph: random programs, shared sub-graphs, order, linearity, repetition."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor, no_grad
from minimlcourse.autodiff import grad, hessian, hvp, jacobian, jvp, vjp
from minimlcourse.autodiff.graph import reachable

OPERATIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "add": (2, operator.add),
    "subtract": (2, operator.sub),
    "multiply": (2, operator.mul),
    "sin": (1, lambda x: np.sin(x)),
    "tanh": (1, lambda x: np.tanh(x)),
    "mean of columns": (1, lambda x: x.mean(axis=0, keepdims=True)),
    "first row": (1, lambda x: x[:1]),
    "backwards": (1, lambda x: x[:, ::-1]),
}


@dataclass
class Program:
    """Straight-line code: each step applies an operation to results of steps before it.

    Steps 0, 1, 2 are the inputs; the value is the sum of the last two results. Most programs use a
    result several times, and compute some that lead nowhere.
    """

    steps: list[tuple[str, list[int]]]
    seed: int

    @property
    def inputs(self) -> list[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        return [rng.uniform(-1, 1, shape) for shape in ((2, 3), (2, 3), (1, 3))]

    def run(self, *inputs: Any, order: Sequence[int] | None = None) -> Any:
        results = dict(enumerate(inputs))
        for k in range(len(self.steps)) if order is None else order:
            name, places = self.steps[k]
            results[3 + k] = OPERATIONS[name][1](*(results[i] for i in places))
        return results[len(self.steps) + 1] * 1.0 + results[len(self.steps) + 2]

    def loss(self, *inputs: Any) -> Any:
        return self.run(*inputs).sum()

    def another_order(self, rng: np.random.Generator) -> list[int]:
        """The steps in a random order in which none comes before what it reads."""
        left, order = list(range(len(self.steps))), []
        while left:
            ready = [k for k in left if all(i < 3 or i - 3 in order for i in self.steps[k][1])]
            order.append(int(rng.choice(ready)))
            left.remove(order[-1])
        return order


@st.composite
def programs(draw: Any) -> Program:
    steps: list[tuple[str, list[int]]] = []
    for k in range(draw(st.integers(2, 12))):
        name = draw(st.sampled_from(sorted(OPERATIONS)))
        steps.append((name, [draw(st.integers(0, 2 + k)) for _ in range(OPERATIONS[name][0])]))
    return Program(steps, draw(st.integers(0, 2**32 - 1)))


def leaves(program: Program, **options: Any) -> list[Tensor]:
    return [Tensor(x, **options) for x in program.inputs]


def gradients(root: Any, xs: Sequence[Tensor], adjoint: Any = None) -> list[np.ndarray]:
    """The gradients of xs, 0 for those that root does not depend on; the xs are left clean."""
    if root.requires_grad:
        root.backward(adjoint)
    found = [np.zeros(x.shape) if x.grad is None else x.grad for x in xs]
    for x in xs:
        x.zero_grad()
    return found


def assert_all_close(got: Sequence[Any], want: Sequence[Any], rtol: float = 1e-11) -> None:
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * (1 + np.abs(w).max(initial=0)))


# -- laws ------------------------------------------------------------------------------------------


@given(program=programs())
def test_gradient_is_the_complex_step(program: Program) -> None:
    xs = leaves(program)
    found = gradients(program.loss(*xs), xs)
    for k, g in enumerate(found):
        v = np.random.default_rng(0).normal(size=g.shape)
        moved = program.inputs
        moved[k] = moved[k] + 1e-30j * v
        np.testing.assert_allclose(
            np.vdot(g, v), np.imag(program.loss(*moved)) / 1e-30, rtol=1e-10, atol=1e-10
        )


@given(program=programs(), seed=st.integers(0, 1000))
def test_order_of_building_does_not_matter(program: Program, seed: int) -> None:
    order = program.another_order(np.random.default_rng(seed))
    xs, ys = leaves(program), leaves(program)
    found = gradients(program.run(*xs).sum(), xs)
    assert_all_close(gradients(program.run(*ys, order=order).sum(), ys), found)
    # Nor does the order in which the variables were made.
    zs = leaves(program)[::-1]
    reborn = [Tensor(x) for x in [z.numpy() for z in zs]][::-1]
    assert_all_close(gradients(program.loss(*reborn), reborn), found)


@pytest.mark.parametrize("f", [ad.add, ad.multiply, ad.maximum, ad.minimum])
def test_commutative_operations(f: Any, rng: np.random.Generator) -> None:
    a, b = rng.integers(-2, 3, (5, 4)), rng.integers(-2, 3, 4)  # with ties
    ab, ba = [Tensor(a), Tensor(b)], [Tensor(a), Tensor(b)]
    f(*ab).backward(np.ones((5, 4)))
    f(*ba[::-1]).backward(np.ones((5, 4)))
    for x, y in zip(ab, ba, strict=True):
        np.testing.assert_array_equal(x.grad, y.grad)


@given(program=programs())
def test_pulling_back_is_linear(program: Program) -> None:
    xs = leaves(program)
    y = program.run(*xs)
    rng = np.random.default_rng(1)
    u, w = rng.normal(size=(2, *y.shape))
    both = gradients(y, xs, 3.0 * u - w)
    apart = zip(gradients(y, xs, u), gradients(y, xs, w), strict=True)
    assert_all_close(both, [3.0 * gu - gw for gu, gw in apart])


@given(program=programs())
def test_forward_and_reverse_agree(program: Program) -> None:
    """<J v, u> = <v, J^T u>, and both are products with the Jacobian."""
    inputs = tuple(program.inputs)
    rng = np.random.default_rng(1)
    vs = tuple(rng.normal(size=x.shape) for x in inputs)
    y, tangent = jvp(program.run, inputs, vs)
    value, pull = vjp(program.run, *inputs)
    np.testing.assert_array_equal(y, value)
    u = rng.normal(size=y.shape)
    np.testing.assert_allclose(
        np.vdot(tangent, u), sum(np.vdot(v, g) for v, g in zip(vs, pull(u), strict=True)), rtol=1e-9
    )
    blocks = jacobian(program.run, (0, 1, 2))(*inputs)
    for J, x in zip(blocks, inputs, strict=True):
        assert J.shape == y.shape + x.shape
    assert_all_close(pull(u), [np.tensordot(u, J, u.ndim) for J in blocks])
    assert_all_close(
        [tangent], [sum(np.tensordot(J, v, v.ndim) for J, v in zip(blocks, vs, strict=True))]
    )


@settings(max_examples=40)
@given(program=programs())
def test_second_derivatives(program: Program) -> None:
    """The Hessian is symmetric, hvp is its product with v, and both are the gradient's gradient."""
    inputs = tuple(program.inputs)
    vs = tuple(np.random.default_rng(1).normal(size=x.shape) for x in inputs)
    H = hessian(program.loss, (0, 1, 2))(*inputs)
    for i, x in enumerate(inputs):
        for j, z in enumerate(inputs):
            assert H[i][j].shape == x.shape + z.shape
            mirrored = H[j][i].transpose(*range(z.ndim, z.ndim + x.ndim), *range(z.ndim))
            assert_all_close([H[i][j]], [mirrored], rtol=1e-10)
    products = [sum(np.tensordot(H[i][j], v, v.ndim) for j, v in enumerate(vs)) for i in range(3)]
    assert_all_close(hvp(program.loss, inputs, vs), products, rtol=1e-10)

    def slope(*xs: Any) -> Any:
        return sum(
            (g * v).sum() for g, v in zip(grad(program.loss, (0, 1, 2))(*xs), vs, strict=True)
        )

    if any(np.any(block) for row in H for block in row):
        assert_all_close(grad(slope, (0, 1, 2))(*inputs), products, rtol=1e-10)


@given(program=programs())
def test_arrays_and_graphs_give_the_same(program: Program) -> None:
    """create_graph=True runs the rules on Tensors: the numbers are those of arrays."""
    xs, ys = leaves(program), leaves(program)
    root, twin = program.loss(*xs), program.loss(*ys)
    if not root.requires_grad:
        return
    root.backward()
    twin.backward(create_graph=True)
    for x, y in zip(xs, ys, strict=True):
        if x.grad is None:
            assert y.grad is None
        else:
            np.testing.assert_allclose(y.grad.numpy(), x.grad, rtol=1e-13, atol=1e-13)


@given(program=programs())
def test_float32_programs(program: Program) -> None:
    """float32 leaves keep float32 gradients, also where float64 takes part."""
    xs = leaves(program, dtype=np.float32)
    assert program.run(*xs).dtype == np.float32
    mixed = [xs[0], Tensor(program.inputs[1]), program.inputs[2]]
    y = program.run(*mixed)
    if isinstance(y, Tensor) and y.requires_grad:
        y.backward(np.ones(y.shape))
    for x in mixed[:2]:
        assert x.grad is None or (type(x.grad), x.grad.dtype) == (np.ndarray, x.dtype)


# -- what a gradient is kept in --------------------------------------------------------------------

SCALARS = [
    2,
    2.0,
    True,
    np.float64(2.0),
    np.float32(2.0),
    np.float16(2.0),
    np.int64(2),
    np.uint8(2),
]


@pytest.mark.parametrize("other", [*SCALARS, np.array(2.0), np.full(3, 2.0), [2.0, 2, 2]], ids=repr)
@pytest.mark.parametrize(
    "f", [operator.add, operator.sub, operator.mul, operator.truediv, ad.maximum, ad.where]
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_gradient_has_the_dtype_of_its_leaf(f: Any, other: Any, side: str) -> None:
    if f is ad.where:
        f = lambda a, b: ad.where(np.array([True, False, True]), a, b)  # noqa: E731
    x = Tensor([1.0, 2.0, 3.0], dtype=np.float32)
    y = f(x, other) if side == "left" else f(other, x)
    y.backward(np.ones(3))
    assert (type(x.grad), x.grad.shape, x.grad.dtype) == (np.ndarray, (3,), np.float32)


@pytest.mark.parametrize("other", [2, 2.0, True, np.float64(2.0), np.float32(2.0)], ids=repr)
@pytest.mark.parametrize("f", [operator.add, operator.mul, operator.truediv, operator.pow])
def test_scalars_do_not_widen_float32(f: Any, other: Any) -> None:
    x = Tensor([1.0, 2.0, 3.0], dtype=np.float32)
    assert f(x, other).dtype == f(other, x).dtype == np.float32


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x,
        lambda x: x * 3,
        lambda x: x * x,
        lambda x: x + x + x,
        lambda x: x.sum(),
        lambda x: x.reshape(1)[0] ** 2 + x,
        lambda x: ad.stack([x, x]).sum(),
        lambda x: F.relu(x) * np.ones((2, 2)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_of_0d_is_an_array(f: Any, dtype: Any) -> None:
    x = Tensor(2.0, dtype=dtype)
    for _ in range(2):
        y = f(x)
        y.backward(np.ones(y.shape))
        assert (type(x.grad), x.grad.shape, x.grad.dtype) == (np.ndarray, (), dtype)
    x.grad *= 2.0  # in place, as an optimizer would
    np.testing.assert_equal(type(x.grad), np.ndarray)


def test_gradients_share_no_memory() -> None:
    """Each may be changed in place: clipping one gradient must not change another."""
    a, b, c = Tensor(np.ones((2, 2))), Tensor(np.ones((2, 2))), Tensor(np.ones(4))
    adjoint = np.ones((2, 2))
    y = a + b - c.reshape(2, 2)
    y.backward(adjoint)
    arrays = [a.grad, b.grad, c.grad, adjoint]
    for i, g in enumerate(arrays):
        assert g.flags.writeable
        assert not any(np.shares_memory(g, h) for h in arrays[:i])
    for make in (lambda x: x.sum(), lambda x: x[:1].sum(), lambda x: x * 1.0, lambda x: x.T):
        x = Tensor(np.ones((2, 2)))
        y = make(x)
        y.backward(np.ones(y.shape))
        x.grad *= 2  # not a read-only view of one number
        np.testing.assert_array_equal(y.numpy(), make(np.ones((2, 2))))


def test_gradient_of_a_root_that_is_a_leaf() -> None:
    x, seed = Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    x.backward(seed)
    seed[:] = 0
    np.testing.assert_array_equal(x.grad, [3.0, 4.0])
    y = Tensor(5.0)
    y.backward()
    assert y.grad == 1.0


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("create_graph", [False, True])
def test_adjoint_given_as_a_tensor(requires_grad: bool, create_graph: bool) -> None:
    x = Tensor([1.0, 2.0], dtype=np.float32)
    u = Tensor([3.0, 4.0], requires_grad=requires_grad)
    for root, want in [(x * x, [6.0, 16.0]), (x, [3.0, 4.0])]:
        x.zero_grad()
        root.backward(u, create_graph=create_graph)
        assert isinstance(x.grad, Tensor) is create_graph
        assert x.grad.dtype == np.float32
        np.testing.assert_array_equal(x.grad.numpy() if create_graph else x.grad, want)
    assert u.grad is None


# -- accumulation ----------------------------------------------------------------------------------


@pytest.mark.claim("E3")
@pytest.mark.parametrize("k", [1, 2, 5])
def test_k_calls_give_k_times_the_gradient(k: int) -> None:
    x = Tensor([1.0, 2.0])
    y = ((x * x) * x).sum() + x[0]
    for _ in range(k):
        y.backward()
    np.testing.assert_array_equal(x.grad, k * np.array([4.0, 12.0]))


def test_backward_of_two_graphs_adds_up_until_zero_grad() -> None:
    x = Tensor([1.0, 2.0])
    (x * 3).sum().backward()
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad, [5.0, 7.0])
    x.zero_grad()
    assert x.grad is None


def test_backward_twice_with_a_graph() -> None:
    x = Tensor([1.0, 2.0])
    y = (x**3).sum()
    y.backward(create_graph=True)
    y.backward(create_graph=True)
    np.testing.assert_array_equal(x.grad.numpy(), [6.0, 24.0])
    slope = x.grad.sum()
    x.zero_grad()
    slope.backward()
    np.testing.assert_array_equal(x.grad, [12.0, 24.0])


def test_only_leaves_receive_a_gradient() -> None:
    x, c = Tensor(2.0), Tensor(3.0, requires_grad=False)
    y = x * c
    z = y * y
    z.backward()
    assert x.grad == 36.0
    assert (y.grad, z.grad, c.grad) == (None, None, None)


def test_unused_leaf_keeps_no_gradient() -> None:
    x, unused = Tensor(2.0), Tensor(3.0)
    dead_end = unused * x
    (x * x).backward()
    assert x.grad == 4.0
    assert unused.grad is None
    assert dead_end.item() == 6.0


def test_a_tensor_used_twice() -> None:
    x = Tensor([1.0, 2.0])
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])
    A = Tensor([[1.0, 2.0], [3.0, 4.0]])
    (A @ A).sum().backward()
    np.testing.assert_array_equal(
        A.grad, np.ones((2, 2)) @ A.numpy().T + A.numpy().T @ np.ones((2, 2))
    )
    b = Tensor([1.0, 2.0])
    ad.concatenate([b, b, b]).backward(np.arange(6.0))
    np.testing.assert_array_equal(b.grad, [6.0, 9.0])


def test_shared_sub_graphs_cost_no_more() -> None:
    """60 doublings: 2^60 paths, 61 nodes."""
    x = Tensor(1.0)
    y = x
    for _ in range(60):
        y = y + y
    assert len(reachable(y)) == 61
    y.backward()
    assert x.grad == 2.0**60
    x.zero_grad()
    y.backward(create_graph=True)
    assert x.grad.item() == 2.0**60


@pytest.mark.claim("C6")
def test_why_the_order_must_be_topological() -> None:
    """Depth-first without waiting for all gradients sends too little through a shared node."""
    x = Tensor(3.0)
    shared = x * x
    late = shared * 2.0 * 2.0  # two steps from shared
    (late + shared).backward()
    assert x.grad == 6.0 * (4 + 1)


# -- what is recorded ------------------------------------------------------------------------------


def test_constants_cost_nothing() -> None:
    """A result of constants has no history; one of a variable keeps only what it needs."""
    c = Tensor([1.0, 2.0], requires_grad=False)
    assert not (c * c + 1).requires_grad
    assert len(reachable((c * 2) @ Tensor([1.0, 1.0]))) == 2
    x = Tensor(1.0)
    y = (c * 2).sum() * x
    y.backward()
    assert (x.grad, c.grad) == (6.0, None)


def test_derivatives_nobody_asked_for_are_not_computed() -> None:
    asked: list[int] = []

    def rule(i: int) -> Callable[..., Any]:
        return lambda g, out, *args: (asked.append(i), g)[1]

    spy = ad.Primitive("spy", lambda a, b, c: a + b + c, rule(0), rule(1), rule(2))
    spy(Tensor(1.0), 2.0, Tensor(3.0, requires_grad=False)).backward()
    assert asked == [0]
    outside = Tensor(2.0)
    grad(lambda x: spy(outside, x, 3.0))(1.0)
    assert asked == [0, 1]


def test_detach_stops_gradients() -> None:
    x = Tensor(3.0)
    (x * (x * x).detach()).backward()
    assert x.grad == 9.0
    assert not x.detach().requires_grad
    with pytest.raises(ValueError, match="nothing to differentiate"):
        (x.detach() * 2).backward()


def test_freezing_a_leaf() -> None:
    x, w = Tensor(2.0), Tensor(3.0)
    w.requires_grad = False
    (x * w).backward()
    assert (x.grad, w.grad) == (3.0, None)
    w.requires_grad = True
    (x * w).backward()
    assert (x.grad, w.grad) == (6.0, 2.0)


def test_create_graph_inside_no_grad() -> None:
    x = Tensor([1.0, 2.0])
    y = (x**3).sum()
    with no_grad():
        y.backward(create_graph=True)
        y.backward(create_graph=True)
    slope = (x.grad * [1.0, 10.0]).sum()
    x.zero_grad()
    slope.backward()
    np.testing.assert_array_equal(x.grad, [12.0, 240.0])


def test_third_derivative_through_backward() -> None:
    x = Tensor(2.0)
    y = x**5
    for coefficient, power in [(5, 4), (20, 3), (60, 2), (120, 1)]:
        x.zero_grad()
        y.backward(create_graph=True)
        y = x.grad
        assert math.isclose(y.item(), coefficient * 2.0**power)
