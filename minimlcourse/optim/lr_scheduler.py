r"""Learning-rate schedules: the rate as a function of the number of ``scheduler.step()`` calls.

Each schedule is written in closed form, :math:`\eta_t = f(\eta_{\max}, t)`, where
:math:`\eta_{\max}` is the rate that the optimizer had when the schedule was made: the rate can be
plotted without training, and t is all that has to be saved. Whether t counts epochs or mini-batches
is decided by where ``step()`` is called, after ``optimizer.step()``.
"""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from minimlcourse.optim.optimizer import Optimizer, number


class LRScheduler(ABC):
    """A schedule that sets ``optimizer.lr``: at construction for t = 0, then at each ``step()``.

    Attributes
    ----------
    base_lr : float
        The rate of the optimizer at construction.
    last_epoch : int
        t, the number of calls of ``step()`` so far (PyTorch's name, whatever t counts).
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base_lr = optimizer.lr
        self.last_epoch = 0
        optimizer.lr = self.lr_at(0)

    @abstractmethod
    def _rate(self, base_lr: float, t: int) -> float:
        """The schedule itself: the rate after t steps from ``base_lr``."""

    def lr_at(self, t: int) -> float:
        """The learning rate after t steps, whether they have been taken or not."""
        return self._rate(self.base_lr, t)

    def step(self) -> None:
        """Move to the next t, and set the optimizer's rate."""
        self.last_epoch += 1
        self.optimizer.lr = self.lr_at(self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """The current rate, in a list of one (PyTorch has one rate for each parameter group)."""
        return [self.lr_at(self.last_epoch)]

    def state_dict(self) -> dict[str, float]:
        """``base_lr`` and ``last_epoch``; the rest is given at construction."""
        return {"base_lr": self.base_lr, "last_epoch": self.last_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state, and set the optimizer's rate accordingly.

        Raises
        ------
        ValueError
            If ``state`` is not what ``state_dict`` returns.
        """
        owner = f"{type(self).__name__}.load_state_dict"
        if state.keys() != {"base_lr", "last_epoch"}:
            raise ValueError(f"{owner}: got {sorted(state)}, expected base_lr and last_epoch")
        base_lr = number(owner, "base_lr", float(state["base_lr"]))
        self.base_lr, self.last_epoch = base_lr, int(state["last_epoch"])
        self.optimizer.lr = self.lr_at(self.last_epoch)


class StepLR(LRScheduler):
    r"""Multiply the rate by gamma every ``step_size`` steps.

    .. math:: \eta_t = \gamma^{\lfloor t/s \rfloor}\,\eta_{\max}

    Parameters
    ----------
    optimizer : Optimizer
        Its ``lr`` is the first rate.
    step_size : int
        s, 1 or more.
    gamma : float
        :math:`\gamma \ge 0`.

    Raises
    ------
    TypeError, ValueError
        If ``step_size`` is not a positive integer or ``gamma`` is negative.

    Examples
    --------
    >>> from minimlcourse import Tensor, optim
    >>> schedule = StepLR(optim.SGD([Tensor(0.0)], lr=0.8), step_size=2, gamma=0.5)
    >>> [schedule.lr_at(t) for t in range(6)]
    [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]

    Lesson 07.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = _count("StepLR", "step_size", step_size)
        self.gamma = number("StepLR", "gamma", gamma)
        super().__init__(optimizer)

    def _rate(self, base_lr: float, t: int) -> float:
        return base_lr * self.gamma ** (t // self.step_size)


class CosineAnnealingLR(LRScheduler):
    r"""Half a period of a cosine from the first rate down to ``eta_min``.

    .. math::
        \eta_t = \eta_{\min} + \tfrac12(\eta_{\max} - \eta_{\min})
        \Bigl(1 + \cos\frac{\pi t}{T_{\max}}\Bigr)

    The period of this formula is :math:`2T_{\max}`, not :math:`T_{\max}`: after :math:`T_{\max}`
    steps the rate climbs back the way it came, here as in PyTorch. Train for :math:`T_{\max}`
    steps, or restart with :class:`CosineAnnealingWarmRestarts`.

    Parameters
    ----------
    optimizer : Optimizer
        Its ``lr`` is :math:`\eta_{\max}`.
    T_max : int
        The length of the descent in steps, 1 or more.
    eta_min : float
        The last rate, 0 or more.

    Raises
    ------
    TypeError, ValueError
        If ``T_max`` is not a positive integer or ``eta_min`` is negative.

    Examples
    --------
    >>> from minimlcourse import Tensor, optim
    >>> schedule = CosineAnnealingLR(optim.SGD([Tensor(0.0)], lr=1.0), T_max=10)
    >>> [round(schedule.lr_at(t), 3) for t in (0, 5, 10, 15, 20)]
    [1.0, 0.5, 0.0, 0.5, 1.0]

    Loshchilov and Hutter (2017). Lesson 07.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = _count("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = number("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer)

    def _rate(self, base_lr: float, t: int) -> float:
        return _cosine(base_lr, self.eta_min, t / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    r"""SGDR: cosine descents that start again, each ``T_mult`` times as long as the one before.

    .. math::
        \eta_t = \eta_{\min} + \tfrac12(\eta_{\max} - \eta_{\min})
        \Bigl(1 + \cos\frac{\pi\,t_{\text{cur}}}{T_i}\Bigr),
        \qquad T_i = T_0\,T_{\text{mult}}^{\,i}

    where :math:`t_{\text{cur}} < T_i` counts the steps since the last restart: the rate jumps back
    to :math:`\eta_{\max}` where it would have reached :math:`\eta_{\min}`. The restarts are *warm*:
    the parameters, and the state of the optimizer, go on.

    Parameters
    ----------
    optimizer : Optimizer
        Its ``lr`` is :math:`\eta_{\max}`.
    T_0 : int
        The length of the first descent in steps, 1 or more.
    T_mult : int
        The factor from each descent to the next, 1 or more.
    eta_min : float
        The rate that the descents aim at, 0 or more.

    Raises
    ------
    TypeError, ValueError
        If ``T_0`` or ``T_mult`` is not a positive integer or ``eta_min`` is negative.

    Examples
    --------
    >>> from minimlcourse import Tensor, optim
    >>> schedule = CosineAnnealingWarmRestarts(optim.SGD([Tensor(0.0)], lr=1.0), T_0=2, T_mult=2)
    >>> [round(schedule.lr_at(t), 3) for t in range(7)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]

    Loshchilov and Hutter (2017). Lesson 07.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0
    ) -> None:
        self.T_0 = _count("CosineAnnealingWarmRestarts", "T_0", T_0)
        self.T_mult = _count("CosineAnnealingWarmRestarts", "T_mult", T_mult)
        self.eta_min = number("CosineAnnealingWarmRestarts", "eta_min", eta_min)
        super().__init__(optimizer)

    def _rate(self, base_lr: float, t: int) -> float:
        length = self.T_0
        if self.T_mult == 1:
            t %= length
        while t >= length:
            t -= length
            length *= self.T_mult
        return _cosine(base_lr, self.eta_min, t / length)


class LinearWarmup(LRScheduler):
    r"""A straight line up to the optimizer's rate, then another schedule, if one is given.

    .. math::
        \eta_t = \Bigl(f + (1-f)\,\frac tT\Bigr)\,\eta_{\max} \quad (t < T),
        \qquad \eta_t = \text{after}_{t-T} \quad (t \ge T)

    The line is PyTorch's ``LinearLR``, the two together its ``SequentialLR`` with the milestone T.
    Call ``step()`` of the warm-up only: it drives ``after``.

    Parameters
    ----------
    optimizer : Optimizer
        Its ``lr`` is :math:`\eta_{\max}`.
    total_iters : int
        T, the length of the warm-up in steps, 1 or more.
    start_factor : float
        f in [0, 1), the fraction of :math:`\eta_{\max}` to start from.
    after : LRScheduler, optional
        A schedule of the same optimizer, just made. Without it the rate stays at
        :math:`\eta_{\max}`.

    Raises
    ------
    TypeError, ValueError
        If ``total_iters`` is not a positive integer, ``start_factor`` is out of range, or ``after``
        drives another optimizer or has already taken steps.

    Examples
    --------
    >>> from minimlcourse import Tensor, optim
    >>> optimizer = optim.SGD([Tensor(0.0)], lr=1.0)
    >>> schedule = LinearWarmup(optimizer, 4, 0.2, after=CosineAnnealingLR(optimizer, T_max=2))
    >>> [round(schedule.lr_at(t), 3) for t in range(7)]
    [0.2, 0.4, 0.6, 0.8, 1.0, 0.5, 0.0]

    Goyal et al. (2017). Lesson 07.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        start_factor: float = 1 / 3,
        after: LRScheduler | None = None,
    ) -> None:
        self.total_iters = _count("LinearWarmup", "total_iters", total_iters)
        self.start_factor = number("LinearWarmup", "start_factor", start_factor, below=1)
        self.after = after
        if after is not None:
            if after.optimizer is not optimizer:
                raise ValueError("LinearWarmup: after drives another optimizer")
            if after.last_epoch:
                raise ValueError(f"LinearWarmup: after has taken {after.last_epoch} steps already")
            optimizer.lr = after.base_lr
        super().__init__(optimizer)

    def _rate(self, base_lr: float, t: int) -> float:
        if t < self.total_iters:
            return base_lr * (self.start_factor + (1 - self.start_factor) * t / self.total_iters)
        return base_lr if self.after is None else self.after._rate(base_lr, t - self.total_iters)


def _cosine(start: float, end: float, progress: float) -> float:
    """Half a cosine from start (progress 0) to end (progress 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def _count(owner: str, name: str, value: int) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{owner}: {name} is {value!r}, expected an integer") from None
    if count < 1:
        raise ValueError(f"{owner}: {name} is {count}, expected 1 or more")
    return count
