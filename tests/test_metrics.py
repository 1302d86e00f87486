"""Accuracy and confusion matrix: against counting by hand, and strict about labels."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimlcourse.metrics import accuracy, confusion_matrix

pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60)


@given(pairs=pairs)
def test_against_counting(pairs: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(labels) for labels in zip(*pairs, strict=True))
    assert accuracy(true, predicted) == sum(t == p for t, p in pairs) / len(pairs)
    table = confusion_matrix(true, predicted, n_classes=6)
    for t in range(6):
        for p in range(6):
            assert table[t, p] == pairs.count((t, p))


@given(pairs=pairs)
def test_how_the_two_are_related(pairs: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(labels) for labels in zip(*pairs, strict=True))
    table = confusion_matrix(true, predicted)
    assert table.shape == (1 + max(*true, *predicted),) * 2
    assert np.array_equal(table.sum(axis=1), np.bincount(true, minlength=len(table)))
    assert np.array_equal(table.sum(axis=0), np.bincount(predicted, minlength=len(table)))
    assert np.array_equal(table.T, confusion_matrix(predicted, true))
    assert table.trace() / table.sum() == accuracy(true, predicted)


def test_rows_are_true_and_columns_predicted() -> None:
    assert confusion_matrix([0, 0, 0], [1, 1, 0]).tolist() == [[1, 2], [0, 0]]


def test_types() -> None:
    assert type(accuracy([0, 1], [0, 0])) is float
    assert confusion_matrix([0, 1], [0, 0]).dtype == np.int64
    assert accuracy(np.array([True, False]), np.array([1, 1])) == 0.5


def test_small_label_types_do_not_overflow() -> None:
    labels = np.arange(200, dtype=np.uint8)
    assert np.array_equal(confusion_matrix(labels, labels), np.eye(200))


@pytest.mark.parametrize("function", [accuracy, confusion_matrix])
@pytest.mark.parametrize(
    ("true", "predicted", "error", "words"),
    [
        ([0, 1], [0], ValueError, "y_true has 2 labels, y_pred has 1"),
        ([], [], ValueError, "y_true has shape (0,), expected (n,) labels, n at least 1"),
        ([0, 1], np.zeros((2, 3)), ValueError, "y_pred has shape (2, 3)"),
        (1, 1, ValueError, "y_true has shape ()"),
        ([0, 1], [0.0, 1.0], TypeError, "y_pred has dtype float64, expected integer labels"),
        (["a"], ["a"], TypeError, "y_true has dtype <U1"),
    ],
)
def test_refusals(function, true, predicted, error, words) -> None:
    with pytest.raises(error, match=re.escape(f"{function.__name__}: {words}")):
        function(true, predicted)


@pytest.mark.parametrize(
    ("true", "predicted", "words"),
    [
        ([0, 3], [0, 1], "y_true[1] is 3, expected a class from 0 to 2"),
        ([0, 2], [-1, 1], "y_pred[0] is -1, expected a class from 0 to 2"),
    ],
)
def test_labels_outside_the_classes(true, predicted, words) -> None:
    with pytest.raises(ValueError, match=re.escape(f"confusion_matrix: {words}")):
        confusion_matrix(true, predicted, n_classes=3)
