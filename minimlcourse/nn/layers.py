"""The layers: affine maps, activations, dropout, and the network that alternates them.

Inputs have samples as rows, shape (n, d) or (..., d), and may be Tensors or arrays (constants).
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

import minimlcourse.functional as F
from minimlcourse.autodiff.tensor import Array, Tensor
from minimlcourse.nn.init import he_normal, xavier_normal
from minimlcourse.nn.module import Module, Sequential

__all__ = ["GELU", "MLP", "Dropout", "Linear", "ReLU", "Sigmoid", "Softplus", "Tanh"]

Initialization = Callable[[tuple[int, int], np.random.Generator, DTypeLike], Array]


class Linear(Module):
    r"""An affine map, :math:`xW^\top + b`.

    W is drawn by He's rule, :math:`\mathcal N(0, 2/d_{in})`, and b starts at 0. (PyTorch draws both
    from the uniform law on :math:`\pm 1/\sqrt{d_{in}}`, whose variance is six times smaller: deep
    ReLU networks fade with it.)

    Parameters
    ----------
    in_features, out_features : int
        Widths :math:`d_{in}` and :math:`d_{out}`.
    bias : bool
        Whether there is a b.
    rng : numpy.random.Generator
        Where the weights are drawn from.
    dtype : floating dtype
        The dtype of the weights.
    init : callable
        ``init(shape, rng, dtype)`` draws W: a function of ``nn.init``, or one like them.

    Attributes
    ----------
    weight : Tensor of shape (out_features, in_features)
    bias : Tensor of shape (out_features,), or None

    Raises
    ------
    ValueError
        If a width is not positive; when called, if x has another number of features.

    Examples
    --------
    >>> layer = Linear(4, 2, rng=np.random.default_rng(0))
    >>> layer(np.zeros((3, 4))).shape
    (3, 2)
    >>> layer(np.zeros((3, 5)))
    Traceback (most recent call last):
    ValueError: Linear: x has 5 features, the layer expects 4

    Lesson 09.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float64,
        init: Initialization = he_normal,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"Linear: in_features={in_features}, out_features={out_features}, "
                "expected positive numbers"
            )
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Tensor(init((out_features, in_features), rng, dtype))
        self.bias = Tensor(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x: Any) -> Any:
        """Map (..., in_features) to (..., out_features)."""
        try:
            return F.linear(x, self.weight, self.bias)
        except ValueError as error:
            if x.shape[-1:] == (self.in_features,):
                raise
            raise ValueError(
                f"Linear: x has {x.shape[-1] if x.ndim else 'no'} features, "
                f"the layer expects {self.in_features}"
            ) from error

    def _settings(self) -> str:
        no_bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{no_bias}"


class ReLU(Module):
    """max(x, 0), elementwise; see :func:`minimlcourse.functional.relu`."""

    def forward(self, x: Any) -> Any:
        """Any shape to the same shape."""
        return F.relu(x)


class GELU(Module):
    r"""x Φ(x), elementwise; see :func:`minimlcourse.functional.gelu`."""

    def forward(self, x: Any) -> Any:
        """Any shape to the same shape."""
        return F.gelu(x)


class Sigmoid(Module):
    r"""1 / (1 + exp(−x)), elementwise; see :func:`minimlcourse.functional.sigmoid`."""

    def forward(self, x: Any) -> Any:
        """Any shape to the same shape."""
        return F.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent, elementwise; see :func:`minimlcourse.functional.tanh`."""

    def forward(self, x: Any) -> Any:
        """Any shape to the same shape."""
        return F.tanh(x)


class Softplus(Module):
    r"""log(1 + exp(x)), elementwise; see :func:`minimlcourse.functional.softplus`."""

    def forward(self, x: Any) -> Any:
        """Any shape to the same shape."""
        return F.softplus(x)


class Dropout(Module):
    r"""While training, zero each entry with probability p and divide the others by 1 − p.

    The division keeps the expectation, so that nothing has to be rescaled for prediction: in
    ``eval()`` mode the layer is the identity. (This is *inverted* dropout.)

    Parameters
    ----------
    p : float in [0, 1)
        The probability of being zeroed.
    rng : numpy.random.Generator
        Where the masks are drawn from.

    Raises
    ------
    ValueError
        If p is not in [0, 1).

    Examples
    --------
    >>> dropout = Dropout(0.5, np.random.default_rng(0))
    >>> x = np.ones(100)
    >>> np.unique(dropout(x))
    array([0., 2.])
    >>> dropout.eval()(x) is x
    True

    Lesson 07; Srivastava et al. (2014).
    """

    def __init__(self, p: float, rng: np.random.Generator) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is {p}, expected a probability in [0, 1)")
        self.p = p
        self.rng = rng

    def forward(self, x: Any) -> Any:
        """Any shape to the same shape."""
        return F.dropout(x, self.p, self.rng) if self.training and self.p else x

    def _settings(self) -> str:
        return f"{self.p}"


_ACTIVATIONS: dict[str, tuple[type[Module], Initialization]] = {
    "relu": (ReLU, he_normal),
    "gelu": (GELU, he_normal),
    "softplus": (Softplus, he_normal),
    "tanh": (Tanh, xavier_normal),
    "sigmoid": (Sigmoid, partial(xavier_normal, gain=4.0)),
}


class MLP(Sequential):
    r"""A multilayer perceptron: affine maps with an activation between any two.

    .. math::
        z^{(\ell)} = \phi(z^{(\ell-1)}W^{(\ell)\top} + b^{(\ell)}),\quad \ell = 1, \dots, H-1;
        \qquad z^{(H)} = z^{(H-1)}W^{(H)\top} + b^{(H)}

    Its depth H is the number of affine maps, so H − 1 layers are hidden (errata E34, E188). What
    comes out are logits, or real predictions: there is no activation after the last map.

    Weights start by the rule that suits what follows them: He's before ReLU, GELU and softplus,
    Xavier's before tanh, Xavier's with gain 4 before the sigmoid, and Xavier's in the last map.
    Biases start at 0.

    Parameters
    ----------
    sizes : sequence of at least two ints
        The widths :math:`d_0, \dots, d_H`.
    activation : "relu", "gelu", "softplus", "tanh" or "sigmoid"
        The function φ.
    rng : numpy.random.Generator
        Where the weights are drawn from, and later the masks of dropout.
    dtype : floating dtype
        The dtype of the weights.
    dropout : float in [0, 1)
        The probability with which each hidden unit is dropped while training.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or an activation is not one of these.

    Examples
    --------
    >>> MLP([784, 128, 10], rng=np.random.default_rng(0))
    MLP(
      layers.0: Linear(784, 128)
      layers.1: ReLU()
      layers.2: Linear(128, 10)
    )  # 101,770 parameters

    Lesson 09.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float64,
        dropout: float = 0.0,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(f"MLP: sizes is {list(sizes)}, expected at least input and output")
        if activation not in _ACTIVATIONS:
            raise ValueError(
                f"MLP: activation is {activation!r}, expected one of {', '.join(_ACTIVATIONS)}"
            )
        phi, init = _ACTIVATIONS[activation]
        *hidden, output = pairwise(sizes)
        layers: list[Module] = []
        for shape in hidden:
            layers += [Linear(*shape, rng=rng, dtype=dtype, init=init), phi()]
            if dropout:
                layers.append(Dropout(dropout, rng))
        layers.append(Linear(*output, rng=rng, dtype=dtype, init=xavier_normal))
        super().__init__(*layers)
