"""The engine: a Tensor that remembers how it was computed, and the walk back through that memory.

Three ideas, in the order in which the file tells them:

1. A :class:`Tensor` wraps a NumPy array. What an operation returns also holds its *history*: the
   operation, its inputs and what they were worth. Histories link Tensors into a graph.
2. A :class:`Primitive` is one operation of that graph: its value, and one rule an argument that
   turns the gradient of the result into the gradient of that argument (a vector-Jacobian product).
   Rules are written with operations that work on arrays and on Tensors alike. Run on arrays they
   are fast; run on Tensors they build a graph of their own, and so derivatives of any order.
3. :func:`pull_back` walks the graph from the youngest Tensor to the oldest. An operation is always
   younger than its inputs, so birth order is a topological order: when a Tensor's turn comes, all
   the gradients that flow into it have arrived. The walk is a loop, so depth costs no stack.

Undoing broadcasting, matching dtypes and adding gradients up happen once, in ``pull_back``; no rule
has to think of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from operator import attrgetter
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
        If ``data`` cannot be read as real numbers.

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
        "_data",
        "_exposed",
        "_history",
        "_version",
        "grad",
        "requires_grad",
    )

    def __init__(
        self, data: ArrayLike, dtype: DTypeLike | None = None, requires_grad: bool = True
    ) -> None:
        if isinstance(data, Tensor):
            raise TypeError("Tensor: data is a Tensor already; use .detach() for a constant copy")
        array = np.array(data, dtype=dtype)
        if array.dtype.kind in "iub" and dtype is None:
            array = array.astype(np.float64)
        if array.dtype.kind != "f":
            raise TypeError(f"Tensor: data has dtype {array.dtype}, expected real floating point")
        self._set(array, requires_grad, None)

    def _set(self, data: Array, requires_grad: bool, history: Any) -> None:
        self._data = data
        self.grad: Any = None
        self.requires_grad = requires_grad
        self._history = history
        self._birth = next(_births)
        self._version = 0
        self._exposed: int | None = None

    # -- what it holds ---------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The values themselves (not a copy).

        Those of a leaf may be written, ``w.data -= lr * w.grad``; a change between the forward and
        the backward pass is detected. Those of an operation's result are read-only.
        """
        if self._history is None and self._exposed is None:
            self._exposed = fingerprint(self._data)
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
            self._data[...] = values
        self._touch()

    def _touch(self) -> None:
        """Tell the graphs that used this leaf that its values were changed in place."""
        self._version += 1

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
        """A constant with the same values (and the same memory): gradients stop here."""
        return _wrap(self._data, False, None)

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
            leaf.grad = adjoint if leaf.grad is None else leaf.grad + adjoint

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return self.item()

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
        primitive = getattr(ops, ufunc.__name__, None)
        if primitive is None and ufunc.__name__ in _COMPARISONS:
            return ufunc(*(x._data if isinstance(x, Tensor) else x for x in inputs))
        if primitive is None or method != "__call__" or kwargs:
            call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            raise TypeError(
                f"np.{call} has no rule for Tensors with these arguments: use minimlcourse.autodiff"
                " or minimlcourse.functional, or .numpy() for a constant"
            )
        return primitive(*inputs)

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

    def squeeze(self, axis: Axis = None) -> "Tensor":
        return ops.squeeze(self, axis)

    def expand_dims(self, axis: int | tuple[int, ...]) -> "Tensor":
        return ops.expand_dims(self, axis)


_COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}


def _wrap(data: Array, requires_grad: bool, history: Any) -> Tensor:
    """A Tensor around ``data`` itself: no copy, no conversion."""
    tensor = Tensor.__new__(Tensor)
    tensor._set(data, requires_grad, history)
    return tensor


