"""The Tensor as an object: made, read, printed, compared, copied; and how it meets NumPy."""

import copy
import gc
import operator
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minimlcourse
import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor, no_grad

# -- making one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (3, np.float64),
        (True, np.float64),
        ([1, 2], np.float64),
        ([[True, False]], np.float64),
        (np.arange(3, dtype=np.uint8), np.float64),
        (np.arange(3, dtype=np.int32), np.float64),
        (2.5, np.float64),
        (np.float32(2.5), np.float32),
        (np.ones(2, dtype=np.float32), np.float32),
        (np.ones(2, dtype=np.float16), np.float16),
        ([], np.float64),
        (range(3), np.float64),
    ],
)
def test_dtype_of_data(data: Any, dtype: Any) -> None:
    x = Tensor(data)
    assert x.dtype == dtype
    np.testing.assert_array_equal(x.numpy(), np.array(data, dtype=dtype))
    assert Tensor(data, dtype=np.float32).dtype == np.float32


def test_data_is_copied() -> None:
    array = np.array([1.0, 2.0])
    x = Tensor(array)
    array[:] = 0
    x.numpy()[:] = 0
    np.testing.assert_array_equal(x.numpy(), [1.0, 2.0])


def test_attributes() -> None:
    x = Tensor(np.zeros((2, 3, 4), dtype=np.float32))
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3, 4), 3, 24, 2)
    assert x.dtype == np.dtype("float32")
    assert x.T.shape == (4, 3, 2)
    assert x.requires_grad
    assert x.grad is None
    assert not Tensor(1.0, requires_grad=False).requires_grad
    assert minimlcourse.Tensor is ad.Tensor


@pytest.mark.parametrize("data", [2.5, [2.5], [[[2.5]]], np.float32(2.5)])
def test_one_element_is_a_number(data: Any) -> None:
    x = Tensor(data)
    assert x.item() == float(x) == 2.5
    assert type(x.item()) is float
    assert bool(x) is True
    assert not Tensor(np.zeros_like(data))


def test_a_loss_is_formatted_as_a_number() -> None:
    assert f"{Tensor(2.5):.2f} {Tensor([1.0, 2.0])}" == "2.50 Tensor([1., 2.])"


def test_writing_data() -> None:
    x = Tensor([1.0, 2.0], dtype=np.float32)
    memory = x.data
    x.data = [3, 4]
    assert x.data is memory
    x.data -= 0.5
    x.data[0] = 7.0
    assert x.data is memory
    np.testing.assert_array_equal(memory, np.array([7.0, 3.5], dtype=np.float32))


def test_results_are_read_only() -> None:
    x = Tensor([1.0, 2.0])
    for y in (x * 2, x.reshape(2, 1), x[:1], x.T, x + 0, (x * 2).reshape(2)):
        before = y.numpy()
        with pytest.raises(ValueError, match="read-only"):
            y.data[...] = 0
        with pytest.raises(ValueError, match="read-only"):
            y.data -= 1
        with pytest.raises(ValueError, match="cannot be replaced"):
            y.data = np.zeros(y.shape)
        np.testing.assert_array_equal(y.numpy(), before)
    x.data[0] = 5.0  # the leaf itself stays writable, whatever views of it exist
    y.numpy()[0] = 5.0  # and so does a copy


def test_detached_results_are_read_only_too() -> None:
    """They share the memory of the result, which the graph may need."""
    y = (Tensor([1.0, 2.0]) * 2).detach()
    with pytest.raises(ValueError, match="belongs to the result of an operation: use a copy"):
        y.data = [0.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 0.0


# -- showing one -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (Tensor(1.0), "Tensor(1.)"),
        (Tensor([1.0, 2.5]), "Tensor([1. , 2.5])"),
        (Tensor([1, 2], dtype=np.float32), "Tensor([1., 2.], dtype=float32)"),
        (Tensor([1.0], requires_grad=False), "Tensor([1.], requires_grad=False)"),
        (Tensor([1.0]) * 2, "Tensor([2.], op=multiply)"),
        (Tensor([1.0], np.float32).sum(), "Tensor(1., dtype=float32, op=sum)"),
        (Tensor([[1.0, 2.0], [3.0, 4.0]]), "Tensor([[1., 2.],\n        [3., 4.]])"),
        (Tensor(np.nan), "Tensor(nan)"),
    ],
)
def test_repr(x: Tensor, text: str) -> None:
    assert repr(x) == text
    assert str(x) == text


