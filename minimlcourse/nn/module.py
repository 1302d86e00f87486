"""What layers have in common. A model is a Module that holds Modules.

A Module is an ordinary Python object. Its parameters are found by looking at its attributes, when
they are asked for; nothing is registered, and a subclass need not call ``super().__init__()``.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Self, overload

import numpy as np

from minimlcourse.autodiff.tensor import Array, Tensor
from minimlcourse.nn.serialization import read_arrays, write_arrays

__all__ = ["Module", "Sequential"]


class Module:
    """Base class of layers and models.

    A subclass sets attributes and defines ``forward``. An attribute may be

    * a Tensor: a *parameter*, to be trained, if it requires gradients; if not, a *constant* that
      belongs to the model and is saved with it (a running mean, a frozen weight);
    * a Module;
    * a list, tuple or dict of these.

    Each Tensor counts once, under the first name that it is found by: weights may be shared. What
    ``forward`` wants to keep for a later look is best kept as an array, ``.numpy()``, which counts
    as nothing. (PyTorch wants parameters to be wrapped, and lists to be `ModuleList`.)

    Attributes
    ----------
    training : bool
        True while training (the default), False for prediction: Dropout looks at it.

    Examples
    --------
    >>> class Scale(Module):
    ...     def __init__(self, n):
    ...         self.factor = Tensor(np.ones(n))
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Scale(3)
    >>> [name for name, _ in model.named_parameters()]
    ['factor']
    >>> model(np.array([1.0, 2.0, 3.0]))
    Tensor([1., 2., 3.], op=multiply)

    Lesson 09.
    """

    training = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of ``forward``."""
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Call the module itself rather than this."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    # -- the tree --------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules held directly, or in a list, tuple or dict, with their names."""
        return ((name, x) for name, x in _held(vars(self)) if isinstance(x, Module))

    def children(self) -> Iterator["Module"]:
        """The modules held directly, or in a list, tuple or dict."""
        return (child for _, child in self.named_children())

    def modules(self) -> Iterator["Module"]:
        """The module itself and all those below it, each once."""
        return (x for _, x in _walk("", self, set()) if isinstance(x, Module))

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The trained Tensors with their dotted names, such as ``layers.0.weight``, each once."""
        return ((name, p) for name, p in self._named_tensors() if p.requires_grad)

    def parameters(self) -> Iterator[Tensor]:
        """The trained Tensors, each once, in the order of ``named_parameters``."""
        return (p for _, p in self.named_parameters())

    @property
    def n_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(p.size for p in self.parameters())

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.zero_grad()

    def _named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        return ((name, x) for name, x in _walk("", self, set()) if isinstance(x, Tensor))

    # -- modes -----------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Put this module and all those below it into training mode; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Put this module and all those below it into prediction mode; returns the module."""
        return self.train(False)

    # -- keeping the weights ---------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and constant Tensors, by name."""
        return {name: x.numpy() for name, x in self._named_tensors()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Write the arrays of ``state`` into the Tensors of the same names.

        Values are written in place, converted to each Tensor's dtype: an optimizer that holds the
        parameters keeps working. Either everything is loaded or nothing.

        Parameters
        ----------
        state : mapping from names to arrays
            What ``state_dict`` returned, for a model of this architecture.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or if an array has a wrong shape or is not real: all
            such faults are listed, and the model is as it was.

        Examples
        --------
        >>> from minimlcourse.nn import Linear
        >>> layer = Linear(2, 1, rng=np.random.default_rng(0))
        >>> layer.load_state_dict({"weight": np.ones((1, 3)), "slope": 1.0})
        Traceback (most recent call last):
        ValueError: load_state_dict: bias is missing; slope is unknown; weight has shape (1, 3), \
the model expects (1, 2)
        """
        self._load(state, "load_state_dict")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all parameters and constant Tensors to an `.npz` file.

        The file replaces a former one at once or not at all, and ``numpy.load`` reads it as well.

        Parameters
        ----------
        path : str or path
            The file. Nothing is appended to its name.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        write_arrays(path, self.state_dict())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read what ``save`` wrote, into a model of the same architecture.

        Nothing in the file is executed (no pickle), and either everything is loaded or nothing.

        Parameters
        ----------
        path : str or path
            The file.

        Raises
        ------
        OSError
            If the file is missing or cannot be read.
        ValueError
            If it is damaged, or was written by a model of another architecture.
        """
        self._load(read_arrays(path), f"load: {path}")

    def _load(self, state: Mapping[str, Array], source: str) -> None:
        tensors = dict(self._named_tensors())
        faults = [f"{name} is missing" for name in tensors if name not in state]
        faults += [f"{name} is unknown" for name in state if name not in tensors]
        arrays = {name: np.asarray(state[name]) for name in tensors if name in state}
        for name, array in arrays.items():
            if array.shape != tensors[name].shape:
                expected = tensors[name].shape
                faults.append(f"{name} has shape {array.shape}, the model expects {expected}")
            if array.dtype.kind not in "fiub":
                faults.append(f"{name} has dtype {array.dtype}, the model expects real numbers")
        if faults:
            raise ValueError(f"{source}: {'; '.join(faults)}")
        for name, array in arrays.items():
            tensors[name].data = array

    # -- how it prints ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        kind = type(self).__name__
        children = [f"{name}: {child!r}" for name, child in self.named_children()]
        if not children:
            return f"{kind}({self._settings()})"
        lines = "\n".join(children).replace("\n", "\n  ")
        return f"{kind}(\n  {lines}\n)  # {self.n_parameters:,} parameters"

    def _settings(self) -> str:
        """What ``repr`` shows between the parentheses of a module without children."""
        return ""


class Sequential(Module):
    """Modules one after the other, each fed with the result of the one before.

    Parameters
    ----------
    *layers : Module
        The modules, in order. With none, the identity.

    Raises
    ------
    TypeError
        If a layer is not a Module.

    Examples
    --------
    >>> from minimlcourse.nn import Linear, ReLU
    >>> rng = np.random.default_rng(0)
    >>> model = Sequential(Linear(4, 3, rng=rng), ReLU(), Linear(3, 2, rng=rng))
    >>> model
    Sequential(
      layers.0: Linear(4, 3)
      layers.1: ReLU()
      layers.2: Linear(3, 2)
    )  # 23 parameters
    >>> model(np.zeros((5, 4))).shape
    (5, 2)
    >>> len(model), model[0]
    (3, Linear(4, 3))

    Lesson 09.
    """

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} is {layer!r}, expected a Module")
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """The result of the last layer, for the input ``x`` of the first."""
        for layer in self.layers:
            x = layer.forward(x)  # what layer(x) does
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...
    def __getitem__(self, index: int | slice) -> Module:
        """A layer; or, for a slice, a Sequential of the same layers (their weights are shared)."""
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]


def _held(holder: Any, prefix: str = "") -> Iterator[tuple[str, Module | Tensor]]:
    """The Modules and leaf Tensors of a container, with their names inside it."""
    items = holder.items() if isinstance(holder, dict) else enumerate(holder)
    for key, value in items:
        name = f"{prefix}{key}"
        if isinstance(value, Module):
            yield name, value
        elif isinstance(value, Tensor):
            # What an operation returned has a history: it is no variable of the model.
            if value._history is None:
                yield name, value
        elif isinstance(value, (list, tuple, dict)):
            yield from _held(value, f"{name}.")


def _walk(name: str, x: Module | Tensor, seen: set[int]) -> Iterator[tuple[str, Module | Tensor]]:
    """`x` and all that it holds, depth first, each once, with dotted names."""
    if id(x) in seen:
        return
    seen.add(id(x))
    yield name, x
    if isinstance(x, Module):
        for key, value in _held(vars(x)):
            yield from _walk(f"{name}.{key}" if name else key, value, seen)
