r"""Activations, the softmax family and losses, as functions.

Each is written so that it is accurate for every input: no exponential of a large positive number is
ever taken. Like the primitives that they join, they take Tensors and arrays alike and return an
array when given arrays alone.

Losses take ``reduction="mean"`` (over the samples, the default), ``"sum"`` or ``"none"``.

Lessons 03 (activations), 04 (rules), 08 and 09 (losses).
"""

import math
from typing import Any

import numpy as np

from minimlcourse.autodiff.graph import Primitive
from minimlcourse.autodiff.primitives import _lift, exp, normal_cdf, sum, tanh
from minimlcourse.autodiff.tensor import Array, Axis, Operand, Result, Tensor

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "gelu",
    "linear",
    "log_softmax",
    "logsumexp",
    "mse",
    "nll",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "tanh",
]

# -- activations -----------------------------------------------------------------------------------

relu = Primitive(
    "relu",
    lambda x: np.maximum(x, 0),
    lambda g, out, x: g * (out > 0),
    reads_inputs=False,
    doc=r""":math:`\max(x, 0)`, with :math:`\bar x = g\,1[x > 0]`: at 0 the sub-gradient 0.""",
)


def _real(x: Any) -> Array:
    """The array in floating point: pixels and counts come as integers."""
    x = np.asarray(x)
    return x.astype(np.float64) if x.dtype.kind in "iub" else x


def _real_operand(x: Any) -> Any:
    return x if isinstance(x, Tensor) else _real(x)


def _sigmoid_value(x: Array) -> Array:
    x = _real(x)
    # e^-|x| never overflows, and the two branches keep full relative accuracy in both tails.
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


sigmoid = Primitive(
    "sigmoid",
    _sigmoid_value,
    lambda g, out, x: g * out * (1 - out),
    reads_inputs=False,
    doc=r""":math:`\sigma(x) = 1 / (1 + e^{-x})`, with :math:`\bar x = g\,\sigma(1 - \sigma)`.""",
)
softplus = Primitive(
    "softplus",
    lambda x: np.logaddexp(_real(x), 0),
    lambda g, out, x: g * sigmoid(x),
    doc=r""":math:`\log(1 + e^x)`, with :math:`\bar x = g\,\sigma(x)`.""",
)
_gelu = Primitive(
    "gelu",
    lambda x: (lambda cdf: (x * cdf, cdf))(normal_cdf(x)),
    lambda g, cdf, x: g * (cdf + x * exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))),
    keep=normal_cdf,
)


def gelu(x: Operand, approximate: str = "none") -> Result:
    r"""Gaussian error linear unit :math:`x\,\Phi(x)`, with Φ the standard normal distribution.

    ``approximate="tanh"`` is :math:`\frac x2 (1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3)))` and
    ``"sigmoid"`` is :math:`x\,\sigma(1.702\,x)`, which errs by up to 0.0203 (erratum E8).

    Source: Hendrycks and Gimpel, *Gaussian Error Linear Units*, 2016.
    """
    x = _real_operand(x)
    if approximate == "none":
        return _gelu(x)
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    if approximate == "sigmoid":
        return x * sigmoid(1.702 * x)
    raise ValueError(f"gelu: approximate={approximate!r}, expected 'none', 'tanh' or 'sigmoid'")


def dropout(x: Operand, p: float, rng: np.random.Generator) -> Result:
    r"""Zero each element with probability p and divide the others by 1 - p.

    The expectation is x. Source: Srivastava et al., *Dropout*, 2014.
    """
    if not 0 <= p < 1:
        raise ValueError(f"dropout: p={p}, expected 0 <= p < 1")
    x = _real_operand(x)
    kept = rng.random(x.shape, dtype=np.float32) >= p
    return x * (kept / np.asarray(1 - p, dtype=x.dtype))


# -- the softmax family ----------------------------------------------------------------------------


def _shift(x: Array, axis: Axis) -> Array:
    """The largest element along the axis, or 0 where it is infinite: what is safe to subtract."""
    m = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(m), m, 0).astype(m.dtype, copy=False)


def _logsumexp_value(x: Array, axis: Axis, keepdims: bool) -> Array:
    x = _real(x)
    m = _shift(x, axis)
    with np.errstate(divide="ignore"):
        out = np.log(np.sum(np.exp(x - m), axis=axis, keepdims=True)) + m
    return out if keepdims else np.squeeze(out, axis)