def test_repr_of_many_elements_is_short() -> None:
    assert len(repr(Tensor(np.zeros((1000, 1000))))) < 500
    assert repr(Tensor([])) == "Tensor([])"


# -- comparing, hashing, copying -------------------------------------------------------------------


@pytest.mark.parametrize(
    "op", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
)
@pytest.mark.parametrize("other", [2.0, [1.0, 2.0, 4.0], np.array([[2.0], [3.0]]), np.float32(2.0)])
def test_comparisons_are_plain_arrays(op: Any, other: Any) -> None:
    a = np.array([1.0, 2.0, 3.0])
    array = np.asarray(other)
    for got, want in [
        (op(Tensor(a), other), op(a, array)),
        (op(other, Tensor(a)), op(array, a)),
        (op(Tensor(a), Tensor(array)), op(a, array)),
    ]:
        assert type(got) is np.ndarray
        np.testing.assert_array_equal(got, want, strict=True)


def test_a_tensor_is_a_key_by_identity() -> None:
    a, b = Tensor([1.0, 2.0]), Tensor([1.0, 2.0])
    table = {a: "a", b: "b"}
    assert (table[a], table[b], len({a, b, a})) == ("a", "b", 2)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_copies(copied: Any, requires_grad: bool) -> None:
    x = Tensor(np.array([1, 2], dtype=np.float32), requires_grad=requires_grad)
    y = copied(x)
    assert (y.dtype, y.requires_grad, y.grad) == (np.float32, requires_grad, None)
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    y.data[0] = 9.0
    assert x.numpy()[0] == 1.0


def test_deepcopy_keeps_sharing() -> None:
    """A tied weight stays tied."""
    w = Tensor([1.0])
    first, second = copy.deepcopy([w, w])
    assert first is second is not w


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_results_are_not_copied(copied: Any) -> None:
    with pytest.raises(TypeError, match=r"result of multiply cannot be copied: detach\(\) it"):
        copied(Tensor([1.0]) * 2)
    assert copied((Tensor([1.0]) * 2).detach()) is not None


# -- iterating and indexing ------------------------------------------------------------------------


def test_iteration_and_unpacking_are_differentiable() -> None:
    x = Tensor([2.0, 3.0, 5.0])
    a, b, c = x
    (a * b + sum(x) + [*x][2] * c).backward()
    np.testing.assert_array_equal(x.grad, [4.0, 3.0, 11.0])
    with pytest.raises(TypeError, match="unsized"):
        iter(Tensor(1.0))
    with pytest.raises(TypeError, match="unsized"):
        len(Tensor(1.0))


def test_in_place_operators_make_new_tensors() -> None:
    x = Tensor([1.0, 2.0])
    y = x
    y += 1
    y -= 3.0
    y *= x
    y /= 2
    y **= 2
    assert y is not x
    np.testing.assert_array_equal(x.numpy(), [1.0, 2.0])
    y.sum().backward()
    want = ((x.numpy() - 2) * x.numpy()) * (2 * x.numpy() - 2) / 2
    np.testing.assert_allclose(x.grad, want)
    A = Tensor(np.eye(2))
    A @= np.ones((2, 2))
    np.testing.assert_array_equal(A.numpy(), np.ones((2, 2)))


# -- operators and methods -------------------------------------------------------------------------

OPERATORS: list[tuple[Callable[..., Any], Any]] = [
    (operator.add, ad.add),
    (operator.sub, ad.subtract),
    (operator.mul, ad.multiply),
    (operator.truediv, ad.divide),
    (operator.pow, ad.power),
    (operator.matmul, ad.matmul),
]


@pytest.mark.parametrize(("op", "function"), OPERATORS)
def test_operators(op: Any, function: Any, rng: np.random.Generator) -> None:
    a, b = rng.uniform(0.5, 2, (2, 2)), rng.uniform(0.5, 2, (2, 2))
    for left, right in [
        (Tensor(a), Tensor(b)),
        (Tensor(a), b),
        (a, Tensor(b)),
        (a.tolist(), Tensor(b)),
    ]:
        got = op(left, right)
        assert type(got) is Tensor
        assert got._history[0] is function
        np.testing.assert_array_equal(got.numpy(), op(a, b))
        got.backward(np.ones((2, 2)))
    assert op(Tensor(a), b.tolist())._history[0] is function


