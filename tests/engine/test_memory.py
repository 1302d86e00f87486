"""What a graph costs: no recursion at any depth, no reference cycles, flat memory."""

import gc
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minimlcourse.functional as F
from minimlcourse import Tensor, no_grad
from minimlcourse.autodiff import (
    GradientError,
    Primitive,
    concatenate,
    grad,
    gradcheck,
    hessian,
    hvp,
    jacobian,
    jvp,
    stack,
    value_and_grad,
    vjp,
)
from minimlcourse.autodiff.graph import reachable

# -- depth -----------------------------------------------------------------------------------------

DEPTH = 100_000
CHAINS: dict[str, Callable[[Tensor], Tensor]] = {
    "add": lambda x: x + 1.0,
    "multiply": lambda x: x * 1.0,
    "tanh": lambda x: x.tanh(),
    "reshape": lambda x: x.reshape(()),
    "diamond": lambda x: x * 0.5 + x * 0.5,
}


def in_a_small_stack(work: Callable[[], None]) -> None:
    """Run in a thread with 4 MB of stack: recursion of any kind, C's included, would crash.

    Less would do, but for Python 3.13, which frees nested objects to a depth of thousands before it
    begins to queue them.
    """
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    former = threading.stack_size(4 * 1024 * 1024)
    try:
        thread = threading.Thread(target=guarded)
        thread.start()
    finally:
        threading.stack_size(former)
    thread.join()
    if failures:
        raise failures[0]


@pytest.mark.claim("E4")
@pytest.mark.parametrize("name", CHAINS)
def test_depth_costs_no_stack(name: str) -> None:
    """Forward, backward and the end of the graph, when all is freed at once."""

    def work() -> None:
        x = Tensor(0.001)
        y = x
        for _ in range(DEPTH):
            y = CHAINS[name](y)
        assert len(reachable(y)) == (DEPTH * 3 if name == "diamond" else DEPTH) + 1
        y.backward()
        if name != "tanh":
            assert x.grad == pytest.approx(1.0)
        last = weakref.ref(y)
        del y
        assert last() is None

    in_a_small_stack(work)


def test_second_derivatives_of_a_deep_graph() -> None:
    def work() -> None:
        def deep(x: Any) -> Any:
            for _ in range(20_000):
                x = x + 1e-5 * x
            return x**2

        assert grad(grad(deep))(1.0) == pytest.approx(2 * (1 + 1e-5) ** 40_000)

    in_a_small_stack(work)


@pytest.mark.parametrize("join", [concatenate, stack])
def test_width_is_no_obstacle_either(join: Any) -> None:
    x = Tensor([1.0])
    join([x * k for k in range(2_000)]).sum().backward()
    assert x.grad == 2_000 * 1_999 / 2


# -- cycles ----------------------------------------------------------------------------------------


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def parameters() -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [Tensor(rng.normal(size=s)) for s in [(8, 4), (8,), (3, 8), (3,)]]


X = np.random.default_rng(1).normal(size=(16, 4))
Y = np.random.default_rng(2).integers(0, 3, size=16)


