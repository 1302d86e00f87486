"""Arrays that change between the forward and the backward pass: detected, and no false alarms."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import CASES
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor, no_grad
from minimlcourse.autodiff.graph import fingerprint

REFUSED = "was changed in place after the forward pass"
READ_NOTHING = set(
    """add subtract negative exp expm1 sqrt tanh sign where sum mean concatenate stack pad astype
    relu sigmoid softmax log_softmax""".split()
)
"""Functions whose rules need no input: changing one is harmless, and not refused."""

# -- never silently wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15)
@given(data=st.data(), create_graph=st.booleans(), constant=st.booleans())
def test_never_silently_wrong(
    name: str, data: st.DataObject, create_graph: bool, constant: bool
) -> None:
    """An operand is scribbled on: the gradient is what it would have been, or it is refused."""
    call = data.draw(CASES[name])
    k = data.draw(st.integers(0, len(call.arrays) - 1))
    xs: list[Any] = [Tensor(x) for x in call.arrays]
    if constant and len(xs) > 1:
        xs[k] = call.arrays[k].copy()
    y = call.ours(*xs)
    variables = [x for x in xs if isinstance(x, Tensor)]
    u = np.random.default_rng(0).normal(size=y.shape)
    y.backward(u)
    expected = [x.grad for x in variables]
    for x in variables:
        x.zero_grad()

    scribbled = xs[k].data if isinstance(xs[k], Tensor) else xs[k]
    scribbled[...] = 0.123
    try:
        y.backward(u, create_graph=create_graph)
    except ValueError as error:
        assert REFUSED in str(error)
        assert name not in READ_NOTHING
        assert all(x.grad is None for x in variables)
    else:
        for x, want in zip(variables, expected, strict=True):
            got = x.grad.numpy() if create_graph else x.grad
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def write_all(w: Tensor) -> None:
    w.data[...] = 7.0


def subtract_in_place(w: Tensor) -> None:
    w.data -= 0.5


def replace(w: Tensor) -> None:
    w.data = w.numpy() + 1


def write_one(w: Tensor) -> None:
    w.data[-1] *= 1 + 1e-15


def multiply_out(w: Tensor) -> None:
    np.multiply(w.data, 2, out=w.data)


def sort(w: Tensor) -> None:
    w.data.sort()


def flip_signs(w: Tensor) -> None:
    np.negative(w.data, out=w.data)


def through_detach(w: Tensor) -> None:
    w.detach().data[...] = 7.0


def through_a_view(w: Tensor) -> None:
    with no_grad():
        view = w.reshape(2, -1)
    view.data[0, 0] = 7.0


def as_an_optimizer(w: Tensor) -> None:
    w._data -= 0.5
    w._touch()


WRITERS = [
    write_all,
    subtract_in_place,
    replace,
    write_one,
    multiply_out,
    sort,
    flip_signs,
    through_detach,
    through_a_view,
    as_an_optimizer,
]


@pytest.mark.parametrize("change", WRITERS)
@pytest.mark.parametrize("n", [4, 5000])
@pytest.mark.parametrize("read_before", [False, True])
def test_a_changed_leaf_is_named(
    change: Callable[[Tensor], None], n: int, read_before: bool, rng: np.random.Generator
) -> None:
    w, x = Tensor(rng.normal(size=n)), Tensor(rng.normal(size=n))
    if read_before:
        assert w.data.shape == (n,)
    loss = (x * w).sum()
    change(w)
    message = re.escape(f"backward: argument 1 of multiply, of shape ({n},), {REFUSED}")
    with pytest.raises(ValueError, match=message):
        loss.backward()
    assert (x.grad, w.grad) == (None, None)
    with pytest.raises(ValueError, match=message):
        loss.backward(create_graph=True)


@pytest.mark.parametrize("change", WRITERS)
def test_a_view_or_a_constant_tensor_that_changed(
    change: Callable[[Tensor], None], rng: np.random.Generator
) -> None:
    """The graph may hold a view of the leaf, or a constant Tensor."""
    w = Tensor(rng.normal(size=4))
    loss = (w.reshape(2, 2) * np.ones((2, 2))).sum() + w[1:].exp().prod()
    change(w)
    with pytest.raises(ValueError, match=REFUSED):
        loss.backward()
    c, x = Tensor(rng.normal(size=4), requires_grad=False), Tensor(np.ones(4))
    loss = (x * c).sum()
    change(c)
    with pytest.raises(ValueError, match=REFUSED):
        loss.backward()


@pytest.mark.parametrize("later", [False, True])
def test_a_kept_reference_to_data(later: bool) -> None:
    """Reading ``data`` is what lets a leaf change unseen: before or after the forward pass."""
    w = Tensor([1.0, 2.0, 3.0])
    memory = None if later else w.data
    loss = (w * w).sum()
    memory = w.data if later else memory
    memory[0] = 9.0
    with pytest.raises(ValueError, match=REFUSED):
        loss.backward()
    memory[0] = 1.0  # put back: nothing has changed
    loss.backward()
    np.testing.assert_array_equal(w.grad, [2.0, 4.0, 6.0])


@pytest.mark.parametrize(
    ("named", "f"),
    [
        ("argument 0 of matmul", lambda X, w: X @ w),
        ("argument 0 of linear", lambda X, w: F.linear(X, w.reshape(1, -1))),
        ("argument 1 of divide", lambda X, w: w / X),
        ("argument 1 of power", lambda X, w: w**X),
        ("argument 1 of maximum", lambda X, w: ad.maximum(w, X)),
        ("argument 0 of multiply", lambda X, w: X[:, ::-1] * w),
    ],
)
def test_a_changed_constant_is_named(named: str, f: Any) -> None:
    X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    w = Tensor([1.0, 2.0, 3.0])
    loss = f(X, w).sum()
    X *= -1
    with pytest.raises(ValueError, match=rf"{named}, of shape \(2, 3\), {REFUSED}"):
        loss.backward()


def test_a_condition_that_changed() -> None:
    mask, w = np.array([True, False]), Tensor([1.0, 2.0])
    loss = ad.where(mask, w, 0.0).sum() + w[mask].sum()
    mask[:] = True
    loss.backward()
    np.testing.assert_array_equal(w.grad, [2.0, 0.0])


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (F.cross_entropy, np.array([0, 1])),
        (F.cross_entropy, np.array([[0.5, 0.5], [1.0, 0.0]])),
        (F.mse, np.ones((2, 2))),
        (F.binary_cross_entropy_with_logits, np.ones((2, 2))),
    ],
)
def test_a_target_that_changed(loss: Any, target: np.ndarray) -> None:
    z = Tensor([[1.0, 2.0], [3.0, 5.0]])
    value = loss(z, target)
    value.backward()
    expected = z.grad
    z.zero_grad()
    target[0] = 0.25 if target.dtype.kind == "f" else 1
    try:
        value.backward()
    except ValueError as error:
        assert REFUSED in str(error)
    else:  # a rule that kept the error itself does not need the target
        np.testing.assert_allclose(z.grad, expected)


def test_vjp_of_a_tensor_that_changed() -> None:
    """``pull`` may be called long after f was."""
    w = Tensor([1.0, 2.0])
    _, pull = ad.vjp(lambda x: x * x, w)
    w.data = [10.0, 20.0]
    try:
        pulled = pull(np.ones(2))
    except ValueError as error:
        assert REFUSED in str(error)
    else:
        np.testing.assert_array_equal(pulled.numpy(), [2.0, 4.0])


def test_vjp_of_an_array_that_changed() -> None:
    a = np.array([1.0, 2.0])
    _, pull = ad.vjp(lambda x: x * x, a)
    a[:] = 10.0
    np.testing.assert_array_equal(pull(np.ones(2)), [2.0, 4.0])


# -- no false alarms -------------------------------------------------------------------------------


def problem() -> tuple[np.ndarray, np.ndarray, Tensor]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    return X, X @ np.array([1.0, -2.0, 0.5]), Tensor(np.zeros(3))


def step_by_subtraction(w: Tensor) -> None:
    w.data -= 0.1 * w.grad


def step_by_assignment(w: Tensor) -> None:
    w.data = w.data - 0.1 * w.grad


def step_by_slices(w: Tensor) -> None:
    w.data[...] = w.data - 0.1 * w.grad


def step_without_reading(w: Tensor) -> None:
    w._data -= 0.1 * w.grad
    w._touch()


@pytest.mark.parametrize(
    "step", [step_by_subtraction, step_by_assignment, step_by_slices, step_without_reading]
)
@pytest.mark.parametrize("look", [False, True])
def test_training_loops(step: Callable[[Tensor], None], look: bool) -> None:
    X, y, w = problem()
    for _ in range(200):
        loss = F.mse(X @ w, y)
        if look:
            assert repr(w)
            assert w.data.shape == (3,)
            assert (w == w.numpy()).all()
            assert len(list(w)) == 3
        w.zero_grad()
        loss.backward()
        step(w)
    np.testing.assert_allclose(w.numpy(), [1.0, -2.0, 0.5], atol=1e-6)


def test_one_batch_buffer_filled_again_and_again() -> None:
    X, y, w = problem()
    batch, target = np.empty((5, 3)), np.empty(5)
    for k in range(400):
        rows = np.arange(5) + 5 * (k % 4)
        batch[:], target[:] = X[rows], y[rows]
        w.zero_grad()
        F.mse(batch @ w, target).backward()
        w.data -= 0.1 * w.grad
    np.testing.assert_allclose(w.numpy(), [1.0, -2.0, 0.5], atol=1e-4)


def test_finite_differences_between_forward_and_backward() -> None:
    X, y, w = problem()
    w.data[:] = [0.3, -0.2, 0.1]
    loss = F.mse(X @ w, y)
    slopes = np.empty(3)
    for i in range(3):
        sides = []
        for eps in (1e-6, -1e-6):
            former = w.data[i]
            w.data[i] += eps
            sides.append(F.mse(X @ w, y).item())
            w.data[i] = former
        slopes[i] = (sides[0] - sides[1]) / 2e-6
    loss.backward()
    np.testing.assert_allclose(w.grad, slopes, rtol=1e-7)


def test_several_losses_of_one_leaf() -> None:
    w = Tensor([1.0, 2.0])
    first, second = (w * w).sum(), (w**3).sum()
    first.backward()
    second.backward()
    w.data -= 0.1
    third = (w * w).sum()
    third.backward()
    np.testing.assert_allclose(w.grad, [2 + 3 + 1.8, 4 + 12 + 3.8])
    with pytest.raises(ValueError, match=REFUSED):
        first.backward()  # an old graph, after the step


def test_data_that_no_rule_reads_may_change() -> None:
    """Sums, exp and relu need no input: changing one is neither wrong nor refused."""
    w, c = Tensor([1.0, -2.0]), np.array([3.0, 4.0])
    loss = (F.relu(w) + (w.exp() - c) + w.sum() + F.softmax(w)).sum()
    expected = np.array([1.0, 0.0]) + np.exp(w.numpy()) + 2
    w.data[:] = 100.0
    c[:] = 100.0
    loss.backward()
    np.testing.assert_allclose(w.grad, expected)


def test_data_outside_the_walk_may_change() -> None:
    w, unused = Tensor([1.0, 2.0]), np.ones(2)
    loss = (w * w).sum()
    other = w * unused
    unused[:] = 0
    loss.backward()
    np.testing.assert_array_equal(w.grad, [2.0, 4.0])
    assert other.shape == (2,)


# -- the fingerprint -------------------------------------------------------------------------------

ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.uint8, bool]),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    elements=st.integers(0, 1),
    fill=st.integers(0, 1),
)


@given(array=ARRAYS, long=st.booleans(), layout=st.sampled_from(["C", "F", "gaps"]), data=st.data())
def test_no_single_change_escapes(
    array: np.ndarray, long: bool, layout: str, data: st.DataObject
) -> None:
    if long and array.ndim:
        array = np.repeat(array, 700, axis=0)
    if layout == "gaps":
        array = np.stack([array, array], axis=-1)[..., 0]
    else:
        array = array.copy(layout)
    before = fingerprint(array)
    assert fingerprint(array) == before
    if array.size:
        place = np.unravel_index(data.draw(st.integers(0, array.size - 1)), array.shape)
        former = array[place]
        array[place] = 1 - former
        assert fingerprint(array) != before
        array[place] = former
    assert fingerprint(array) == before


@pytest.mark.parametrize("n", [50, 300, 10_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("whole", [True, False])
def test_what_happens_in_practice_is_seen(
    n: int, dtype: Any, whole: bool, rng: np.random.Generator
) -> None:
    """Of long constants a sample is enough: they are shuffled, scaled, filled again."""
    original = rng.normal(size=(n, 2)).astype(dtype)
    before = fingerprint(original, whole)
    changes: list[Callable[[np.ndarray], Any]] = [
        rng.shuffle,
        lambda a: a.__imul__(2),
        lambda a: np.negative(a, out=a),
        lambda a: a.__iadd__(1),
        lambda a: a.fill(0),
        lambda a: a.__setitem__(slice(None), a[::-1].copy()),
        lambda a: a.__isub__(a.mean()),
        lambda a: a.sort(axis=0),
        lambda a: a[n // 2 :].fill(0),
    ]
    for change in changes:
        array = original.copy()
        assert fingerprint(array, whole) == before
        change(array)
        assert fingerprint(array, whole) != before
