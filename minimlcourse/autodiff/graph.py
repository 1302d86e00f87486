"""The graph: operations that record themselves, and the walk back through what they recorded.

1. A :class:`Primitive` is one operation: its value, and one rule an argument that turns the
   gradient of the result into the gradient of that argument (a vector-Jacobian product). Rules are
   written with operations that work on arrays and on Tensors alike. Run on arrays they are fast;
   run on Tensors they build a graph of their own, and so derivatives of any order.
2. :func:`pull_back` goes from the youngest Tensor to the oldest. When a Tensor's turn comes, all
   the gradients that flow into it have arrived, since they come from younger ones. It is a loop, so
   depth costs no stack. Undoing broadcasting, matching dtypes and adding gradients up happen here,
   once; no rule has to think of them.
3. A :func:`fingerprint` of each array that belongs to the user tells, at the end, whether it still
   holds what the rules need.

Lesson 04, "The walk back".
"""

from collections.abc import Callable, Iterable, Sequence, Set
from functools import lru_cache
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any

import numpy as np

from minimlcourse.autodiff.tensor import Array, Operand, Result, Tensor, _record, _recording, _wrap

# A training step frees its arrays and asks for the same ones again. glibc's malloc returns those of
# 128 kB and more to the kernel at once, and then each page of 4 kB costs a fault when it is written
# again: in float64 a third of a step, for a batch of 128 and a layer of 128. It keeps those that
# are shorter than one freed before: hence this one, which is never written and costs nothing.
np.empty(2**24, np.uint8)


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
        edges = []
        numpy_scalars = []
        watched = []  # (place, array, whether whole): what may change without our notice
        dtype = None
        for i, x in enumerate(inputs):
            if isinstance(x, Tensor):
                if x.requires_grad:
                    edges.append((i, x))
                # Other leaves change only by `data = ...` or an optimizer, which note the time.
                if x._exposed is not None or not x.requires_grad:
                    watched.append((i, x._data, True))
                x = x._data
                dtype = x.dtype
            elif isinstance(x, np.ndarray):
                # Not the whole of a batch: reading it twice a step would cost up to a tenth of it.
                watched.append((i, x, False))
            elif isinstance(x, np.generic) and x.dtype.kind in "fiub":
                numpy_scalars.append(i)
            elif isinstance(x, (list, tuple)):
                x = np.asarray(x)
            values.append(x)
        for i in numpy_scalars:
            # Like a Python number, it takes the dtype of the Tensor that it meets: float32 times
            # an np.float64 stays float32.
            values[i] = np.asarray(values[i], dtype)
        try:
            data = self.value(*values, **options)
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            raise _explained(self.name, error, values, options) from error
        kept = None
        if self.keep is not None:
            data, kept = data
        if dtype is None:
            return data
        if type(data) is not np.ndarray or data.dtype is not dtype:  # an input's is a real one
            data = np.asarray(data)
            if data.dtype.kind != "f":
                raise TypeError(f"{self.name}: the result has dtype {data.dtype}, not a real one")
        if not (edges and _recording.get()):
            if data.base is not None:
                for x in inputs:
                    if isinstance(x, Tensor):
                        x._expose()  # data may be a view of it, which its holder may change
            return _wrap(data, False, None)
        if not self.variadic and edges[-1][0] >= len(self.rules):
            raise TypeError(f"{self.name}: there is no rule for argument {edges[-1][0]}")
        for value in values:
            if value is data:
                data = data.view()
        # The graph needs its intermediate results, so nobody may change them in place. Leaves and
        # constants belong to the user: what they were is remembered by fingerprints.
        data.setflags(False)  # write=False: the keyword would cost as much as the call
        marks = []
        if watched and self.reads_inputs:
            marks = [(i, a, whole, fingerprint(a, whole)) for i, a, whole in watched]
        return _wrap(data, True, (self, values, options, kept, edges, marks))


