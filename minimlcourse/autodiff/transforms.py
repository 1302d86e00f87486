r"""Derivatives as functions of functions: ``grad(f)``, ``jacobian(f)``, ``hvp(f, x, v)``, ...

Every transform treats chosen arguments of ``f`` as variables, records ``f`` and walks back from its
result. Arguments may be numbers, arrays or Tensors. What comes back is of the same kind: arrays for
arrays, Tensors for Tensors, and also Tensors if ``f`` closes over a Tensor that is being
differentiated, since the derivative depends on it. A Tensor can be differentiated again, so that
transforms compose: ``grad(grad(f))``.

``argnums`` names the arguments to differentiate: an integer for one, a tuple for several, and the
answer is then a tuple. Keyword arguments are passed on to ``f``.

Lesson 04, "Forward and reverse", "The derivative of a derivative".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minimlcourse.autodiff import primitives as ops
from minimlcourse.autodiff.graph import Primitive, pull_back, reachable
from minimlcourse.autodiff.tensor import Operand, Result, Tensor, _record, _recording, _wrap

Argnums = int | tuple[int, ...]

# A Tensor from outside enters a transform through this: the copy is a variable of the transform,
# and still leads back to the original.
_enter = Primitive("enter", lambda x: x.copy(), lambda g, out, x: g, reads_inputs=False)


class _Recording:
    """``f(*args)`` as a graph: its output and the variables that stand for the chosen arguments."""

    def __init__(
        self,
        name: str,
        f: Callable[..., Any],
        argnums: Sequence[int],
        args: Sequence[Operand],
        options: Mapping[str, Any],
    ) -> None:
        for k in argnums:
            if not 0 <= k < len(args):
                raise ValueError(f"{name}: argnums holds {k}, f was given {len(args)} arguments")
        self.given = [args[k] for k in argnums]
        outside_records = _recording.get()
        arguments = list(args)
        with _record(True):
            self.variables = [
                _enter(x) if isinstance(x, Tensor) and x.requires_grad else Tensor(_plain(x))
                for x in self.given
            ]
            for k, variable in zip(argnums, self.variables, strict=True):
                arguments[k] = variable
            output = f(*arguments, **options)
        if isinstance(output, (tuple, list)):
            raise TypeError(f"{name}: f returned {len(output)} values, expected one Tensor")
        if not isinstance(output, (Tensor, np.ndarray, np.number, int, float)):
            raise TypeError(f"{name}: f returned {output!r}, expected a Tensor")
        # A constant function is legitimate: its derivatives are 0.
        self.output = output if isinstance(output, Tensor) else Tensor(output, requires_grad=False)
        self.on_tensors = outside_records and self._depends_on_outside()

    def _depends_on_outside(self) -> bool:
        if any(isinstance(x, Tensor) and x.requires_grad for x in self.given):
            return True
        if not self.output.requires_grad:
            return False
        first = min(x._birth for x in self.variables)
        graph = reachable(self.output, set(self.variables))
        return any(t._history is None and t._birth < first for t in graph)

    def pull(self, adjoint: Operand = None) -> list[Any]:
        return _pull(self.output, adjoint, self.variables, self.on_tensors)

    def handed_back(self, results: Sequence[Any]) -> list[Any]:
        """The results, each of the kind of the argument that it belongs to."""
        return [_like(x, r, self.on_tensors) for x, r in zip(self.given, results, strict=True)]

    def value(self) -> Result:
        """What f returned: a Tensor if any argument was one, else a number or an array."""
        if self.on_tensors or any(isinstance(x, Tensor) for x in self.given):
            return self.output if self.on_tensors else self.output.detach()
        return self.output.item() if self.output.ndim == 0 else self.output.numpy()


def _plain(x: Operand) -> Any:
    return x._data if isinstance(x, Tensor) else x


def _like(given: Operand, result: Any, on_tensors: bool) -> Result:
    if on_tensors:
        return result
    if isinstance(given, Tensor):
        return _wrap(np.asarray(result), False, None)
    return float(result) if isinstance(given, (int, float)) and np.ndim(result) == 0 else result


def _pull(
    output: Tensor, adjoint: Operand, variables: Sequence[Tensor], on_tensors: bool
) -> list[Any]:
    """The adjoints of the variables, 0 for those on which the output does not depend."""
    found = pull_back(output, adjoint, on_tensors, variables) if output.requires_grad else {}
    zeros = [np.zeros_like(x._data) for x in variables]
    return [
        found[x] if x in found else _wrap(zero, False, None) if on_tensors else zero
        for x, zero in zip(variables, zeros, strict=True)
    ]


def _scalar(name: str, recording: _Recording) -> _Recording:
    if recording.output.size != 1:
        raise ValueError(
            f"{name}: f returned shape {recording.output.shape}, expected a single element; "
            "use jacobian() or vjp() for several"
        )
    return recording


def _tuple(argnums: Argnums) -> tuple[int, ...]:
    return (argnums,) if isinstance(argnums, int) else tuple(argnums)


def _several(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    r"""The function :math:`\nabla f`, for f with one real value.

    Examples
    --------
    >>> cube = lambda x: x**3
    >>> grad(cube)(2.0), grad(grad(cube))(2.0)
    (12.0, 12.0)
    """
    evaluate = _value_and_grad("grad", f, argnums)
    return lambda *args, **options: evaluate(*args, **options)[1]


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., tuple[Any, Any]]:
    r"""The function :math:`x \mapsto (f(x), \nabla f(x))`, at the price of one recording of f.

    Examples
    --------
    >>> value_and_grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 5.0)
    (10.0, (5.0, 2.0))
    """
    return _value_and_grad("value_and_grad", f, argnums)


def _value_and_grad(
    name: str, f: Callable[..., Any], argnums: Argnums
) -> Callable[..., tuple[Any, Any]]:
    def evaluate(*args: Operand, **options: Any) -> tuple[Any, Any]:
        recording = _scalar(name, _Recording(name, f, _tuple(argnums), args, options))
        adjoint = np.ones_like(recording.output._data)
        gradients = recording.handed_back(recording.pull(adjoint))
        return recording.value(), gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return evaluate


def vjp(f: Callable[..., Any], *primals: Operand) -> tuple[Any, Callable[[Operand], Any]]:
    r"""f(x), and the function :math:`u \mapsto J_f(x)^\top u` (one walk back for each u).

    With several ``primals``, the function returns a tuple.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> y, pull = vjp(lambda x: A @ x, np.ones(2))
    >>> y, pull(np.array([1.0, 0.0]))
    (array([3., 7.]), array([1., 2.]))
    """
    recording = _Recording("vjp", f, range(len(primals)), primals, {})

    def pull(u: Operand) -> Any:
        on_tensors = recording.on_tensors or (isinstance(u, Tensor) and u.requires_grad)
        adjoints = _pull(recording.output, u, recording.variables, on_tensors)
        given = zip(recording.given, adjoints, strict=True)
        results = tuple(_like(x, r, on_tensors) for x, r in given)
        return results[0] if len(primals) == 1 else results

    return recording.value(), pull


def jvp(f: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    r"""f(x) and :math:`J_f(x)\,v`, the derivative of f along v.

    ``primals`` and ``tangents`` are a value each, or tuples of values for several arguments.

    The map :math:`u \mapsto J^\top u` is linear, and the transpose of its Jacobian is J: so two
    walks back give a forward derivative, without a second table of rules.

    Examples
    --------
    >>> jvp(lambda x: x**2, 3.0, 1.0)
    (9.0, 6.0)
    """
    recording = _Recording("jvp", f, range(len(_several(primals))), _several(primals), {})
    tangents = _checked("jvp", recording, tangents)
    u = Tensor(np.zeros_like(recording.output._data))
    adjoints = _pull(recording.output, u, recording.variables, on_tensors=True)
    with _record(True):
        slope = _dot(adjoints, tangents)
    (tangent,) = _pull(slope, None, [u], recording.on_tensors)
    return recording.value(), _like(recording.value(), tangent, recording.on_tensors)


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    r"""The function :math:`x \mapsto J_f(x)`, with :math:`J_{ij} = \partial f_i/\partial x_j`.

    Its shape is that of f(x) followed by that of x. One recording, one walk back for each element
    of f(x).

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def evaluate(*args: Operand, **options: Any) -> Any:
        recording = _Recording("jacobian", f, _tuple(argnums), args, options)
        output = recording.output
        units = np.eye(output.size, dtype=output.dtype).reshape(output.size, *output.shape)
        rows = [recording.pull(unit) for unit in units]
        results = []
        for k, variable in enumerate(recording.variables):
            shape = output.shape + variable.shape
            if rows:
                results.append(ops.stack([row[k] for row in rows]).reshape(shape))
            else:
                results.append(np.zeros(shape, variable.dtype))
        results = recording.handed_back(results)
        return results[0] if isinstance(argnums, int) else tuple(results)

    return evaluate


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    r"""The function :math:`x \mapsto \nabla^2 f(x)`, of the shape of x twice over.

    For several ``argnums``, a tuple of tuples: block [i][j] is
    :math:`\partial^2 f/\partial x_i \partial x_j`.

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    if isinstance(argnums, int):
        return jacobian(grad(f, argnums), argnums)
    rows = [jacobian(grad(f, i), argnums) for i in argnums]
    return lambda *args, **options: tuple(row(*args, **options) for row in rows)


def hvp(f: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    r"""The Hessian times v, :math:`\nabla^2 f(x)\,v = \nabla \langle\nabla f(x), v\rangle`.

    ``primals`` and ``tangents`` are a value each, or tuples of values for several arguments, and so
    is the result. The price is a few gradients, whatever the number of parameters: the Hessian is
    never formed.

    Examples
    --------
    >>> import numpy as np
    >>> hvp(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    recording = _Recording("hvp", f, range(len(_several(primals))), _several(primals), {})
    tangents = _checked("hvp", _scalar("hvp", recording), tangents)
    adjoint = np.ones_like(recording.output._data)
    gradients = _pull(recording.output, adjoint, recording.variables, on_tensors=True)
    with _record(True):
        slope = _dot(gradients, tangents)
    products = _pull(slope, None, recording.variables, recording.on_tensors)
    results = tuple(recording.handed_back(products))
    return results if isinstance(primals, tuple) else results[0]


def _dot(xs: Sequence[Any], ys: Sequence[Any]) -> Tensor:
    total = Tensor(0.0, requires_grad=False)
    for x, y in zip(xs, ys, strict=True):
        total = total + (x * y).sum()
    return total


def _checked(name: str, recording: _Recording, tangents: Any) -> tuple[Any, ...]:
    tangents = tuple(t if isinstance(t, Tensor) else np.asarray(t) for t in _several(tangents))
    expected = [x.shape for x in recording.variables]
    if [t.shape for t in tangents] != expected:
        raise ValueError(
            f"{name}: tangents have shapes {[t.shape for t in tangents]}, the primals {expected}"
        )
    return tangents