def test_unary_operators() -> None:
    x = Tensor([-1.0, 2.0])
    np.testing.assert_array_equal((-x).numpy(), [1.0, -2.0])
    np.testing.assert_array_equal(abs(x).numpy(), [1.0, 2.0])


METHODS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "exp": ((), {}),
    "log": ((), {}),
    "sqrt": ((), {}),
    "sin": ((), {}),
    "cos": ((), {}),
    "tanh": ((), {}),
    "abs": ((), {}),
    "sum": ((), {"axis": 1, "keepdims": True}),
    "mean": ((), {"axis": (0, 2)}),
    "max": ((1,), {}),
    "min": ((), {"axis": -1}),
    "prod": ((), {"keepdims": True}),
    "var": ((), {"axis": 0, "ddof": 1}),
    "reshape": (((4, 3),), {}),
    "transpose": (((2, 0, 1),), {}),
    "swapaxes": ((0, 2), {}),
    "squeeze": ((1,), {}),
    "expand_dims": ((-1,), {}),
    "astype": ((), {"dtype": np.float32}),
}
PLAIN = {"item", "numpy", "detach", "backward", "zero_grad"}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_the_function(name: str, rng: np.random.Generator) -> None:
    args, options = METHODS[name]
    a = rng.uniform(0.5, 2, (2, 1, 6) if name != "var" else (3, 2))
    x, y = Tensor(a), Tensor(a)
    method, function = getattr(x, name)(*args, **options), getattr(ad, name)(y, *args, **options)
    np.testing.assert_array_equal(method.numpy(), function.numpy(), strict=True)
    assert method._history[0] is function._history[0]
    u = rng.normal(size=method.shape)
    method.backward(u)
    function.backward(u)
    np.testing.assert_array_equal(x.grad, y.grad, strict=True)


def test_every_method_is_tested() -> None:
    methods = {n for n, m in vars(Tensor).items() if callable(m) and not n.startswith("_")}
    assert methods == METHODS.keys() | PLAIN


def test_shape_methods_take_numbers_or_a_tuple() -> None:
    x = Tensor(np.arange(6.0).reshape(1, 2, 3))
    for y in (x.reshape(3, 2), x.reshape((3, 2)), x.reshape([3, 2]), x.reshape(-1, 2)):
        assert y.shape == (3, 2)
    for y in (x.transpose(2, 0, 1), x.transpose((2, 0, 1)), x.transpose([2, 0, 1])):
        assert y.shape == (3, 1, 2)
    assert x.transpose().shape == x.T.shape == (3, 2, 1)
    assert x.squeeze().shape == x.squeeze(0).shape == (2, 3)
    assert x.reshape(6).shape == (6,)
    assert Tensor([[5.0]]).reshape(()).shape == ()


# -- how it meets NumPy ----------------------------------------------------------------------------

UFUNCS = [
    np.add,
    np.subtract,
    np.multiply,
    np.divide,
    np.true_divide,
    np.power,
    np.matmul,
    np.maximum,
    np.minimum,
    np.negative,
    np.exp,
    np.expm1,
    np.log,
    np.log1p,
    np.sqrt,
    np.sin,
    np.cos,
    np.tanh,
    np.sign,
    np.absolute,
    np.abs,
]


@pytest.mark.parametrize("ufunc", UFUNCS)
def test_numpy_functions_take_tensors(ufunc: np.ufunc, rng: np.random.Generator) -> None:
    arrays = [rng.uniform(0.5, 2, (2, 2)) for _ in range(ufunc.nin)]
    for k in range(ufunc.nin):
        mixed: list[Any] = list(arrays)
        mixed[k] = x = Tensor(arrays[k])
        y = ufunc(*mixed)
        assert type(y) is Tensor
        np.testing.assert_array_equal(y.numpy(), ufunc(*arrays))
        y.backward(np.ones((2, 2)))
        assert x.grad.shape == (2, 2)


