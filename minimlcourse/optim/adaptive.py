r"""RMSProp, Adam and AdamW: the step of each coordinate is divided by the size of its gradients.

All three divide by :math:`\sqrt v + \varepsilon`, with :math:`\varepsilon` *outside* the root.
Some texts, and one table of the report, write :math:`\sqrt{v + \varepsilon}`: another algorithm,
in which :math:`\varepsilon = 10^{-8}` weighs like :math:`10^{-4}` does here (to pass from our form
to theirs, square it). The preconditioner is diagonal: it helps when curvatures differ *along the
coordinate axes*, and depends on the axes, which gradient descent does not.

**Scaled moments.** A running mean :math:`m \leftarrow \beta m + (1-\beta)g` costs three passes over
the vector; the sum :math:`M = m/(1-\beta)` obeys :math:`M \leftarrow \beta M + g`, which costs two,
and the factor :math:`1-\beta` joins the numbers that multiply the whole step anyway. The state
vectors below are such sums; capitals say so.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from minimlcourse.autodiff.tensor import Array, Tensor
from minimlcourse.optim.optimizer import FLUSH_EVERY, Optimizer, flush_denormals


class RMSProp(Optimizer):
    r"""Gradient descent with each coordinate divided by the root of its mean squared gradient.

    .. math::
        g &\leftarrow \nabla L(\theta) + \lambda\,\theta \\
        v &\leftarrow \alpha\,v + (1-\alpha)\,g^2 \\
        b &\leftarrow \mu\,b + \frac{g}{\sqrt v + \varepsilon} \\
        \theta &\leftarrow \theta - \eta\,b

    v starts at 0 and is not corrected for it, so the first steps are long: the first one moves each
    coordinate by :math:`\eta/\sqrt{1-\alpha}`, ten times :math:`\eta` for the default
    :math:`\alpha`. The penalty is part of g, hence it is divided as well (see :class:`AdamW`).

    Parameters
    ----------
    params : iterable of Tensors
        The leaves to train.
    lr : float
        The learning rate :math:`\eta \ge 0`.
    alpha : float
        :math:`\alpha` in [0, 1): the mean remembers about :math:`1/(1-\alpha)` steps.
    eps : float
        :math:`\varepsilon \ge 0`, added outside the root. With 0, a coordinate that has never had a
        gradient gets 0/0.
    weight_decay : float
        :math:`\lambda \ge 0`, the gradient of the penalty :math:`\lambda\|\theta\|^2/2`.
    momentum : float
        :math:`\mu` in [0, 1). State: one vector, two with momentum.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer`.

    Examples
    --------
    >>> w = Tensor([1.0, 1.0])
    >>> optimizer = RMSProp([w], lr=0.025)
    >>> (w * [1e6, -1e-3]).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(4)
    array([0.75, 1.25])

    Tieleman and Hinton, lecture 6.5 of *Neural networks for machine learning* (2012). Lesson 06.
    """

    hyperparameters = ("lr", "alpha", "eps", "weight_decay", "momentum")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        self.alpha = self._number("alpha", alpha, below=1)
        self.eps = self._number("eps", eps)
        self.momentum = self._number("momentum", momentum, below=1)
        super().__init__(params, lr, weight_decay, state=("V", "B") if self.momentum else ("V",))

    def _update(self, g: Array, u: Array, state: Sequence[Array], t: int) -> None:
        V, *momentum = state
        r = math.sqrt(1 - self.alpha)  # √v = r √V

        V *= self.alpha
        np.multiply(g, g, out=u)
        V += u
        np.sqrt(V, out=u)
        u += self.eps / r
        np.divide(g, u, out=u)  # r g / (√v + ε)
        if momentum:
            (B,) = momentum  # r b
            B *= self.momentum
            B += u
            np.multiply(B, self.lr / r, out=u)
        else:
            u *= self.lr / r

        if t % FLUSH_EVERY == 0:
            _flush_moments(momentum, V, self.eps)


class Adam(Optimizer):
    r"""Adam: momentum divided by the root of the mean squared gradient, both free of initial bias.

    .. math::
        g &\leftarrow \nabla L(\theta) + \lambda\,\theta \\
        m &\leftarrow \beta_1 m + (1-\beta_1)\,g, & \hat m &= m/(1-\beta_1^t) \\
        v &\leftarrow \beta_2 v + (1-\beta_2)\,g^2, & \hat v &= v/(1-\beta_2^t) \\
        \theta &\leftarrow \theta - \eta\,\frac{\hat m}{\sqrt{\hat v} + \varepsilon}

    *Bias corrections.* Both moments start at 0 and both are too small at first, v by far the more:
    without them the first step would be :math:`(1-\beta_1)/\sqrt{1-\beta_2} \approx 3.2` times too
    **long**. With them it is :math:`\eta` in each coordinate, whatever the gradient (as long as it
    is large beside :math:`\varepsilon`).

    *Scale.* Multiply the loss by c, and :math:`\hat m` and :math:`\sqrt{\hat v}` are both
    multiplied by c: the path is the same, exactly for :math:`\varepsilon = 0` and :math:`\lambda =
    0`, and else as long as :math:`\varepsilon` stays small beside :math:`\sqrt{\hat v}`.

    *L2 is not weight decay here.* The penalty is part of g and is divided too: a coordinate with
    large gradients is hardly held back, and one without any shrinks by about :math:`\eta` a step
    whatever :math:`\lambda` is. :class:`AdamW` decays the weights themselves.

    *Memory.* Two vectors of state (m, v), where momentum keeps one and plain SGD none; with the
    parameters and their gradients, four times the parameters (and two working vectors here).

    *No guarantee.* Adam can converge to the worst point of a convex online problem (Reddi, Kale
    and Kumar 2018); near a minimum its steps stay of order :math:`\eta` until :math:`\eta` is
    lowered.

    Parameters
    ----------
    params : iterable of Tensors
        The leaves to train.
    lr : float
        The learning rate :math:`\eta \ge 0`.
    betas : pair of floats
        :math:`(\beta_1, \beta_2)`, both in [0, 1).
    eps : float
        :math:`\varepsilon \ge 0`, added outside the root. With 0, a coordinate that has never had a
        gradient gets 0/0.
    weight_decay : float
        :math:`\lambda \ge 0`, the gradient of the penalty :math:`\lambda\|\theta\|^2/2`.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer`.

    Examples
    --------
    >>> w = Tensor([1.0, 1.0])
    >>> optimizer = Adam([w], lr=0.25)
    >>> (w * [1e6, -1e-3]).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(4)
    array([0.75, 1.25])

    Kingma and Ba (2015). Lesson 06.
    """

    hyperparameters = ("lr", "betas", "eps", "weight_decay")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        try:
            beta1, beta2 = betas
        except (TypeError, ValueError):
            raise TypeError(
                f"{type(self).__name__}: betas is {betas!r}, expected a pair of numbers"
            ) from None
        self.betas = (
            self._number("betas[0]", beta1, below=1),
            self._number("betas[1]", beta2, below=1),
        )
        self.eps = self._number("eps", eps)
        super().__init__(params, lr, weight_decay, state=("M", "V"))

    def _update(self, g: Array, u: Array, state: Sequence[Array], t: int) -> None:
        M, V = state
        beta1, beta2 = self.betas
        # With M = m/(1-β₁), V = v/(1-β₂) and r = √((1-β₂ᵗ)/(1-β₂)):  √v̂ = √V/r,  so that
        # η m̂/(√v̂ + ε)  =  η r (1-β₁)/(1-β₁ᵗ) · M/(√V + r ε).
        r = math.sqrt((1 - beta2**t) / (1 - beta2))

        M *= beta1
        M += g
        V *= beta2
        np.multiply(g, g, out=u)
        V += u
        np.sqrt(V, out=u)
        u += r * self.eps
        np.divide(M, u, out=u)
        u *= self.lr * r * (1 - beta1) / (1 - beta1**t)

        if t % FLUSH_EVERY == 0:
            _flush_moments([M], V, self.eps)


class AdamW(Adam):
    r"""Adam with decoupled weight decay: the weights shrink by a factor, whatever their gradients.

    .. math::
        \theta \leftarrow (1 - \eta\lambda)\,\theta
        - \eta\,\frac{\hat m}{\sqrt{\hat v} + \varepsilon}

    with the moments of :class:`Adam` for the gradient of the loss alone. Like PyTorch's, the decay
    is multiplied by the learning rate and follows its schedule; the paper multiplies it by the
    schedule's factor only.

    Parameters
    ----------
    params, lr, betas, eps
        As :class:`Adam`.
    weight_decay : float
        :math:`\lambda \ge 0`.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer`.

    Examples
    --------
    Without a gradient of the loss, only the decay is left:

    >>> w = Tensor([8.0])
    >>> optimizer = AdamW([w], lr=0.5, weight_decay=0.5)
    >>> (0.0 * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([6.])

    Loshchilov and Hutter (2019). Lesson 06.
    """

    decoupled_decay = True

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


def _flush_moments(first: Iterable[Array], V: Array, eps: float) -> None:
    for vector in first:
        flush_denormals(vector)
    # Beside ε the root of a denormal V is nothing, so flushing V changes no step; but where ε is
    # itself as small, or 0, that root keeps M/√V finite.
    if eps**2 > np.finfo(V.dtype).smallest_normal:
        flush_denormals(V)
