r"""What every optimizer shares: parameters in, one step, state that can be saved.

A step is :math:`\theta \leftarrow \theta - u(g)`, and an optimizer is the rule :math:`g \mapsto u`.
The rules of ``sgd.py`` and ``adaptive.py`` are a few lines of arithmetic on *one long vector*:
the gradients of all small parameters are copied end to end into one, the rule writes the update
into another, and each parameter subtracts its part. NumPy pays about half a microsecond a call
whatever the size, so ten calls on one vector beat ten calls on each of twenty small parameters; a
large one goes by itself, since copying its gradient would cost more. All working space is allocated
once. The parameters' own arrays stay where they are.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from minimlcourse.autodiff.tensor import Array, Tensor, _births

FLUSH_EVERY = 64
LARGE = 2**14
"""A parameter of this size goes by itself: copying its gradient costs more than ten calls do."""


class Optimizer(ABC):
    """The base of all optimizers: a list of parameters, a learning rate, and state beside them.

    A subclass names its state vectors and its hyperparameters, and writes ``_update``.

    Parameters
    ----------
    params : iterable of Tensors
        The leaves to train, for instance ``model.parameters()``; float32, float64 or a mixture.
    lr : float
        The learning rate, 0 or more. ``optimizer.lr = 0.01`` changes it at any time.
    weight_decay : float
        The coefficient of the L2 penalty or of the decay (each optimizer says which).
    state : sequence of str
        The names of the vectors that the rule keeps from step to step, all zero at the start.

    Raises
    ------
    TypeError
        If ``params`` is a single Tensor, or holds something that is not one.
    ValueError
        If ``params`` is empty or names a Tensor twice, if a Tensor needs no gradient, is the result
        of an operation or is neither float32 nor float64, or if a number is out of range.
    """

    hyperparameters: ClassVar[tuple[str, ...]]
    decoupled_decay: ClassVar[bool] = False

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float, state: Sequence[str] = ()
    ) -> None:
        self.params = self._checked(params)
        self.lr = lr
        self.weight_decay = self._number("weight_decay", weight_decay)
        together: dict[Any, list[int]] = {}
        for i, p in enumerate(self.params):
            together.setdefault(i if p.size >= LARGE else p.dtype, []).append(i)
        self._blocks = [
            _Block(indices, [self.params[i] for i in indices], state)
            for indices in together.values()
        ]

    @abstractmethod
    def _update(self, g: Array, u: Array, state: Sequence[Array], t: int) -> None:
        """Write into ``u`` what is subtracted from the parameters, given the gradient ``g``.

        ``g`` is only read: it may be the parameter's own. ``state`` are the vectors named at
        construction; ``t`` = 1, 2, ... counts the steps of these parameters, this one included.
        """

    def step(self) -> None:
        """Change every parameter that has a gradient.

        A parameter whose ``grad`` is None stays as it is, and so does its state: its step count
        does not advance. A ``grad`` that is a Tensor is used by its values.

        Raises
        ------
        ValueError
            If a gradient has another shape or dtype than its parameter; no parameter has moved.
        """
        penalty, shrink = self.weight_decay, 1.0
        if self.decoupled_decay:
            penalty, shrink = 0.0, 1.0 - self.lr * self.weight_decay
        active = [block.gather(penalty) for block in self._blocks]
        for block, members in zip(self._blocks, active, strict=True):
            for (g, u, *state), t in block.advance(members):
                self._update(g, u, state, t)
            block.scatter(members, shrink)

    def zero_grad(self) -> None:
        """Forget the gradients: every ``grad`` becomes None."""
        for p in self.params:
            p.grad = None

    @property
    def lr(self) -> float:
        """The learning rate, read anew at every step."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = self._number("lr", value)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next steps depend on, as a flat dict of numbers and arrays.

        It holds the hyperparameters, ``steps`` (the step count of each parameter) and, for each
        state vector, ``name.i`` with the shape of parameter i; the arrays are copies.
        ``np.savez(path, **optimizer.state_dict())`` writes it, ``dict(np.load(path))`` reads it.
        """
        steps = np.zeros(len(self.params), dtype=np.int64)
        vectors: dict[str, Array] = {}
        for block in self._blocks:
            steps[block.indices] = block.steps
            vectors |= {key: part.copy() for key, part in block.parts().items()}
        settings = {name: getattr(self, name) for name in self.hyperparameters}
        return settings | {"steps": steps} | vectors

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state: training goes on as if it had never stopped, to the bit.

        Parameters
        ----------
        state : mapping
            What ``state_dict`` returned, for an optimizer of the same class, with the same
            hyperparameters (only ``lr`` may differ, and is restored) and parameters of the same
            shapes and dtypes.

        Raises
        ------
        ValueError
            If anything of this does not match; nothing has been loaded then.
        """
        owner = f"{type(self).__name__}.load_state_dict"
        expected = self.state_dict()
        if state.keys() != expected.keys():
            raise ValueError(
                f"{owner}: missing {sorted(expected.keys() - state.keys())}, "
                f"unexpected {sorted(state.keys() - expected.keys())}"
            )
        for name in self.hyperparameters:
            if name != "lr" and not np.array_equal(state[name], expected[name]):
                raise ValueError(
                    f"{owner}: {name} is {state[name]} in the state, {expected[name]} here"
                )
        arrays = {name: np.asarray(state[name]) for name in expected.keys() - self.hyperparameters}
        for name, array in arrays.items():
            here = expected[name]
            if array.shape != here.shape or array.dtype != here.dtype:
                raise ValueError(
                    f"{owner}: {name} has shape {array.shape} and dtype {array.dtype}, "
                    f"expected {here.shape} and {here.dtype}"
                )
        self.lr = float(state["lr"])
        for block in self._blocks:
            block.steps = arrays["steps"][block.indices].tolist()
            for key, part in block.parts().items():
                part[...] = arrays[key]

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)}" for name in self.hyperparameters)
        return f"{type(self).__name__}({len(self.params)} parameters, {settings})"

    def _number(self, name: str, value: float, below: float = math.inf) -> float:
        return number(type(self).__name__, name, value, below)

    def _checked(self, params: Iterable[Tensor]) -> list[Tensor]:
        owner = type(self).__name__
        if isinstance(params, Tensor):
            raise TypeError(f"{owner}: params is a Tensor, expected a list of Tensors")
        params = list(params)
        if not params:
            raise ValueError(f"{owner}: params is empty, expected at least one Tensor")
        seen: dict[int, int] = {}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"{owner}: params[{i}] is a {type(p).__name__}, expected a Tensor")
            if not p.requires_grad:
                raise ValueError(f"{owner}: params[{i}] is a constant (requires_grad is False)")
            if p._history is not None:
                raise ValueError(
                    f"{owner}: params[{i}] is the result of an operation, expected a leaf"
                )
            if p.dtype not in (np.float32, np.float64):
                raise ValueError(
                    f"{owner}: params[{i}] has dtype {p.dtype}, expected float32 or float64"
                )
            if id(p) in seen:
                raise ValueError(f"{owner}: params[{seen[id(p)]}] and params[{i}] are one Tensor")
            seen[id(p)] = i
        return params