def network(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    hidden = F.gelu(F.linear(X, W1, b1)) + F.relu(X @ W1.T)[:, [0, 0, 1, 2, 3, 4, 5, 6]]
    return F.linear(F.dropout(hidden, 0.1, np.random.default_rng(0)), W2, b2)


def loss(*weights: Any) -> Any:
    return F.cross_entropy(network(*weights), Y) + 1e-3 * (weights[0] ** 2).mean()


def train(steps: int, weights: list[Tensor]) -> None:
    for _ in range(steps):
        for w in weights:
            w.zero_grad()
        loss(*weights).backward()
        for w in weights:
            w.data -= 0.1 * w.grad


def fail() -> None:
    """Errors keep nothing alive either, once they are handled."""
    w = Tensor([1.0, 2.0])
    for wrong in (
        lambda: w @ np.ones(3),
        lambda: w.backward(),
        lambda: w[7],
        lambda: w.sum(axis=4),
    ):
        with pytest.raises((ValueError, IndexError)):
            wrong()
    bad = Primitive("bad", np.sin, lambda g, out, x: g)
    with pytest.raises(GradientError):
        gradcheck(bad, np.ones(2))


def predict() -> None:
    with no_grad():
        network(*parameters())


ARRAYS = tuple(p.numpy() for p in parameters())
USES: dict[str, Callable[[], Any]] = {
    "training": lambda: train(3, parameters()),
    "predicting": predict,
    "a graph that is never walked": lambda: loss(*parameters()).item(),
    "grad": lambda: grad(loss)(*ARRAYS),
    "grad of Tensors": lambda: grad(loss, (0, 1, 2, 3))(*parameters()),
    "value_and_grad": lambda: value_and_grad(loss, (0, 2))(*ARRAYS),
    "grad of grad": lambda: grad(grad(lambda x: x**3))(2.0),
    "vjp": lambda: vjp(network, *ARRAYS)[1](np.ones((16, 3))),
    "jvp": lambda: jvp(network, ARRAYS, ARRAYS),
    "jacobian": lambda: jacobian(network, 3)(*ARRAYS),
    "hessian": lambda: hessian(loss, 3)(*ARRAYS),
    "hvp": lambda: hvp(loss, ARRAYS, ARRAYS),
    "gradcheck": lambda: gradcheck(lambda b: loss(*ARRAYS[:3], b), ARRAYS[3]),
    "errors": fail,
}


@pytest.mark.parametrize("name", USES)
def test_no_reference_cycles(name: str, no_collector: None) -> None:
    USES[name]()  # caches fill up
    gc.collect()
    USES[name]()
    assert gc.collect() == 0


def test_graph_dies_with_its_last_result(no_collector: None) -> None:
    x = Tensor(np.ones(3))
    y = x * 2
    middle, last = weakref.ref(y), y.sum()
    del y
    assert middle() is not None
    last.backward()
    del last
    assert middle() is None
    np.testing.assert_array_equal(x.grad, [2.0, 2.0, 2.0])


def test_a_gradient_with_a_graph_holds_its_leaf_until_zero_grad(no_collector: None) -> None:
    """x.grad leads back to x: the one cycle there is, and zero_grad ends it."""
    x = Tensor(np.ones(3))
    (x**3).sum().backward(create_graph=True)
    assert any(node is x for node in reachable(x.grad))
    x.zero_grad()
    alive = weakref.ref(x)
    del x
    assert alive() is None
    assert gc.collect() == 0


def test_memory_of_a_training_loop_is_flat(no_collector: None) -> None:
    """100 steps leave less behind than the tenth part of one graph.

    (Python and NumPy keep some ten kilobytes of freed tuples and small arrays at hand.)
    """
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(50_000, 3)), rng.normal(size=50_000), Tensor(np.zeros(3))

    def forward() -> Tensor:
        return F.mse(F.tanh(X @ w) * 2.0, y)

    def steps(n: int) -> None:
        for _ in range(n):
            w.zero_grad()
            forward().backward()
            w.data -= 0.1 * w.grad

    tracemalloc.start()
    try:
        steps(5)
        before, _ = tracemalloc.get_traced_memory()
        graph = forward()
        held, _ = tracemalloc.get_traced_memory()
        del graph
        steps(100)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held - before > 3 * y.nbytes
    assert after - before < (held - before) / 10


def test_predicting_keeps_no_intermediate_results() -> None:
    x = Tensor(np.ones(100_000))

    def chain() -> Tensor:
        y = x
        for _ in range(20):
            y = y * 1.01
        return y

    def peak(work: Callable[[], Any]) -> int:
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(chain) > 19 * x.data.nbytes
    assert peak(no_grad()(chain)) < 3 * x.data.nbytes
