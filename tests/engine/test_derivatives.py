"""Every function of the engine: its value and its first and second derivatives, as properties.

The table is in ``cases.py``. Values are compared with plain NumPy, derivatives along random
directions with complex steps and with central differences of plain NumPy.
"""

import inspect
from typing import Any

import numpy as np
import pytest
from cases import CASES, TAKES_COMPLEX, Call
from hypothesis import given, settings
from hypothesis import strategies as st

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor
from minimlcourse.autodiff import Primitive, primitives
from minimlcourse.autodiff.graph import reachable

STEP = 1e-30
every_case = pytest.mark.parametrize("name", CASES)


def assert_close(got: Any, want: Any, tolerance: float) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(
        got, want, rtol=tolerance, atol=tolerance * np.abs(want).max(initial=1.0)
    )


def directions(arrays: list[np.ndarray], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 1.5, size=x.shape) * rng.choice([-1, 1], size=x.shape) for x in arrays]


def inner(xs: Any, ys: Any) -> float:
    return float(sum(np.vdot(x, y) for x, y in zip(xs, ys, strict=True)))


def along(function: Any, arrays: list[np.ndarray], vs: list[np.ndarray]) -> np.ndarray:
    """The derivative of a function along the directions vs, by a complex step."""
    moved = function(*(x + STEP * 1j * v for x, v in zip(arrays, vs, strict=True)))
    return np.imag(moved) / STEP


def difference(function: Any, arrays: list[np.ndarray], vs: list[np.ndarray], eps: float) -> Any:
    """The same by a central difference."""
    sides = [function(*(x + s * v for x, v in zip(arrays, vs, strict=True))) for s in (eps, -eps)]
    return (sides[0] - sides[1]) / (2 * eps)


@every_case
@settings(max_examples=30)
@given(data=st.data())
def test_value_and_gradient(name: str, data: st.DataObject) -> None:
    call: Call = data.draw(CASES[name])
    xs = [Tensor(x) for x in call.arrays]
    y = call.ours(*xs)
    assert type(y) is Tensor
    assert_close(y.numpy(), call.plain(*call.arrays), 1e-13)
    from_arrays = call.ours(*call.arrays)
    assert isinstance(from_arrays, (np.ndarray, np.generic))
    assert from_arrays.dtype == y.dtype
    assert_close(from_arrays, y.numpy(), 1e-15)

    (u,), vs = directions([y.numpy()], seed=1), directions(call.arrays)
    y.backward(u)
    for x in xs:
        assert type(x.grad) is np.ndarray
        assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
    slope = inner([x.grad for x in xs], vs)
    scale = 1 + float(np.abs(u).sum())
    assert_close(slope, inner([u], [along(call.plain, call.arrays, vs)]), 1e-12 * scale)
    assert_close(slope, inner([u], [difference(call.plain, call.arrays, vs, 1e-6)]), 1e-7 * scale)
    if name.split(",")[0] in TAKES_COMPLEX:
        assert_close(slope, inner([u], [along(call.ours, call.arrays, vs)]), 1e-12 * scale)


@every_case
@settings(max_examples=20)
@given(data=st.data())
def test_second_derivative(name: str, data: st.DataObject) -> None:
    """Of <u, f(x)> along v then w, and of its gradient along w with respect to u."""
    call: Call = data.draw(CASES[name])
    xs = [Tensor(x) for x in call.arrays]
    y = call.ours(*xs)
    u = Tensor(directions([y.numpy()], seed=1)[0])
    vs, ws = directions(call.arrays), directions(call.arrays, seed=2)
    y.backward(u, create_graph=True)
    for x in xs:
        assert type(x.grad) is Tensor
        assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
    slope = sum((x.grad * w).sum() for x, w in zip(xs, ws, strict=True))
    for x in xs:
        x.zero_grad()
    slope.backward()

    scale = 1 + float(np.abs(u.numpy()).sum())
    assert_close(u.grad, along(call.plain, call.arrays, ws), 1e-12 * scale)

    def first(*arrays: np.ndarray) -> float:
        return inner([u.numpy()], [along(call.plain, list(arrays), ws)])

    curvature = inner([np.zeros(x.shape) if x.grad is None else x.grad for x in xs], vs)
    assert_close(curvature, difference(first, call.arrays, vs, 1e-5), 1e-6 * scale)