_logsumexp = Primitive(
    "logsumexp",
    _logsumexp_value,
    lambda g, out, x, axis, keepdims: _lift(g, x, axis) * softmax(x, axis),
)
_softmax = Primitive(
    "softmax",
    lambda x, axis: _softmax_value(x, axis),
    lambda g, out, x, axis: out * (g - sum(g * out, axis, keepdims=True)),
    reads_inputs=False,
)
_log_softmax = Primitive(
    "log_softmax",
    lambda x, axis: _log_softmax_value(x, axis),
    lambda g, out, x, axis: g - exp(out) * sum(g, axis, keepdims=True),
    reads_inputs=False,
)


def _softmax_value(x: Array, axis: Axis) -> Array:
    x = _real(x)
    e = np.exp(x - _shift(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


def _log_softmax_value(x: Array, axis: Axis) -> Array:
    x = _real(x)
    shifted = x - _shift(x, axis)
    with np.errstate(divide="ignore"):  # where all are -inf
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Result:
    r""":math:`m + \log\sum_i e^{x_i - m}` with :math:`m = \max_i x_i`; -inf if there is no element.

    The gradient is the softmax of x.
    """
    return _logsumexp(x, axis=axis, keepdims=keepdims)


def softmax(x: Operand, axis: Axis = -1) -> Result:
    r""":math:`e^{x_i - m} / \sum_j e^{x_j - m}` with :math:`m = \max_j x_j`, along the axis."""
    return _softmax(x, axis=axis)


def log_softmax(x: Operand, axis: Axis = -1) -> Result:
    r""":math:`x_i - m - \log\sum_j e^{x_j - m}`: the logarithm of softmax, without computing it."""
    return _log_softmax(x, axis=axis)


# -- layers and losses -----------------------------------------------------------------------------


def _linear_value(x: Array, weight: Array, bias: Array | None = None) -> Array:
    if weight.ndim != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError("x @ weight.T needs x (..., in) and weight (out, in)")
    # What @ would call, but without @'s own overhead; for stacks of matrices @ is the faster one.
    out = x.dot(weight.T) if x.ndim <= 2 else x @ weight.T
    if bias is not None:
        if bias.shape != (len(weight),):
            raise ValueError("bias must have shape (out,)")
        out += bias
    return out


def _linear_weight(g: Any, out: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    if x.ndim == 2:
        return g.T @ x
    samples = math.prod(x.shape[:-1])
    return g.reshape(samples, len(weight)).T @ x.reshape(samples, x.shape[-1])


linear = Primitive(
    "linear",
    _linear_value,
    lambda g, out, x, weight, bias=None: g @ weight,
    _linear_weight,
    lambda g, out, x, weight, bias: g,
    doc=r"""linear(x, weight, bias=None): the affine map :math:`x W^\top + b`.

    x is (..., in), weight (out, in), bias (out,) or None; the result (..., out) has the dtype of
    x @ weight.T. With :math:`\bar x = G W,\ \bar W = G^\top x,\ \bar b = \sum_i G_i`.
    """,
)


def _reduced(name: str, losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{name}: reduction={reduction!r}, expected 'mean', 'sum' or 'none'")
    total = sum(losses) if isinstance(losses, Tensor) else np.add.reduce(losses, axis=None)
    if reduction == "sum":
        return total
    if losses.size == 0:
        raise ValueError(f"{name}: there are no samples to average over")
    return total / losses.size


def _same_shape(name: str, x: Any, target: Any) -> None:
    if x.shape != target.shape:
        raise ValueError(f"{name}: prediction has shape {x.shape}, the target {target.shape}")


def mse(prediction: Operand, target: Operand, reduction: str = "mean") -> Result:
    r"""Squared error :math:`(\hat y_i - y_i)^2`, elementwise (the mean is over all elements).

    Shapes must agree: (n,) against (n, 1) would silently broadcast to (n, n).
    """
    prediction, target = _real_operand(prediction), _real_operand(target)
    _same_shape("mse", prediction, target)
    error = prediction - target
    return _reduced("mse", error * error, reduction)


def binary_cross_entropy_with_logits(
    logits: Operand, target: Operand, reduction: str = "mean"
) -> Result:
    r""":math:`-y \log\sigma(z) - (1 - y)\log(1 - \sigma(z))` for logits z and targets y in [0, 1].

    Computed as :math:`y\,\mathrm{softplus}(-z) + (1 - y)\,\mathrm{softplus}(z)`, which is accurate
    for logits of any size. Shapes must agree.
    """
    name = "binary_cross_entropy_with_logits"
    logits, target = _real_operand(logits), _real_operand(target)
    _same_shape(name, logits, target)
    losses = target * softplus(-logits) + (1 - target) * softplus(logits)
    return _reduced(name, losses, reduction)


def _places_of_classes(name: str, target: Array, shape: tuple[int, ...]) -> Array:
    """Check the target; return where its scores lie in scores (..., K) copied to (K, n), flat."""
    if target.dtype.kind not in "iu":
        raise TypeError(
            f"{name}: target has dtype {target.dtype} and shape {target.shape}, expected integers "
            f"of shape {shape[:-1]} or probabilities of shape {shape}"
        )
    if not shape or target.shape != shape[:-1]:
        raise ValueError(f"{name}: target has shape {target.shape}, the scores {shape}")
    try:  # one call for the check and the indices
        n = target.size
        return np.ravel_multi_index((target.reshape(-1), np.arange(n)), (shape[-1], n))
    except ValueError:
        raise ValueError(
            f"{name}: target has classes {target.min()} to {target.max()}, of {shape[-1]}"
        ) from None


def _cross_entropy_value(logits: Array, target: Array, reduction: str) -> tuple[Any, Array]:
    """The loss, and for the rule its gradient: softmax minus one-hot, over n for the mean."""
    places = _places_of_classes("cross_entropy", target, logits.shape)
    # Classes go first: reducing over a long last axis is much faster than over a short one.
    z = logits.reshape(-1, logits.shape[-1]).T.copy()
    flat = z.reshape(-1)
    z -= np.maximum.reduce(z, 0)
    at_target = flat[places]
    np.exp(z, out=z)
    total = np.add.reduce(z, 0)
    losses = np.log(total)
    losses -= at_target
    loss = _reduced("cross_entropy", losses.reshape(target.shape), reduction)
    n = target.size if reduction == "mean" else 1
    total *= n
    z /= total
    flat[places] -= 1 / n
    return loss, z.T.reshape(logits.shape)


def _cross_entropy_gradient(logits: Any, target: Array, reduction: str) -> Any:
    error = softmax(logits) - np.eye(logits.shape[-1], dtype=logits.dtype)[target]
    return error / target.size if reduction == "mean" else error


_cross_entropy = Primitive(
    "cross_entropy",
    _cross_entropy_value,
    lambda g, gradient, logits, target, reduction: (
        gradient * (g.reshape((*g.shape, 1)) if reduction == "none" else g)
    ),
    keep=_cross_entropy_gradient,
)


def cross_entropy(logits: Operand, target: Operand, reduction: str = "mean") -> Result:
    r"""Cross-entropy of softmax(z) against classes or probabilities.

    .. math:: \ell_i = -\sum_k t_{ik} \log p_{ik}
              = -(z_{iy_i} - m_i) + \log\sum_k e^{z_{ik} - m_i}, \qquad m_i = \max_k z_{ik},

    with gradient :math:`p_i - t_i`. The shift by m is what keeps it finite (erratum E39).

    Parameters
    ----------
    logits : (n, K), or any shape whose last axis is the classes
    target : (n,) integers in 0..K-1, or (n, K) probabilities
    reduction : "mean", "sum" or "none"

    Raises
    ------
    TypeError, ValueError
        For targets of another shape or dtype, or classes outside 0..K-1.
    """
    logits = _real_operand(logits)
    target = target if isinstance(target, Tensor) else np.asarray(target)
    if target.shape == logits.shape and target.dtype.kind == "f":
        losses = _real_operand(sum(-(target * log_softmax(logits)), axis=-1))
        return _reduced("cross_entropy", losses, reduction)
    return _cross_entropy(logits, target, reduction=reduction)


def nll(log_probs: Operand, target: Operand, reduction: str = "mean") -> Result:
    r"""Negative log-likelihood :math:`-\log p_{i y_i}`, given the logarithms of the probabilities.

    Parameters
    ----------
    log_probs : (n, K), usually from :func:`log_softmax`
    target : (n,) integers in 0..K-1
    reduction : "mean", "sum" or "none"
    """
    log_probs, target = _real_operand(log_probs), np.asarray(target)
    _places_of_classes("nll", target, log_probs.shape)
    flat = log_probs.reshape(target.size, log_probs.shape[-1])
    picked = flat[np.arange(target.size), target.reshape(-1)].reshape(target.shape)
    return _reduced("nll", -picked, reduction)
