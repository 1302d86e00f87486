"""Bound the length of the gradient before a step."""

import math
from collections.abc import Iterable

import numpy as np

from minimlcourse.autodiff.tensor import Array, Tensor


def clip_grad_norm_(params: Iterable[Tensor], max_norm: float) -> float:
    r"""Shorten the gradient, all parameters taken as one vector, to a length of at most max_norm.

    .. math::
        g \leftarrow \min\Bigl(1, \frac{c}{\|g\|_2 + 10^{-6}}\Bigr)\,g

    One factor for all parameters keeps the direction of *this* mini-batch's gradient; that of the
    expected step changes, since long gradients are shortened and short ones are not. There is no
    natural c: look at the norms of a few epochs (``max_norm=math.inf`` only measures) and take
    what the rare large ones exceed.

    A norm that is infinite or NaN has no direction to keep: the gradients stay as they are, and the
    returned norm says so. (PyTorch multiplies them by 0 or NaN.)

    Parameters
    ----------
    params : iterable of Tensors
        Those whose ``grad`` is None count as 0.
    max_norm : float
        The length c, 0 or more.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    TypeError
        If ``params`` is a single Tensor.
    ValueError
        If ``max_norm`` is negative or NaN.

    Examples
    --------
    >>> w = Tensor([0.0, 0.0])
    >>> (w * [30.0, 40.0]).sum().backward()
    >>> clip_grad_norm_([w], max_norm=1.0)
    50.0
    >>> w.grad.round(4)
    array([0.6, 0.8])

    Pascanu, Mikolov and Bengio (2013). Lesson 07.
    """
    if isinstance(params, Tensor):
        raise TypeError("clip_grad_norm_: params is a Tensor, expected a list of Tensors")
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm is {max_norm}, expected 0 or more")
    holders = [p for p in params if p.grad is not None]
    with np.errstate(over="ignore", invalid="ignore"):
        norm = math.hypot(*(_norm(p.grad) for p in holders))
    factor = max_norm / (norm + 1e-6)
    if factor < 1 and math.isfinite(norm):
        for p in holders:
            p.grad *= factor
    return norm


def _norm(grad: Array | Tensor) -> float:
    values = grad._data if isinstance(grad, Tensor) else grad
    flat = values.reshape(-1)
    square = float(np.dot(flat, flat))
    if math.isfinite(square):
        return math.sqrt(square)
    # The squares may have overflowed (in float32 beyond 2e19): divide before squaring.
    largest = float(np.abs(flat).max())
    if not math.isfinite(largest):
        return largest
    flat = flat / largest
    return largest * math.sqrt(float(np.dot(flat, flat)))
