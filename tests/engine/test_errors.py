"""Bad calls: each error names the operation and what it was given, and says what was expected."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor
from minimlcourse.autodiff import (
    Primitive,
    grad,
    gradcheck,
    gradgradcheck,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

A = Tensor(np.ones((2, 3)))
V = Tensor([1.0, 2.0, 3.0])
EMPTY = Tensor(np.zeros((0, 3)))
CONSTANT = Tensor([1.0], requires_grad=False)
A_SHAPE = r"float64\[2, 3\]"

OPERATIONS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # shapes that do not fit
    (lambda: A + np.ones(2), ValueError, rf"add: .*\(2,3\) \(2,\).*{A_SHAPE}, float64\[2\]"),
    (lambda: np.ones(2) - A, ValueError, rf"subtract: .*float64\[2\], {A_SHAPE}"),
    (lambda: A * np.ones((3, 2)), ValueError, rf"multiply: .*{A_SHAPE}, float64\[3, 2\]"),
    (lambda: A / np.ones(2), ValueError, rf"divide: .*{A_SHAPE}, float64\[2\]"),
    (lambda: A ** np.ones(2), ValueError, rf"power: .*{A_SHAPE}, float64\[2\]"),
    (lambda: A @ A, ValueError, rf"matmul: .*{A_SHAPE}, {A_SHAPE}"),
    (lambda: A @ 2.0, ValueError, rf"matmul: .*{A_SHAPE}, 2.0"),
    (lambda: A * [1.0, 2.0], ValueError, rf"multiply: .*{A_SHAPE}, float64\[2\]"),
    (lambda: ad.maximum(A, np.ones(2)), ValueError, rf"maximum: .*{A_SHAPE}, float64\[2\]"),
    (lambda: ad.minimum(np.ones(2), A), ValueError, rf"minimum: .*float64\[2\], {A_SHAPE}"),
    (lambda: ad.where(np.ones(2, bool), A, 0), ValueError, rf"where: .*{A_SHAPE}"),
    (lambda: ad.clip(A, np.zeros(2)), ValueError, rf"clip: .*{A_SHAPE}, float64\[2\]"),
    (lambda: A.reshape(4), ValueError, rf"reshape: .*{A_SHAPE}, shape=4"),
    (lambda: A.reshape(2, -1, -1), ValueError, rf"reshape: .*{A_SHAPE}, shape=\(2, -1, -1\)"),
    (lambda: ad.broadcast_to(A, shape=(3, 2)), ValueError, rf"broadcast_to: .*{A_SHAPE}"),
    (lambda: A.squeeze(0), ValueError, rf"squeeze: .*{A_SHAPE}, axis=0"),
    (lambda: ad.stack([A, V]), ValueError, rf"stack: .*{A_SHAPE}, float64\[3\]"),
    (lambda: ad.concatenate([A, V]), ValueError, rf"concatenate: .*{A_SHAPE}, float64\[3\]"),
    (lambda: ad.concatenate([]), ValueError, "concatenate: need at least one"),
    (lambda: ad.stack([]), ValueError, "stack: need at least one"),
    (lambda: ad.pad(A, ((1, 1),) * 3), ValueError, rf"pad: .*{A_SHAPE}"),
    (lambda: ad.pad(A, -1), ValueError, rf"pad: .*{A_SHAPE}, pad_width=-1"),
    # axes
    (lambda: A.sum(axis=2), ValueError, rf"sum: axis 2 is out of bounds .*{A_SHAPE}, axis=2"),
    (lambda: A.mean(axis=-3), ValueError, rf"mean: axis -3 is out of bounds .*{A_SHAPE}"),
    (lambda: A.var(axis=5), ValueError, r"axis 5 is out of bounds"),
    (lambda: A.max(axis=2), ValueError, rf"max: axis 2 is out of bounds .*{A_SHAPE}"),
    (lambda: A.min(axis=(0, 2)), ValueError, rf"min: axis 2 is out of bounds .*{A_SHAPE}"),
    (lambda: A.prod(axis=2), ValueError, rf"prod: axis 2 is out of bounds .*{A_SHAPE}"),
    (lambda: A.sum(axis=(0, 0)), ValueError, rf"sum: duplicate value in 'axis' .*{A_SHAPE}"),
    (lambda: A.sum(axis="rows"), TypeError, rf"sum: .*{A_SHAPE}, axis='rows'"),
    (lambda: A.sum(axis=1.0), TypeError, rf"sum: .*{A_SHAPE}, axis=1.0"),
    (lambda: A.transpose(0, 0), ValueError, rf"transpose: .*{A_SHAPE}, axes=\(0, 0\)"),
    (lambda: A.transpose(1, 0, 2), ValueError, rf"transpose: .*{A_SHAPE}, axes=\(1, 0, 2\)"),
    (lambda: A.swapaxes(0, 2), ValueError, rf"swapaxes: .*{A_SHAPE}"),
    (lambda: A.expand_dims(4), ValueError, rf"expand_dims: .*{A_SHAPE}, axis=4"),
    (lambda: ad.concatenate([A, A], axis=2), ValueError, rf"concatenate: axis 2 .*{A_SHAPE}"),
    (
        lambda: ad.concatenate([A, A], axis=None),
        TypeError,
        "concatenate: axis is None, expected an integer",
    ),
    (lambda: ad.stack([A, A], axis=4), ValueError, rf"stack: axis 4 .*{A_SHAPE}"),
    (lambda: F.softmax(A, axis=2), ValueError, rf"softmax: axis 2 .*{A_SHAPE}"),
    (lambda: F.log_softmax(A, axis=2), ValueError, rf"log_softmax: axis 2 .*{A_SHAPE}"),
    (lambda: F.logsumexp(A, axis=2), ValueError, rf"logsumexp: axis 2 .*{A_SHAPE}"),
    # nothing there
    (lambda: EMPTY.mean(), ValueError, r"mean: 0 elements along .*float64\[0, 3\]"),
    (lambda: EMPTY.max(axis=0), ValueError, r"max: zero-size array .*float64\[0, 3\], axis=0"),
    (lambda: EMPTY.min(), ValueError, r"min: zero-size array .*float64\[0, 3\]"),
    (lambda: EMPTY.var(axis=0), ValueError, r"var: 0 elements along axis 0"),
    (lambda: V.var(ddof=3), ValueError, r"var: 3 elements along axis None, expected more than 3"),
    # indices
    (lambda: A[2], IndexError, rf"getitem: index 2 is out of bounds .*{A_SHAPE}, index=2"),
    (lambda: A[0, 0, 0], IndexError, rf"getitem: too many indices .*{A_SHAPE}"),
    (lambda: A[1.5], IndexError, rf"getitem: only integers.*{A_SHAPE}, index=1.5"),
    (lambda: A[np.ones(3, bool)], IndexError, rf"getitem: boolean index did not match .*{A_SHAPE}"),
    (lambda: A[V], TypeError, "getitem: a Tensor cannot be an index"),
    (lambda: A[[0, 3]], IndexError, rf"getitem: index 3 is out of bounds .*{A_SHAPE}"),
    # dtypes
    (lambda: V * "three", TypeError, r"multiply: .*float64\[3\], 'three'"),
    (lambda: V + None, TypeError, r"add: .*float64\[3\], None"),
    (lambda: V * 1j, TypeError, r"multiply: .*complex"),
    (lambda: V + np.array([1j, 0, 0]), TypeError, r"add: .*complex"),
    (lambda: V * np.complex128(1j), TypeError, r"multiply: .*complex"),
    (lambda: np.str_("three") * V, TypeError, r"multiply: .*three"),
    (lambda: V * np.array([1, 2, 3], dtype=object), TypeError, r"multiply: .*object"),
    (lambda: ad.astype(V, dtype=int), TypeError, r"astype: .*int"),
    (lambda: ad.astype(V, dtype="nothing"), TypeError, r"astype: .*nothing"),
    (lambda: ad.clip(V, low=V), TypeError, r"clip: low is a Tensor; use maximum\(\)"),
    (lambda: ad.clip(V, high=V), TypeError, r"clip: high is a Tensor; use maximum\(\)"),
    # Tensor itself
    (lambda: Tensor(A), TypeError, r"Tensor: data is a Tensor already; use .detach\(\)"),
    (lambda: Tensor(1j), TypeError, "Tensor: data has dtype complex128, expected real"),
    (lambda: Tensor("one"), TypeError, "Tensor: data has dtype <U3, expected real"),
    (lambda: Tensor(None), TypeError, "Tensor: data has dtype object, expected real"),
    (lambda: Tensor([1], dtype=int), TypeError, "Tensor: dtype is int64, expected a floating"),
    (lambda: Tensor([[1.0], [1.0, 2.0]]), (TypeError, ValueError), "Tensor: |inhomogeneous"),
    (lambda: Tensor([A]), TypeError, r"does not turn into an array silently: use .numpy\(\)"),
    (lambda: A.item(), ValueError, r"item: a Tensor of shape \(2, 3\) has 6 elements"),
    (lambda: float(A), ValueError, r"item: a Tensor of shape \(2, 3\) has 6 elements"),
    (lambda: bool(EMPTY), ValueError, r"item: a Tensor of shape \(0, 3\) has 0 elements"),
    (lambda: bool(A > 0), ValueError, "truth value of an array"),
    (
        lambda: setattr(Tensor(V.data), "data", [1.0]),
        ValueError,
        r"data: got shape \(1,\), expected \(3,\)",
    ),
    (
        lambda: setattr(V * 2, "data", np.ones(3)),
        ValueError,
        "result of multiply cannot be replaced",
    ),
    # backward
    (lambda: (V * 2).backward(), ValueError, r"backward: the root has shape \(3,\).*sum"),
    (
        lambda: (V * 2).backward([1.0]),
        ValueError,
        r"backward: gradient has shape \(1,\), the root .*\(3,\)",
    ),
    (
        lambda: (V * 2).backward(A),
        ValueError,
        r"backward: gradient has shape \(2, 3\), the root .*\(3,\)",
    ),
    (lambda: EMPTY.backward(), ValueError, r"backward: the root has shape \(0, 3\)"),
    (lambda: CONSTANT.backward(), ValueError, "backward: nothing to differentiate"),
    (lambda: (CONSTANT * 2).sum().backward(), ValueError, "backward: nothing to differentiate"),
    # functional
    (lambda: F.linear(A, np.ones((4, 2))), ValueError, rf"linear: .*{A_SHAPE}, float64\[4, 2\]"),
    (lambda: F.linear(A, np.ones(3)), ValueError, rf"linear: .*{A_SHAPE}, float64\[3\]"),
    (lambda: F.linear(2.0, A), (TypeError, ValueError), rf"linear: .*2.0, {A_SHAPE}"),
    (
        lambda: F.linear(A, np.ones((4, 3)), np.ones(3)),
        ValueError,
        rf"linear: bias .*{A_SHAPE}, float64\[4, 3\], float64\[3\]",
    ),
    (lambda: F.mse(A, V), ValueError, r"mse: prediction has shape \(2, 3\), the target \(3,\)"),
    (lambda: F.mse(V, np.ones((3, 1))), ValueError, r"mse: .* \(3,\), the target \(3, 1\)"),
    (
        lambda: F.mse(V, V, reduction="average"),
        ValueError,
        "mse: reduction='average', expected 'mean'",
    ),
    (lambda: F.mse(EMPTY, EMPTY), ValueError, "mse: "),
    (
        lambda: F.binary_cross_entropy_with_logits(V, [1.0]),
        ValueError,
        r"binary_cross_entropy_with_logits: prediction has shape \(3,\), the target \(1,\)",
    ),
    (
        lambda: F.binary_cross_entropy_with_logits(V, V, reduction=None),
        ValueError,
        "binary_cross_entropy_with_logits: reduction=None, expected",
    ),
    (
        lambda: F.cross_entropy(A, [0]),
        ValueError,
        r"cross_entropy: target .*\(1,\).*\(2, 3\)|\(2,\)",
    ),
    (
        lambda: F.cross_entropy(A, [0, 3]),
        ValueError,
        "cross_entropy: target has classes 0 to 3, of 3",
    ),
    (
        lambda: F.cross_entropy(A, [0, -1]),
        ValueError,
        "cross_entropy: target has classes -1 to 0, of 3",
    ),
    (
        lambda: F.cross_entropy(A, [0.5, 0.5]),
        TypeError,
        r"cross_entropy: target has dtype float64 .*\(2,\)",
    ),
    (
        lambda: F.cross_entropy(A, np.eye(3)[:1]),
        TypeError,
        r"cross_entropy: target .*\(1, 3\).*\(2, 3\)",
    ),
    (
        lambda: F.cross_entropy(A, np.eye(3, dtype=int)[:2]),
        ValueError,
        r"cross_entropy: target .*\(2, 3\)",
    ),
    (lambda: F.cross_entropy(A, [True, False]), TypeError, "cross_entropy: target has dtype bool"),
    (lambda: F.cross_entropy(A, ["a", "b"]), TypeError, "cross_entropy: target has dtype <U1"),
    (
        lambda: F.cross_entropy(A, [0, 1], reduction="avg"),
        ValueError,
        "cross_entropy: reduction='avg'",
    ),
    (
        lambda: F.cross_entropy(A, A.numpy(), reduction=""),
        ValueError,
        "cross_entropy: reduction=''",
    ),
    (lambda: F.cross_entropy(Tensor(1.0), 0), (ValueError, IndexError), "cross_entropy: "),
    (lambda: F.cross_entropy(EMPTY, np.zeros(0, int)), ValueError, "cross_entropy: "),
    (lambda: F.nll(A, [0]), ValueError, r"nll: target has shape \(1,\)"),
    (lambda: F.nll(A, [0, 3]), ValueError, "nll: target has classes 0 to 3, of 3"),
    (lambda: F.nll(A, [0.0, 1.0]), TypeError, "nll: target has dtype float64"),
    (
        lambda: F.nll(A, [0, 1], reduction="avg"),
        ValueError,
        "nll: reduction='avg', expected 'mean'",
    ),
    (lambda: F.gelu(V, approximate="erf"), ValueError, "gelu: approximate='erf', expected 'none'"),
    (
        lambda: F.dropout(V, 1.0, np.random.default_rng(0)),
        ValueError,
        "dropout: p=1.0, expected 0 <= p",
    ),
    (lambda: F.dropout(V, -0.1, np.random.default_rng(0)), ValueError, "dropout: p=-0.1, expected"),
    (
        lambda: F.dropout(V, np.nan, np.random.default_rng(0)),
        ValueError,
        "dropout: p=nan, expected",
    ),
    # transforms
    (
        lambda: grad(lambda x: x * 2)(V.numpy()),
        ValueError,
        r"grad: f returned shape \(3,\), expected a single",
    ),
    (
        lambda: value_and_grad(lambda x: x)(V.numpy()),
        ValueError,
        r"value_and_grad: f returned shape \(3,\)",
    ),
    (
        lambda: hessian(lambda x: x * 2)(V.numpy()),
        ValueError,
        r": f returned shape \(3,\), expected a single",
    ),
    (lambda: hvp(lambda x: x, V.numpy(), V.numpy()), ValueError, r"hvp: f returned shape \(3,\)"),
    (lambda: grad(lambda x: (x, x))(1.0), TypeError, "grad: f returned 2 values, expected one"),
    (lambda: grad(lambda x: None)(1.0), TypeError, "grad: f returned .*None"),
    (lambda: jacobian(lambda x: "y")(1.0), TypeError, "jacobian: f returned"),
    (lambda: grad(lambda x: x, argnums=1)(1.0), ValueError, "grad: argnums holds 1, f was given 1"),
    (lambda: jacobian(lambda x: x, (0, -1))(1.0), ValueError, "jacobian: argnums holds -1"),
    (
        lambda: jvp(lambda x: x, V.numpy(), np.ones(2)),
        ValueError,
        r"jvp: tangents have shapes \[\(2,\)\], the primals \[\(3,\)\]",
    ),
    (
        lambda: hvp(lambda x: x.sum(), (V.numpy(),), (V.numpy(), V.numpy())),
        ValueError,
        r"hvp: tangents have shapes \[\(3,\), \(3,\)\], the primals \[\(3,\)\]",
    ),
    (lambda: vjp(lambda x: x, V.numpy())[1](np.ones(2)), ValueError, r"\(2,\).*\(3,\)"),
    (lambda: grad(lambda x: x)("one"), TypeError, "dtype <U3, expected real"),
    # gradcheck
    (
        lambda: gradcheck(F.relu, np.ones(2, dtype=np.float32)),
        TypeError,
        "gradcheck: input 0 has dtype float32, expected float64",
    ),
    (
        lambda: gradgradcheck(ad.multiply, (np.ones(2), np.array([1, 2]))),
        TypeError,
        "gradgradcheck: input 1 has dtype int64, expected float64",
    ),
    (
        lambda: gradcheck(lambda x: x.numpy(), np.ones(2)),
        TypeError,
        "gradcheck: f returned ndarray",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    OPERATIONS,
    ids=[f"{m[:40]}-{k}" for k, (_, _, m) in enumerate(OPERATIONS)],
)
def test_bad_call(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    text = str(caught.value)
    assert len(text) < 500
    assert text.count("[given") <= 1


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (lambda g, out, x: 1.0, (TypeError, ValueError), r"wrong: .*argument 0 returned 1\.0"),
        (lambda g, out, x: None, (TypeError, ValueError), "wrong: .*argument 0 returned None"),
        (
            lambda g, out, x: g[:1],
            ValueError,
            r"wrong: .*argument 0 returned shape \(1,\) .*\(3,\)",
        ),
        (
            lambda g, out, x: g.sum(),
            ValueError,
            r"wrong: .*argument 0 returned shape \(\) .*\(3,\)",
        ),
    ],
)
def test_a_rule_that_returns_something_else(rule: Any, error: Any, message: str) -> None:
    """Students write primitives: a slip must say in which rule it is."""
    with pytest.raises(error, match=message):
        Primitive("wrong", np.sin, rule)(V).backward(np.ones(3))


def test_a_rule_that_is_missing() -> None:
    half = Primitive("half", np.hypot, lambda g, out, a, b: g * a / out)
    np.testing.assert_allclose(grad(lambda a: half(a, 4.0))(3.0), 0.6)
    with pytest.raises((TypeError, ValueError, IndexError), match=r"half.*argument 1"):
        grad(lambda b: half(3.0, b))(4.0)


def test_the_cause_is_kept() -> None:
    with pytest.raises(ValueError, match="matmul") as caught:
        A @ A
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_error_inside_leaves_no_trace() -> None:
    """A failed operation records nothing, and recording goes on."""
    x = Tensor([1.0, 2.0])
    y = x * 2
    with pytest.raises(ValueError, match="add"):
        y + np.ones(3)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])
