"""Scores of predicted classes.

True labels come first, predicted ones second, as in scikit-learn; a label is an integer. Where a
network gives scores of shape (n, K), its prediction is ``scores.argmax(axis=1)``.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["accuracy", "confusion_matrix"]


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    r"""The fraction of labels that are right.

    .. math:: \frac1n \sum_{i=1}^n \mathbb 1[\hat y_i = y_i]

    Parameters
    ----------
    y_true, y_pred
        True and predicted labels, integers, (n,) with n at least 1.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the labels are not two vectors of the same length, at least 1.
    TypeError
        If they are not integers.

    Examples
    --------
    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 1])
    0.75
    """
    true, predicted = _labels("accuracy", y_true, y_pred)
    return float((true == predicted).mean())


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, n_classes: int | None = None
) -> NDArray[np.int64]:
    r"""Who is taken for whom: true classes in rows, predicted classes in columns.

    .. math:: C_{kl} = \#\{i : y_i = k,\ \hat y_i = l\}

    so that the rows sum to the class counts and the trace over n is the accuracy.

    Parameters
    ----------
    y_true, y_pred
        True and predicted labels, integers from 0, (n,) with n at least 1.
    n_classes
        K; by default one more than the largest label present.

    Returns
    -------
    ndarray of int64, (K, K)

    Raises
    ------
    ValueError
        If the labels are not two vectors of the same length, at least 1, or not all within
        0..K - 1.
    TypeError
        If they are not integers.

    Examples
    --------
    >>> confusion_matrix([0, 1, 2, 2], [0, 1, 2, 1])
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 1, 1]])
    """
    true, predicted = _labels("confusion_matrix", y_true, y_pred)
    if n_classes is None:
        n_classes = 1 + int(max(true.max(), predicted.max()))
    for name, labels in (("y_true", true), ("y_pred", predicted)):
        outside = np.flatnonzero((labels < 0) | (labels >= n_classes))
        if outside.size:
            raise ValueError(
                f"confusion_matrix: {name}[{outside[0]}] is {labels[outside[0]]}, "
                f"expected a class from 0 to {n_classes - 1}"
            )
    counts = np.bincount(n_classes * true + predicted, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


def _labels(
    function: str, y_true: ArrayLike, y_pred: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    for name, labels in (("y_true", true), ("y_pred", predicted)):
        if labels.ndim != 1 or labels.size == 0:
            raise ValueError(
                f"{function}: {name} has shape {labels.shape}, expected (n,) labels, n at least 1 "
                "(for scores (n, K), their argmax over the last axis)"
            )
        if labels.dtype.kind not in "biu":
            raise TypeError(f"{function}: {name} has dtype {labels.dtype}, expected integer labels")
    if true.shape != predicted.shape:
        raise ValueError(f"{function}: y_true has {len(true)} labels, y_pred has {len(predicted)}")
    return true.astype(np.int64), predicted.astype(np.int64)
