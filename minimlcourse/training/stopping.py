"""When to stop: rules that look at the validation losses so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SMALLEST_LOSS = 1e-5
"""A validation loss below this is noise: a relative rise of it says nothing."""


def generalization_loss(val_loss: Sequence[float]) -> float:
    r"""How far the validation loss has risen above its lowest value, in per cent.

    .. math:: GL(t) = 100\,\Bigl(\frac{L_{val}(t)}{\min_{s \le t} L_{val}(s)} - 1\Bigr)

    A heuristic, and a relative one: it wants losses that are positive and bounded away from 0, and
    adding a constant to the loss changes it (erratum E77).

    Parameters
    ----------
    val_loss : sequence of float
        The validation losses of epochs 1 to t.

    Returns
    -------
    float
        GL(t), in per cent; 0 if the last epoch is the best.

    Raises
    ------
    ValueError
        If the lowest loss is not above 1e-5.

    Examples
    --------
    >>> round(generalization_loss([0.8, 0.5, 0.55]), 6)
    10.0

    Lesson 07; Prechelt (1998), *Early stopping, but when?*
    """
    lowest = min(val_loss)
    if not lowest > SMALLEST_LOSS:
        raise ValueError(
            f"generalization_loss: the lowest validation loss is {lowest:.3g}, expected more than "
            f"{SMALLEST_LOSS:g}: GL divides by it, so near 0 it takes noise for a rise, and below "
            "0 it has the wrong sign; use EarlyStopping(patience=...)"
        )
    return 100 * (val_loss[-1] / lowest - 1)


@dataclass(frozen=True)
class EarlyStopping:
    r"""Stop when the validation loss has turned: by a relative rule, an absolute one, or either.

    Early stopping regularises somewhat as an L2 penalty with :math:`\lambda \approx 1/(\eta t)`
    does; the two are not equivalent, not even on a quadratic (erratum E76).

    Parameters
    ----------
    alpha : float, optional
        Stop when the generalisation loss exceeds ``alpha`` per cent; see
        :func:`generalization_loss`, and what it asks of the loss. 5 is usual.
    patience : int, optional
        Stop when ``patience`` epochs in a row have not improved on the lowest loss by more than
        ``min_delta``. Adding a constant to the loss changes nothing.
    min_delta : float
        In units of the loss.

    Raises
    ------
    ValueError
        If neither rule is chosen, or a number is out of range.

    Examples
    --------
    >>> EarlyStopping(alpha=5).reason([0.8, 0.5, 0.55])
    'early stopping: the validation loss is 10 % above its lowest value'
    >>> EarlyStopping(patience=2).reason([-1.0, -2.0, -1.5, -1.7])
    'early stopping: no lower validation loss for 2 epochs'

    Lesson 07.
    """

    alpha: float | None = None
    patience: int | None = None
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if self.alpha is None and self.patience is None:
            raise ValueError("EarlyStopping: neither alpha nor patience is given")
        if self.alpha is not None and not self.alpha > 0:
            raise ValueError(f"EarlyStopping: alpha is {self.alpha}, expected more than 0 (%)")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"EarlyStopping: patience is {self.patience}, expected 1 or more")
        if not self.min_delta >= 0:
            raise ValueError(f"EarlyStopping: min_delta is {self.min_delta}, expected 0 or more")

    def reason(self, val_loss: Sequence[float]) -> str:
        """Why to stop after an epoch, given the validation losses so far; empty to go on."""
        if self.alpha is not None:
            gl = generalization_loss(val_loss)
            if gl > self.alpha:
                return f"early stopping: the validation loss is {gl:.3g} % above its lowest value"
        if self.patience is not None:
            lowest, waited = math.inf, 0
            for value in val_loss:
                if value < lowest - self.min_delta:
                    lowest, waited = value, 0
                else:
                    waited += 1
            if waited >= self.patience:
                return f"early stopping: no lower validation loss for {waited} epochs"
        return ""
