"""The Tensor: a NumPy array that remembers how it was computed.

What an operation returns holds a *history*: the operation, its inputs, what they were worth. The
histories link Tensors into a graph, and each Tensor has a birth number: an operation's result is
always younger than its inputs, so that births are a topological order of the graph. ``graph.py``
walks it; ``primitives.py`` holds the operations.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array = NDArray[Any]
Axis = int | tuple[int, ...] | None
Operand = Any
"""A Tensor, an array, or anything that NumPy makes an array of."""
Result = Any
"""A Tensor if an operand was one, else a NumPy array."""

# A context variable and not a global: a widget that predicts in one thread must not stop another
# thread's training from being recorded.
_recording: ContextVar[bool] = ContextVar("minimlcourse_recording", default=True)
_births = count()


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without remembering: results are constants, and nothing is kept for a backward pass.

    Works as ``with no_grad():`` and as a decorator, ``@no_grad()``.

    >>> x = Tensor([1.0, 2.0])
    >>> with no_grad():
    ...     y = x * 3
    >>> y.requires_grad
    False
    """
    with _record(False):
        yield


@contextmanager
def _record(on: bool) -> Iterator[None]:
    token = _recording.set(on)
    try:
        yield
    finally:
        _recording.reset(token)


class Tensor:
    """A NumPy array that can be differentiated.

    A Tensor is a variable: ``backward()`` leaves its gradient in ``grad``. A bare array is a
    constant. (PyTorch has it the other way round and asks for ``requires_grad=True``.)

    Parameters
    ----------
    data : array-like
        The values, copied. Integers and booleans become ``float64``, since derivatives live on the
        reals; floating-point arrays keep their dtype.
    dtype : floating dtype, optional
        The dtype to convert to.
    requires_grad : bool
        False makes a constant Tensor.

    Attributes
    ----------
    grad : None, array or Tensor
        What ``backward()`` accumulated, with the shape and dtype of ``data``: an array, or a Tensor
        after ``backward(create_graph=True)``.
    requires_grad : bool
        Whether gradients flow to or through this Tensor.

    Raises
    ------
    TypeError
        If ``data`` does not hold real numbers, or ``dtype`` is not a floating-point one.
    ValueError
        If ``data`` is ragged.

    Examples
    --------
    >>> x = Tensor([1.0, 2.0, 3.0])
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    array([2., 4., 6.])

    Lesson 04, "From a formula to a graph".
    """

    __slots__ = (
        "__weakref__",
        "_birth",
        "_changed",
        "_data",
        "_exposed",
        "_history",
        "grad",
        "requires_grad",
    )
    _data: Array
    _birth: int
    _changed: int
    _exposed: Any
    # Of a result: (primitive, values of the inputs, options, what the rules keep, the (place,
    # input) pairs that gradients flow to, fingerprints of the arrays that the rules read).
    _history: tuple[Any, ...] | None
    grad: Any
    requires_grad: bool

    def __init__(
        self, data: ArrayLike, dtype: DTypeLike | None = None, requires_grad: bool = True
    ) -> None:
        if isinstance(data, Tensor):
            raise TypeError("Tensor: data is a Tensor already; use .detach() for a constant copy")
        array = np.array(data)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"Tensor: data has dtype {array.dtype}, expected real numbers")
        if dtype is not None and np.dtype(dtype).kind != "f":
            raise TypeError(f"Tensor: dtype is {np.dtype(dtype)}, expected a floating-point one")
        if dtype is not None or array.dtype.kind != "f":
            array = array.astype(np.float64 if dtype is None else dtype, copy=False)
        _wrap(array, requires_grad, None, self)

    # -- what it holds ---------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The values themselves (not a copy).

        Those of a leaf may be written, ``w.data -= lr * w.grad``; a change between the forward and
        the backward pass is detected. Those of an operation's result are read-only.
        """
        self._expose()
        return self._data

    @data.setter
    def data(self, values: ArrayLike) -> None:
        # In place, so that an optimizer or a view that holds the array sees the new values.
        if self._history is not None:
            raise ValueError(f"data of the result of {self._history[0].name} cannot be replaced")
        if values is not self._data:
            values = np.asarray(values)
            if values.shape != self._data.shape:
                raise ValueError(f"data: got shape {values.shape}, expected {self._data.shape}")
            if not self._data.flags.writeable:
                raise ValueError("data: it belongs to the result of an operation: use a copy")
            self._data[...] = values
        self._touch()

    def _expose(self) -> None:
        """Someone gets hold of the array: from now on backward() compares its values as well."""
        if self._history is None and self._exposed is None:
            self._exposed = fingerprint(self._data)

    def _touch(self) -> None:
        """Note that the values are changed in place now, for the graphs that are older."""
        self._changed = next(_births)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def size(self) -> int:
        return self._data.size

    def item(self) -> float:
        """The only element, as a Python number; ``ValueError`` if there are several."""
        if self.size != 1:
            raise ValueError(f"item: a Tensor of shape {self.shape} has {self.size} elements")
        return float(self._data.item())

    def numpy(self) -> Array:
        """A copy of the values, yours to change."""
        return self._data.copy()

    def detach(self) -> "Tensor":
        """A constant with the same values, in the same memory: gradients stop here."""
        return _wrap(self.data, False, None)

    def zero_grad(self) -> None:
        """Forget the accumulated gradient."""
        self.grad = None

    def backward(self, gradient: Operand = None, create_graph: bool = False) -> None:
        r"""Add :math:`\bar x = (\partial y/\partial x)^\top \bar y` to ``x.grad`` for each leaf x.

        Only leaves receive a ``grad``, and nothing else is kept between calls, so k calls on one
        graph give exactly k times the gradient.

        Parameters
        ----------
        gradient : array of the shape of this Tensor, optional
            The adjoint :math:`\bar y` to start from; 1 if this Tensor has a single element.
        create_graph : bool
            Make each ``grad`` a Tensor that can be differentiated again.

        Raises
        ------
        ValueError
            If this Tensor has several elements and no ``gradient`` is given, if the shape of
            ``gradient`` is another, or if an array that a rule needs was changed in place.
        """
        if not self.requires_grad:
            raise ValueError(
                "backward: nothing to differentiate; this Tensor is a constant, computed from "
                "constants, under no_grad() or after detach()"
            )
        for leaf, adjoint in pull_back(self, gradient, create_graph).items():
            if leaf.grad is None:
                leaf.grad = adjoint
            elif isinstance(leaf.grad, Tensor) or create_graph:
                with _record(True):
                    leaf.grad = leaf.grad + adjoint
            else:
                leaf.grad += adjoint

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return self.item()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __bool__(self) -> bool:
        return bool(self.item())

    def __repr__(self) -> str:
        values = np.array2string(self._data, separator=", ", prefix="Tensor(")
        notes = [] if self.dtype == np.float64 else [f"dtype={self.dtype}"]
        if self._history is not None:
            notes.append(f"op={self._history[0].name}")
        elif not self.requires_grad:
            notes.append("requires_grad=False")
        return f"Tensor({', '.join([values, *notes])})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._history is not None:
            raise TypeError(f"the result of {self._history[0].name} cannot be copied: detach() it")
        return Tensor, (self._data, self.dtype, self.requires_grad)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("a Tensor cannot be assigned to in place: use where()")

    # -- how it meets NumPy ----------------------------------------------------------------------

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise TypeError("a Tensor does not turn into an array silently: use .numpy() or .data")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Result:
        """Let ``array * tensor`` and ``np.exp(tensor)`` mean what they say."""
        if method == "__call__" and not kwargs:
            if ufunc.__name__ in _COMPARISONS:
                return ufunc(*map(_value, inputs))
            if hasattr(ops, ufunc.__name__):
                return getattr(ops, ufunc.__name__)(*inputs)
        call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        raise TypeError(f"np.{call} has no rule for Tensors with these arguments: {_INSTEAD}")

    def __array_function__(self, function: Any, *_: Any) -> Result:
        raise TypeError(f"np.{function.__name__} has no rule for Tensors: {_INSTEAD}")

    # -- operations: each is written once, in primitives.py --------------------------------------

    def __add__(self, other: Operand) -> "Tensor":
        return ops.add(self, other)

    def __radd__(self, other: Operand) -> "Tensor":
        return ops.add(other, self)

    def __sub__(self, other: Operand) -> "Tensor":
        return ops.subtract(self, other)

    def __rsub__(self, other: Operand) -> "Tensor":
        return ops.subtract(other, self)

    def __mul__(self, other: Operand) -> "Tensor":
        return ops.multiply(self, other)

    def __rmul__(self, other: Operand) -> "Tensor":
        return ops.multiply(other, self)

    def __truediv__(self, other: Operand) -> "Tensor":
        return ops.divide(self, other)

    def __rtruediv__(self, other: Operand) -> "Tensor":
        return ops.divide(other, self)

    def __pow__(self, other: Operand) -> "Tensor":
        return ops.power(self, other)

    def __rpow__(self, other: Operand) -> "Tensor":
        return ops.power(other, self)

    def __matmul__(self, other: Operand) -> "Tensor":
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Operand) -> "Tensor":
        return ops.matmul(other, self)

    def __neg__(self) -> "Tensor":
        return ops.negative(self)

    def __abs__(self) -> "Tensor":
        return ops.absolute(self)

    def __lt__(self, other: Operand) -> Array:
        return self._data < _value(other)

    def __le__(self, other: Operand) -> Array:
        return self._data <= _value(other)

    def __gt__(self, other: Operand) -> Array:
        return self._data > _value(other)

    def __ge__(self, other: Operand) -> Array:
        return self._data >= _value(other)

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        return np.equal(self._data, _value(other))

    def __ne__(self, other: object) -> Array:  # type: ignore[override]
        return np.not_equal(self._data, _value(other))

    __hash__ = object.__hash__

    def __getitem__(self, index: Any) -> "Tensor":
        return ops.getitem(self, index)

    def exp(self) -> "Tensor":
        return ops.exp(self)

    def log(self) -> "Tensor":
        return ops.log(self)

    def sqrt(self) -> "Tensor":
        return ops.sqrt(self)

    def tanh(self) -> "Tensor":
        return ops.tanh(self)

    def sin(self) -> "Tensor":
        return ops.sin(self)

    def cos(self) -> "Tensor":
        return ops.cos(self)

    def abs(self) -> "Tensor":
        return ops.absolute(self)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        return ops.mean(self, axis, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        return ops.max(self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        return ops.min(self, axis, keepdims)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        return ops.prod(self, axis, keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> "Tensor":
        return ops.var(self, axis, keepdims, ddof)

    def reshape(self, *shape: Any) -> "Tensor":
        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> "Tensor":
        return ops.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    @property
    def T(self) -> "Tensor":
        """All axes reversed."""
        return ops.transpose(self)

    def swapaxes(self, axis1: int, axis2: int) -> "Tensor":
        return ops.swapaxes(self, axis1, axis2)

    def astype(self, dtype: DTypeLike) -> "Tensor":
        return ops.astype(self, dtype=dtype)

    def squeeze(self, axis: Axis = None) -> "Tensor":
        return ops.squeeze(self, axis)

    def expand_dims(self, axis: int | tuple[int, ...]) -> "Tensor":
        return ops.expand_dims(self, axis)


_INSTEAD = "use its methods, minimlcourse.autodiff or minimlcourse.functional (or .numpy())"
_COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}


def _wrap(data: Array, requires_grad: bool, history: Any, tensor: Tensor | None = None) -> Tensor:
    """A Tensor (or this one) around ``data`` itself: no copy, no conversion."""
    if tensor is None:
        tensor = Tensor.__new__(Tensor)
    tensor._data = data
    tensor.grad = None
    tensor.requires_grad = requires_grad
    tensor._history = history
    tensor._birth = next(_births)
    tensor._changed = 0
    tensor._exposed = None
    return tensor


def _value(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x


# The operations need Tensor, and Tensor needs them.
from minimlcourse.autodiff import primitives as ops  # noqa: E402
from minimlcourse.autodiff.graph import fingerprint, pull_back  # noqa: E402
