r"""A gradient to descend along, for whoever writes the loop: one that will not be asked for ever.

The loss of an example :math:`x` is :math:`\log(1 + e^{-\theta^\top x})`. Where some
:math:`\theta` has a positive product with every example, the risk has no minimum: its gradient
is nowhere zero, so that a loop that does not count its rounds never ends. Here it does.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["START", "EndlessLoop", "shrinking_rate", "slope", "steady_rate"]

#: Where a descent begins: asked for the slope here, :func:`slope` counts from zero again.
START = (0.5, -1.0)

_PATIENCE = 20_000
_calls = 0
_was_at_start = False


class EndlessLoop(RuntimeError):
    """A gradient has been asked for far more often than any descent needs."""


def slope(theta: NDArray[np.float64], example: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""The gradient of one example's loss, :math:`-x / (1 + e^{\theta^\top x})`.

    Parameters
    ----------
    theta, example : ndarray of shape (2,)

    Raises
    ------
    EndlessLoop
        After 20,000 calls since a descent came to :data:`START`.

    Examples
    --------
    >>> slope(np.zeros(2), np.array([2.0, 4.0]))
    array([-1., -2.])
    """
    global _calls, _was_at_start
    at_start = tuple(theta) == START
    if at_start and not _was_at_start:
        _calls = 0
    _was_at_start = at_start
    _calls += 1
    if _calls > _PATIENCE:
        _calls = 0
        raise EndlessLoop(f"the gradient has been asked for {_PATIENCE:,} times")
    return np.asarray(-example / (1 + np.exp(theta @ example)))


def steady_rate(t: int) -> float:
    """The learning rate 1 at every step t = 0, 1, 2, ..."""
    return 1.0


def shrinking_rate(t: int) -> float:
    """The learning rate :math:`1 / (t + 1)^2` at step t = 0, 1, 2, ..."""
    return 1.0 / (t + 1) ** 2
