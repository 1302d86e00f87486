"""Stochastic gradient descent, with momentum and Nesterov's variant."""

from collections.abc import Iterable, Sequence

import numpy as np

from minimlcourse.autodiff.tensor import Array, Tensor
from minimlcourse.optim.optimizer import FLUSH_EVERY, Optimizer, flush_denormals


class SGD(Optimizer):
    r"""Stochastic gradient descent.

    .. math::
        g &\leftarrow \nabla L(\theta) + \lambda\,\theta \\
        v &\leftarrow \mu\,v + g \\
        \theta &\leftarrow \theta - \eta\,v
        \qquad\text{or, with Nesterov,}\qquad
        \theta \leftarrow \theta - \eta\,(g + \mu\,v)

    Under a constant gradient v tends to :math:`g/(1-\mu)`: momentum 0.9 makes the effective step
    ten times :math:`\eta`. Compare runs with and without momentum at equal :math:`\eta/(1-\mu)`,
    or tune each. On a quadratic of curvature at most L the steps are stable for
    :math:`\eta < 2(1+\mu)/L` (without Nesterov). Papers also write
    :math:`v \leftarrow \mu v + (1-\mu)g`, the same path at another :math:`\eta`, or
    :math:`v \leftarrow \mu v - \eta g`, the same path as long as :math:`\eta` does not change.

    For SGD, and for it alone, an L2 penalty and weight decay are one thing: without momentum each
    step multiplies :math:`\theta` by :math:`1-\eta\lambda`.

    Parameters
    ----------
    params : iterable of Tensors
        The leaves to train.
    lr : float
        The learning rate :math:`\eta \ge 0`.
    momentum : float
        :math:`\mu` in [0, 1). One state vector is kept unless it is 0.
    weight_decay : float
        :math:`\lambda \ge 0`, the gradient of the penalty :math:`\lambda\|\theta\|^2/2`.
    nesterov : bool
        Look ahead along v; needs momentum.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer`; ``ValueError`` for ``nesterov`` without momentum.

    Examples
    --------
    >>> w = Tensor([1.0])
    >>> optimizer = SGD([w], lr=0.5)
    >>> (3.0 * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([-0.5])

    Robbins and Monro (1951); Polyak (1964); Nesterov (1983), in the form of Sutskever et al.
    (2013). Lesson 06.
    """

    hyperparameters = ("lr", "momentum", "weight_decay", "nesterov")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self.momentum = self._number("momentum", momentum, below=1)
        self.nesterov = bool(nesterov)
        if self.nesterov and self.momentum == 0:
            raise ValueError("SGD: nesterov is True and momentum is 0, expected momentum > 0")
        super().__init__(params, lr, weight_decay, state=("v",) if self.momentum else ())

    def _update(self, g: Array, u: Array, state: Sequence[Array], t: int) -> None:
        if self.momentum == 0:
            np.multiply(g, self.lr, out=u)
            return
        (v,) = state
        v *= self.momentum
        v += g
        if t % FLUSH_EVERY == 0:
            flush_denormals(v)
        if self.nesterov:
            np.multiply(v, self.momentum, out=u)
            u += g
            u *= self.lr
        else:
            np.multiply(v, self.lr, out=u)
