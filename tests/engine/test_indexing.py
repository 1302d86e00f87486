"""Indexing: whatever NumPy takes, and gradients that add up where an element was taken twice."""

from typing import Any

import numpy as np
import pytest
from cases import SHAPES, indices
from hypothesis import given, settings
from hypothesis import strategies as st

from minimlcourse import Tensor
from minimlcourse.autodiff import getitem, grad


def scattered(g: np.ndarray, index: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient by counting: where did each number of x[index] come from?"""
    origin = np.arange(int(np.prod(shape))).reshape(shape)[index]
    sums = np.bincount(np.ravel(origin), np.ravel(g), minlength=int(np.prod(shape)))
    return sums.reshape(shape)


@settings(max_examples=200)
@given(data=st.data())
def test_any_index(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    index = data.draw(indices(shape))
    x = Tensor(np.random.default_rng(0).normal(size=shape))
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), np.asarray(x.numpy()[index]), strict=True)
    u = np.random.default_rng(1).normal(size=y.shape)
    y.backward(u)
    np.testing.assert_allclose(x.grad, scattered(u, index, shape), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        np.int64(1),
        np.array(1),
        ...,
        None,
        (),
        True,
        False,
        np.array(True),
        slice(None, None, -2),
        (slice(None), None, 0),
        (..., None, slice(1)),
        [0, 0, 2],
        [],
        [[0, 1], [0, 2]],
        [True, False, True],
        ([0, 0], [1, 1]),
        ((0, 0), (1, 1)),
        ((0, 0),),
        ([0, 0], 1),
        (1, [0, 0]),
        range(2),
        (np.array([[0], [0]]), np.array([1, 1])),
        (np.array([0, 0]), None, np.array([1, 1])),
        (np.array([True, False, True]), np.array([1, 1])),
        (slice(None), np.array([True, False])),
        np.array([[True, False], [False, False], [True, True]]),
        np.zeros((3, 2), dtype=bool),
        np.array([0, 0], dtype=np.uint8),
    ],
    ids=repr,
)
def test_each_kind_of_index(index: Any) -> None:
    a = np.arange(6.0).reshape(3, 2)
    x = Tensor(a)
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), a[index], strict=True)
    u = np.arange(1.0, y.size + 1).reshape(y.shape)
    y.backward(u)
    np.testing.assert_array_equal(x.grad, scattered(u, index, a.shape))


def test_getitem_is_a_function_too() -> None:
    np.testing.assert_array_equal(getitem([5, 6, 7], [0, 0]), [5, 5])
    assert getitem(Tensor([5.0, 6.0]), 1).item() == 6.0


def test_index_arrays_are_remembered_as_they_were() -> None:
    rows = np.array([0, 0])
    x = Tensor([1.0, 2.0])
    y = x[rows].sum()
    rows[:] = 1
    y.backward()
    np.testing.assert_array_equal(x.grad, [2.0, 0.0])


def test_second_derivative_where_an_element_is_taken_twice() -> None:
    rows = np.array([0, 0, 1])
    curvature = grad(lambda x: grad(lambda x: (x[rows] ** 3).sum())(x).sum())
    np.testing.assert_array_equal(curvature(np.array([1.0, 2.0])), [12.0, 12.0])
    slope = grad(lambda x: x[()] ** 2)
    assert grad(slope)(2.0) == 2.0


def test_a_tensor_is_no_index() -> None:
    with pytest.raises(TypeError, match="getitem: a Tensor cannot be an index"):
        Tensor([1.0, 2.0])[Tensor(1.0)]
    with pytest.raises(TypeError, match="cannot be assigned to in place"):
        Tensor([1.0, 2.0])[0] = 3.0