@pytest.mark.parametrize("scalar", [np.float64(2.0), np.float32(2.0), np.int64(2), np.array(2.0)])
def test_numpy_scalars_on_the_left(scalar: Any) -> None:
    x = Tensor([1.0, 2.0])
    for op in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        y = op(scalar, x)
        assert type(y) is Tensor
        np.testing.assert_array_equal(y.numpy(), op(scalar, x.numpy()))


def test_array_at_tensor() -> None:
    X, w = np.array([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, -1.0])
    y = X @ w
    assert type(y) is Tensor
    y.sum().backward()
    np.testing.assert_array_equal(w.grad, [4.0, 6.0])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda x: np.square(x), "np.square"),
        (lambda x: np.arctan2(x, 1.0), "np.arctan2"),
        (lambda x: np.isnan(x), "np.isnan"),
        (lambda x: np.add.reduce(x), "np.add.reduce"),
        (lambda x: np.equal.outer(x, [1.0, 2.0]), "np.equal.outer"),
        (lambda x: np.multiply.outer(x, x), "np.multiply.outer"),
        (lambda x: np.add(x, 1, out=np.zeros(2)), "np.add"),
        (lambda x: np.less(x, 1, out=np.zeros(2, bool)), "np.less"),
        (lambda x: operator.iadd(np.ones(2), x), "np.add"),
    ],
)
def test_what_has_no_rule_is_refused(call: Any, named: str) -> None:
    with pytest.raises(TypeError, match=f"{named} has no rule for Tensors"):
        call(Tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    "call",
    [
        np.asarray,
        np.array,
        lambda x: np.array([x, x]),
        lambda x: np.concatenate([x, x]),
        lambda x: np.stack([x, x]),
        lambda x: np.where(True, x, 0),
        lambda x: np.dot(x, x),
        lambda x: np.linalg.norm(x),
        lambda x: np.argmax(x),
        lambda x: np.clip(x, 0, 1),
        np.sum,
        np.mean,
        np.max,
    ],
)
def test_no_silent_conversion(call: Any) -> None:
    """An array function would drop the history: it says what to use instead."""
    with pytest.raises(TypeError, match=r"minimlcourse|\.numpy\(\)"):
        call(Tensor([1.0, 2.0]))


# -- no_grad ---------------------------------------------------------------------------------------


def recorded() -> bool:
    return (Tensor(1.0) * 2).requires_grad


def test_no_grad_as_a_context() -> None:
    with no_grad():
        assert not recorded()
        with no_grad():
            assert not recorded()
        assert not recorded()
    assert recorded()
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert recorded()


def test_no_grad_as_a_decorator() -> None:
    @no_grad()
    def predict(fail: bool) -> bool:
        """What it does."""
        if fail:
            raise KeyError
        return recorded()

    assert predict.__doc__ == "What it does."
    for _ in range(2):
        assert not predict(False)
        with pytest.raises(KeyError):
            predict(True)
        assert recorded()


def test_leaves_made_under_no_grad_are_variables() -> None:
    with no_grad():
        x = Tensor(3.0)
    (x * x).backward()
    assert x.grad == 6.0


def test_no_grad_concerns_its_own_thread() -> None:
    """A widget that predicts must not stop another thread's training from being recorded."""
    inside, release = threading.Event(), threading.Event()
    seen: dict[str, bool] = {}

    def predict() -> None:
        with no_grad():
            inside.set()
            release.wait(10)
            seen["predicting"] = recorded()

    def train() -> None:
        seen["training"] = recorded()

    predictor = threading.Thread(target=predict)
    predictor.start()
    assert inside.wait(10)
    assert recorded()
    with no_grad():
        trainer = threading.Thread(target=train)
        trainer.start()
        trainer.join(10)
    release.set()
    predictor.join(10)
    assert seen == {"predicting": False, "training": True}


def test_threads_build_and_walk_graphs_at_once() -> None:
    w = Tensor(np.ones(50))
    results: list[Any] = []

    def work(k: int) -> None:
        for _ in range(50):
            results.append((k, ad.grad(lambda x: (F.relu(x * k) * w.detach()).sum())(np.ones(50))))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 200
    for k, g in results:
        np.testing.assert_array_equal(g, np.full(50, float(k)))


def test_nothing_here_warns() -> None:
    """Making, using and dropping Tensors leaves no warning behind."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = Tensor([[1.0, 2.0]])
        ((x @ x.T).exp().log() ** 2).sum().backward()
        del x
        gc.collect()