def _value(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x


class Primitive:
    r"""One differentiable operation: its value, and for each argument its rule.

    A rule is a vector-Jacobian product: given the adjoint :math:`g = \bar z` of the result
    :math:`z = \mathrm{op}(x_1, \dots, x_k)`, rule *i* returns

    .. math:: \bar x_i = (\partial_{x_i} \mathrm{op})^\top g,

    the derivative being the local one, with the other arguments frozen (erratum E1). It is called
    as ``rule(g, out, *arguments, **options)`` and may return its gradient before broadcasting is
    undone.

    Parameters
    ----------
    name : str
        What error messages and graphs call the operation.
    value : callable
        ``value(*arrays, **options)`` computes the result with NumPy.
    rules : callables
        One for each positional argument; or a single one with ``variadic=True``, which is then
        called as ``rule(i, g, out, *arguments, **options)`` for argument number i.
    keep : callable, optional
        A differentiable function of the arguments that the rules would rather have than the result
        (a softmax, say). ``value`` then returns the pair (result, kept array), and the rules get
        the kept array as ``out``; to differentiate again, ``keep`` recomputes it on Tensors.
    reads_inputs : bool
        False if no rule looks at the values of the arguments (shapes and dtypes are free), and the
        result is not a view of one: these may then be changed in place before the backward pass.
    doc : str
        The formula and the derivative, for ``help``.

    Examples
    --------
    >>> cube = Primitive("cube", lambda x: x**3, lambda g, out, x: g * 3 * x**2)
    >>> x = Tensor(2.0)
    >>> cube(x).backward()
    >>> float(x.grad)
    12.0

    Lesson 04, "The table of rules".
    """

    def __init__(
        self,
        name: str,
        value: Callable[..., Any],
        *rules: Callable[..., Any],
        keep: Callable[..., Any] | None = None,
        reads_inputs: bool = True,
        variadic: bool = False,
        doc: str | None = None,
    ) -> None:
        self.name = name
        self.value = value
        self.rules = rules
        self.keep = keep
        self.reads_inputs = reads_inputs
        self.variadic = variadic
        self.__doc__ = doc

    def __repr__(self) -> str:
        return f"<Primitive {self.name}>"

    def __call__(self, *inputs: Operand, **options: Any) -> Result:
        """The value; recorded, if an input is a Tensor that gradients flow to."""
        values = []
        any_tensor = tracked = False
        for x in inputs:
            if isinstance(x, Tensor):
                any_tensor = True
                tracked = tracked or x.requires_grad
                x = x._data
            elif isinstance(x, float):
                # np.float64 is a float, but it would turn float32 operands into float64.
                x = float(x)
            elif isinstance(x, (list, tuple)):
                x = np.asarray(x)
            values.append(x)
        try:
            data = self.value(*values, **options)
        except (TypeError, ValueError, IndexError) as error:
            raise _explained(self.name, error, values, options) from error
        kept = None
        if self.keep is not None:
            data, kept = data
        if not any_tensor:
            return data
        if type(data) is not np.ndarray:
            data = np.asarray(data)
        if not (tracked and _recording.get()):
            return _wrap(data, False, None)
        for value in values:
            if value is data:
                data = data.view()
        # The graph needs its intermediate results, so nobody may change them in place. Leaves and
        # constants belong to the user: what they were is remembered by a stamp.
        data.flags.writeable = False
        stamps = _stamps(inputs) if self.reads_inputs else None
        return _wrap(data, True, (self, inputs, values, options, kept, stamps))


def _explained(name: str, error: Exception, values: Iterable[Any], options: Any) -> Exception:
    """The same error with the operation's name, and the shapes that it was given."""
    kind = next(t for t in (TypeError, ValueError, IndexError) if isinstance(error, t))
    given = [
        f"{v.dtype}{list(v.shape)}" if isinstance(v, np.ndarray) else repr(v)[:40] for v in values
    ]
    given += [f"{key}={value!r}"[:60] for key, value in options.items() if value is not None]
    reason = str(error).removeprefix(f"{name}: ")
    return kind(f"{name}: {reason} [given {', '.join(given)}]")


# -- the walk back ---------------------------------------------------------------------------------


def pull_back(
    root: Tensor,
    gradient: Operand = None,
    create_graph: bool = False,
    wanted: Sequence[Tensor] | None = None,
) -> dict[Tensor, Any]:
    """Propagate ``gradient`` from ``root`` and return the adjoint of each leaf (or wanted Tensor).

    Adjoints are arrays, or Tensors with ``create_graph``. Every adjoint has the shape and dtype of
    its Tensor. No two share memory, nor do they share any with the graph: each may be changed.

    Parameters
    ----------
    root : Tensor
        Where to start.
    gradient : array or Tensor of the shape of ``root``
        The adjoint of ``root``; by default 1, for a root with one element.
    create_graph : bool
        Run the rules on Tensors, so that the adjoints have histories.
    wanted : Tensors, optional
        Stop at these, leaves or not, and return the adjoints of these alone.
    """
    g = _seed(root, gradient)
    if not create_graph:
        return _walk(root, g, False, wanted)
    with _record(True):
        return _walk(root, g if isinstance(g, Tensor) else _wrap(g, False, None), True, wanted)


def _walk(
    root: Tensor, seed: Any, on_tensors: bool, wanted: Sequence[Tensor] | None
) -> dict[Tensor, Any]:
    ends = frozenset() if wanted is None else frozenset(wanted)
    # Nothing older than the oldest wanted Tensor can depend on any of them.
    oldest = min(x._birth for x in ends) if ends else 0
    adjoints: dict[int, Any] = {root._birth: seed}
    result: dict[Tensor, Any] = {}
    for node in reachable(root, ends, oldest):
        g = adjoints.pop(node._birth)
        if node._history is None or node in ends:
            if wanted is None or node in ends:
                result[node] = g
            continue
        primitive, inputs, values, options, kept, stamps = node._history
        if stamps:
            _check_unchanged(primitive, inputs, stamps)
        if on_tensors:
            arguments = inputs
            out = node if primitive.keep is None else primitive.keep(*inputs, **options)
        else:
            arguments = values
            out = node._data if primitive.keep is None else kept
        for i, x in enumerate(inputs):
            if not isinstance(x, Tensor) or not x.requires_grad or x._birth < oldest:
                continue
            if primitive.variadic:
                gx = primitive.rules[0](i, g, out, *arguments, **options)
            else:
                gx = primitive.rules[i](g, out, *arguments, **options)
            if gx.shape != x._data.shape:
                gx = _unbroadcast(gx, x._data.shape, primitive, i)
            if gx.dtype != x._data.dtype:
                gx = ops.astype(gx, dtype=x._data.dtype)
            birth = x._birth
            if birth in adjoints:
                adjoints[birth] = adjoints[birth] + gx
            elif x._history is None and not on_tensors:
                adjoints[birth] = _owned(gx, g, values)
            else:
                adjoints[birth] = gx
    return result


def reachable(root: Tensor, ends: Set[Tensor] = frozenset(), oldest: int = 0) -> list[Tensor]:
    """The Tensors that gradients from ``root`` flow through, youngest first.

    The list grows while it is walked, and stops at ``ends`` and at what is older than ``oldest``.
    """
    found = [root]
    seen = {root._birth}
    for node in found:
        if node._history is None or node in ends:
            continue
        for x in node._history[1]:
            if isinstance(x, Tensor) and x.requires_grad and oldest <= x._birth not in seen:
                seen.add(x._birth)
                found.append(x)
    found.sort(key=attrgetter("_birth"), reverse=True)
    return found


def _seed(root: Tensor, gradient: Operand) -> Any:
    if gradient is None:
        if root.size != 1:
            raise ValueError(
                f"backward: the root has shape {root.shape}, not one element; reduce it first "
                "(mean, sum), or pass gradient= with that shape"
            )
        return np.ones_like(root._data)
    if not isinstance(gradient, Tensor):
        gradient = np.array(gradient, dtype=root.dtype)
    if gradient.shape != root.shape:
        raise ValueError(
            f"backward: gradient has shape {gradient.shape}, the root has shape {root.shape}"
        )
    return gradient


def _unbroadcast(g: Any, shape: tuple[int, ...], primitive: Primitive, i: int) -> Any:
    """Sum the adjoint over the axes along which NumPy had repeated the argument (erratum E12)."""
    extra = len(g.shape) - len(shape)
    if extra > 0 and g.shape[extra:] == shape:
        return g.sum(axis=tuple(range(extra)))
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[extra:], strict=True)):
        raise ValueError(
            f"{primitive.name}: the rule of argument {i} returned shape {g.shape} for an argument "
            f"of shape {shape}"
        )
    repeated = (k for k, n in enumerate(shape) if n == 1 != g.shape[extra + k])
    axes = (*range(extra), *(extra + k for k in repeated))
    return g.sum(axis=axes, keepdims=True).reshape(shape)