def _explained(name: str, error: Exception, values: Iterable[Any], options: Any) -> Exception:
    """The same error with the operation's name, and the shapes that it was given."""
    kind = next((t for t in (ValueError, IndexError) if isinstance(error, t)), TypeError)
    given = [
        f"{v.dtype}{list(v.shape)}" if isinstance(v, np.ndarray) else repr(v)[:40] for v in values
    ]
    given += [f"{key}={value!r}"[:60] for key, value in options.items() if value is not None]
    reason = str(error).removeprefix(f"{name}: ")
    return kind(f"{name}: {reason}" + f" [given {', '.join(given)}]" * ("[given" not in reason))


# -- the walk back ---------------------------------------------------------------------------------


def pull_back(
    root: Tensor,
    gradient: Operand = None,
    create_graph: bool = False,
    wanted: Sequence[Tensor] | None = None,
) -> dict[Tensor, Any]:
    """Propagate ``gradient`` from ``root`` and return the adjoint of each leaf (or wanted Tensor).

    Every adjoint has the shape and dtype of its Tensor. Adjoints are arrays that share no memory
    with one another or with the graph, so that each may be changed; or, with ``create_graph``,
    Tensors.

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
    seed = _seed(root, gradient, create_graph)
    if not create_graph:  # rules on arrays record nothing anyway
        return _walk(root, seed, False, wanted)
    with _record(True):
        return _walk(root, seed, True, wanted)


def _walk(
    root: Tensor, seed: Any, on_tensors: bool, wanted: Sequence[Tensor] | None
) -> dict[Tensor, Any]:
    ends = frozenset() if wanted is None else frozenset(wanted)
    # Nothing older than the oldest wanted Tensor can depend on any of them.
    oldest = min(x._birth for x in ends) if ends else 0
    if root._history is None or root in ends:
        return {root: seed}
    result: dict[Tensor, Any] = {}
    # Results whose adjoint has begun to arrive; the youngest of them has it complete.
    waiting = {root._birth: (root, seed)}
    youngest_first = [-root._birth]
    while youngest_first:
        node, g = waiting.pop(-heappop(youngest_first))
        primitive, arguments, options, kept, edges, marks = node._history  # type: ignore[misc]
        for i, array, whole, mark in marks:
            if fingerprint(array, whole) != mark:
                raise _changed(primitive, i, array)
        if on_tensors:
            arguments = arguments.copy()
            for i, x in edges:
                arguments[i] = x
            out = node if primitive.keep is None else primitive.keep(*arguments, **options)
        else:
            out = node._data if primitive.keep is None else kept
        reads, rules, variadic = primitive.reads_inputs, primitive.rules, primitive.variadic
        for i, x in edges:
            birth, data, is_leaf = x._birth, x._data, x._history is None
            if is_leaf and reads and (x._changed > node._birth or x._exposed is not None):
                _check_leaf(primitive, i, x, node._birth, marks)
            if birth < oldest:
                continue
            if variadic:
                gx = rules[0](i, g, out, *arguments, **options)
            else:
                gx = rules[i](g, out, *arguments, **options)
            if not isinstance(gx, _ADJOINTS):
                raise TypeError(
                    f"{primitive.name}: the rule of argument {i} returned {gx!r}, expected an array"
                )
            if gx.shape != data.shape:
                gx = _unbroadcast(gx, data.shape, primitive, i)
            if gx.dtype != data.dtype:
                gx = gx.astype(data.dtype)
            if is_leaf or x in ends:
                if x in result:
                    gx = result[x] + gx
                if not on_tensors and (gx is g or gx.base is not None or gx.ndim == 0):
                    gx = np.array(gx)  # it shares memory, or is a NumPy scalar
                result[x] = gx
            elif birth in waiting:
                waiting[birth] = x, waiting[birth][1] + gx
            else:
                waiting[birth] = x, gx
                heappush(youngest_first, -birth)
    return result if wanted is None else {x: g for x, g in result.items() if x in ends}


_ADJOINTS = (np.ndarray, np.generic, Tensor)


def reachable(root: Tensor, ends: Set[Tensor] = frozenset(), oldest: int = 0) -> list[Tensor]:
    """The Tensors that gradients from ``root`` flow through, youngest first.

    The list grows while it is walked, and stops at ``ends`` and at what is older than ``oldest``.
    """
    found = [root]
    seen = {root._birth}
    for node in found:
        if node._history is None or node in ends:
            continue
        for _, x in node._history[4]:
            if oldest <= x._birth not in seen:
                seen.add(x._birth)
                found.append(x)
    found.sort(key=attrgetter("_birth"), reverse=True)
    return found


def _seed(root: Tensor, gradient: Operand, on_tensors: bool) -> Any:
    if gradient is None:
        if root.size != 1:
            raise ValueError(
                f"backward: the root has shape {root.shape}, not one element; reduce it first "
                "(mean, sum), or pass gradient= with that shape"
            )
        gradient = np.array(1, root.dtype).reshape(root.shape)
    elif isinstance(gradient, Tensor) and on_tensors:
        gradient = gradient if gradient.dtype == root.dtype else gradient.astype(root.dtype)
    else:
        values = gradient._data if isinstance(gradient, Tensor) else gradient
        gradient = np.array(values, dtype=root.dtype)
    if gradient.shape != root.shape:
        raise ValueError(
            f"backward: gradient has shape {gradient.shape}, the root has shape {root.shape}"
        )
    return _wrap(gradient, False, None) if on_tensors and type(gradient) is np.ndarray else gradient


@lru_cache(maxsize=16)  # a length of batch each
def _ones(n: int, dtype: np.dtype[Any]) -> Array:
    ones = np.ones(n, dtype)
    ones.setflags(write=False)
    return ones


def _unbroadcast(g: Any, shape: tuple[int, ...], primitive: Primitive, i: int) -> Any:
    """Sum the adjoint over the axes along which NumPy had repeated the argument (erratum E12)."""
    if g.ndim == 2 and len(shape) == 1 and g.shape[1] == shape[0] and isinstance(g, np.ndarray):
        # The gradient of a bias, met in every layer: for BLAS this is the fastest sum over rows.
        return _ones(len(g), g.dtype).dot(g)
    extra = len(g.shape) - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[extra:], strict=True)):
        raise ValueError(
            f"{primitive.name}: the rule of argument {i} returned shape {g.shape} for an argument "
            f"of shape {shape}"
        )
    repeated = (k for k, n in enumerate(shape) if n == 1 != g.shape[extra + k])
    axes = (*range(extra), *(extra + k for k in repeated))
    return g.sum(axis=axes, keepdims=True).reshape(shape)


# -- arrays that change between the forward and the backward pass ----------------------------------


def fingerprint(array: Array, whole: bool = True) -> Any:
    """Something short that changes with the values.

    The bytes, or for long arrays the sum of their words as integers: no single change leaves it as
    it was. A sum does not see an order, so elements at even distances join it: few shuffles leave
    all of those in place. These alone, if it need not be ``whole``, see what happens to long arrays
    in practice: they are filled again, scaled or shuffled.
    """
    if array.nbytes <= 1024:
        return array.tobytes()
    flat = (array if array.flags.c_contiguous else array.T).reshape(-1)
    sample = flat[:: flat.size // 128 + 1].tobytes()
    if not whole:
        return sample
    words = flat.view(f"u{min(array.itemsize, 8)}")
    return int(np.add.reduce(words, dtype=words.dtype)), sample


def _check_leaf(
    primitive: Primitive, i: int, x: Tensor, birth: int, marks: list[tuple[Any, ...]]
) -> None:
    # If its data was first read after the forward pass, what it was then still counts.
    read_since = x._exposed is not None and all(i != k for k, *_ in marks)
    if x._changed > birth or (read_since and fingerprint(x._data) != x._exposed):
        raise _changed(primitive, i, x)


def _changed(primitive: Primitive, i: int, x: Any) -> ValueError:
    return ValueError(
        f"backward: argument {i} of {primitive.name}, of shape {x.shape}, was changed in place "
        "after the forward pass, and the gradient needs its former values; call backward() first, "
        "or change a copy"
    )