@every_case
@settings(max_examples=12)
@given(data=st.data())
def test_float32(name: str, data: st.DataObject) -> None:
    """float32 in, float32 out, and close to what float64 gives."""
    call: Call = data.draw(CASES[name])
    singles = [x.astype(np.float32) for x in call.arrays]
    xs, doubles = [Tensor(x) for x in singles], [Tensor(x, dtype=np.float64) for x in singles]
    y, exact = call.ours(*xs), call.ours(*doubles)
    assert y.dtype == (exact.dtype if call.widens else np.float32)
    scale = float(np.abs(exact.numpy()).max(initial=1))
    assert_close(y.numpy(), exact.numpy(), 1e-5 * scale)
    (u,) = directions([y.numpy()])
    y.backward(u)
    exact.backward(u)
    for x, twin in zip(xs, doubles, strict=True):
        assert x.grad.dtype == np.float32
        assert_close(x.grad, twin.grad, 1e-4 * scale)
        x.zero_grad()
    y.backward(u, create_graph=True)
    assert {x.grad.dtype for x in xs} == {np.dtype(np.float32)}


def reversed_in_memory(x: Tensor) -> Tensor:
    """x backwards, so that its memory must be read with negative strides to find x again."""
    return x[tuple(slice(None, None, -1) for _ in x.shape)]


def every_second(x: Tensor) -> Tensor:
    return x[(..., *(slice(None, None, 2),) * (x.ndim > 0))]


LAYOUTS = {
    "negative strides": (lambda x: x[(slice(None, None, -1),) * x.ndim].copy(), reversed_in_memory),
    "gaps": (lambda x: np.repeat(x, 2, axis=-1) if x.ndim else x, every_second),
    "columns first": (lambda x: x.T.copy(), lambda x: x.T),
}


@every_case
@settings(max_examples=12)
@given(data=st.data(), layout=st.sampled_from(sorted(LAYOUTS)))
def test_memory_layout(name: str, data: st.DataObject, layout: str) -> None:
    """How the numbers lie in memory does not matter."""
    call: Call = data.draw(CASES[name])
    store, view = LAYOUTS[layout]
    leaves = [Tensor(store(x)) for x in call.arrays]
    xs = [Tensor(x) for x in call.arrays]
    y, expected = call.ours(*map(view, leaves)), call.ours(*xs)
    assert_close(y.numpy(), expected.numpy(), 1e-13)
    (u,) = directions([expected.numpy()])
    y.backward(u)
    expected.backward(u)
    for leaf, x in zip(leaves, xs, strict=True):
        assert_close(view(leaf.grad), x.grad, 1e-13)
    # Constants: read-only, strided.
    arrays = [np.asarray(view(leaf.numpy())) for leaf in leaves]
    for array in arrays:
        array.flags.writeable = False
    assert_close(call.ours(*arrays), expected.numpy(), 1e-13)


# -- nothing is forgotten --------------------------------------------------------------------------


def public_functions() -> set[str]:
    """The functions of the table of primitives and of functional, found by looking."""
    found = set()
    for module in (primitives, F):
        for name, value in vars(module).items():
            ours = isinstance(value, Primitive) or (
                inspect.isfunction(value) and value.__module__ == module.__name__
            )
            if ours and not name.startswith("_"):
                found.add(name)
    return found


def test_every_function_has_a_case() -> None:
    named = {name.split(",")[0] for name in CASES}
    assert {"add", "getitem", "mse"} <= public_functions()
    assert named == public_functions()
    assert TAKES_COMPLEX <= named


def test_every_function_is_exported() -> None:
    tools = {"GradientError", "Primitive", "Tensor", "gradcheck", "gradgradcheck", "no_grad"}
    transforms = {"grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"}
    assert set(ad.__all__) | set(F.__all__) == public_functions() | tools | transforms


def test_every_primitive_is_reached() -> None:
    """Also the private ones: by the calls of the table and by their derivatives."""
    table = {
        p.name
        for module in (primitives, F)
        for p in vars(module).values()
        if isinstance(p, Primitive)
    }
    reached: set[str] = set()

    @settings(max_examples=5)
    @given(data=st.data())
    def visit(data: st.DataObject) -> None:
        for strategy in CASES.values():
            call = data.draw(strategy)
            xs = [Tensor(x) for x in call.arrays]
            y = call.ours(*xs)
            y.backward(Tensor(np.ones(y.shape)), create_graph=True)
            for root in (y, *(x.grad for x in xs)):
                reached.update(node._history[0].name for node in reachable(root) if node._history)

    visit()
    assert table <= reached