def _owned(g: Array, incoming: Any, values: Iterable[Any]) -> Array:
    """The array g, copied if someone else may hold its memory: ``grad`` is changed in place."""
    if g is incoming or g.base is not None or not isinstance(g, np.ndarray):
        return np.array(g)
    for value in values:
        if value is g:
            return np.array(g)
    return g


# -- arrays that change between the forward and the backward pass ----------------------------------

_SAMPLE = 1024


def fingerprint(array: Array) -> int:
    """A hash of the values: of all of them up to 1024, else of an even sample of that many.

    Hashing everything would cost a training step some 5 %. A sample sees what happens in practice:
    a buffer that is filled again, data shuffled or scaled in place.
    """
    step = -(-array.size // _SAMPLE) or 1
    if array.flags.c_contiguous:
        sample = array.reshape(-1)[::step]
    elif array.flags.f_contiguous:
        sample = array.T.reshape(-1)[::step]
    else:
        sample = array.flat[::step]
    return hash(sample.tobytes())


def _stamps(inputs: Sequence[Any]) -> list[tuple[int, int, int | None]]:
    """For each leaf and each constant array: its place, version and fingerprint.

    A leaf whose ``data`` nobody has read can change only with its version: no fingerprint.
    """
    stamps: list[tuple[int, int, int | None]] = []
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor):
            if x._history is None:
                mark = None if x._exposed is None else fingerprint(x._data)
                stamps.append((i, x._version, mark))
        elif isinstance(x, np.ndarray):
            stamps.append((i, 0, fingerprint(x)))
    return stamps


def _check_unchanged(
    primitive: Primitive, inputs: Sequence[Any], stamps: list[tuple[int, int, int | None]]
) -> None:
    for i, version, mark in stamps:
        x = inputs[i]
        if not isinstance(x, Tensor):
            unchanged = fingerprint(x) == mark
        elif x._version != version or x._exposed is None:
            unchanged = x._version == version
        else:
            # If its data was first read after the forward pass, what it was then still counts.
            unchanged = fingerprint(x._data) == (x._exposed if mark is None else mark)
        if not unchanged:
            raise ValueError(
                f"backward: argument {i} of {primitive.name}, of shape {x.shape}, was changed in "
                "place after the forward pass, and the gradient needs its former values; "
                "call backward() first, or change a copy"
            )


# The rules need Tensor and Primitive, and the operators above need the rules.
from minimlcourse.autodiff import primitives as ops  # noqa: E402