class _Block:
    """Parameters of one dtype, laid end to end: working space and state are single vectors."""

    def __init__(
        self,
        indices: list[int],
        params: list[Tensor],
        names: Iterable[str],
    ) -> None:
        self.indices = indices
        self.params = params
        self.steps = [0] * len(params)
        self.dtype = params[0].dtype
        self.shapes = [p.shape for p in params]
        ends = np.cumsum([p.size for p in params]).tolist()
        self.slices = [slice(end - p.size, end) for p, end in zip(params, ends, strict=True)]
        self.state = {name: np.zeros(ends[-1], self.dtype) for name in names}
        self.gathered = np.empty(ends[-1], self.dtype)
        self.update = np.empty(ends[-1], self.dtype)
        self.update_views = self._views(self.update)
        self.gradient = self.gathered
        parts = zip(params, self._views(self.gathered), self.shapes, strict=True)
        self.rows = [(k, *part) for k, part in enumerate(parts)]

    def __reduce__(self) -> tuple[Any, ...]:
        # Copied or unpickled, a view is an array of its own: a copy of the block makes new views.
        memory = {"steps": self.steps, "state": self.state}
        return _Block, (self.indices, self.params, tuple(self.state)), memory

    def _views(self, vector: Array) -> list[Array]:
        """The parts of a vector, each with the shape of its parameter."""
        return [
            vector[where].reshape(shape)
            for where, shape in zip(self.slices, self.shapes, strict=True)
        ]

    def parts(self) -> dict[str, Array]:
        """Views of the state, by the names that they have in a state dict."""
        return {
            f"{name}.{i}": part
            for name, vector in self.state.items()
            for i, part in zip(self.indices, self._views(vector), strict=True)
        }

    def gather(self, penalty: float) -> list[int]:
        """Bring together g + penalty θ; return which parameters have a gradient."""
        members = []
        dtype = self.dtype
        for k, p, view, shape in self.rows:
            grad = p.grad
            if grad is None:
                continue
            if isinstance(grad, Tensor):
                grad = grad._data
            if grad.shape != shape or grad.dtype != dtype:
                raise ValueError(
                    f"step: the gradient of params[{self.indices[k]}] has shape {grad.shape} and "
                    f"dtype {grad.dtype}, the parameter {shape} and {dtype}"
                )
            if penalty:
                np.multiply(p._data, penalty, out=view)
                view += grad
            elif len(self.params) == 1:
                self.gradient = grad.reshape(-1)
            else:
                view[...] = grad
            members.append(k)
        return members

    def advance(self, members: list[int]) -> list[tuple[list[Array], int]]:
        """Count one step; return what to update: parts of all vectors, each with its step count.

        As a rule that is one part, the whole. Parameters that have been left out of some steps are
        behind the others and go by themselves.
        """
        steps = self.steps
        for k in members:
            steps[k] += 1
        vectors = [self.gradient, self.update, *self.state.values()]
        if len(members) == len(steps) and min(steps) == max(steps):
            return [(vectors, steps[0])]
        return [([vector[self.slices[k]] for vector in vectors], steps[k]) for k in members]

    def scatter(self, members: list[int], shrink: float) -> None:
        """θ ← shrink θ - u for each member, u being its part of ``update``."""
        params, views, now = self.params, self.update_views, next(_births)
        for k in members:
            p = params[k]
            theta = p._data
            if shrink != 1.0:
                theta *= shrink
            theta -= views[k]
            p._changed = now  # as _touch() does
        self.gradient = self.gathered  # lets go of the parameter's own


def flush_denormals(vector: Array) -> None:
    """Set to zero what has decayed below the smallest normal number.

    Under a gradient of zero (a dead unit) a running mean decays geometrically, enters the
    denormal numbers after some 800 steps in float32 and never leaves them: 0.9 times 4 units in the
    last place rounds to 4 again. Processors handle denormals ten times slower and worse. Looking
    every ``FLUSH_EVERY`` steps is enough, and costs next to nothing.
    """
    vector[np.abs(vector) < np.finfo(vector.dtype).smallest_normal] = 0


def number(owner: str, name: str, value: Any, below: float = math.inf) -> float:
    """The value as a float, if it is a real number in [0, below)."""
    if not isinstance(value, Real):
        raise TypeError(f"{owner}: {name} is {value!r}, expected a number")
    x = float(value)
    if not 0 <= x < below:
        expected = "a finite number, 0 or more" if below == math.inf else f"in [0, {below:g})"
        raise ValueError(f"{owner}: {name} is {x}, expected {expected}")
    return x
