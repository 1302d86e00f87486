r"""How large the first weights are, so that signals and gradients neither explode nor fade.

Take independent weights of mean 0 and variance :math:`\sigma^2`, zero biases, and a layer
:math:`a = Wz`, :math:`z' = \phi(a)`. A pre-activation sums :math:`d_{in}` products, each of
variance :math:`\sigma^2\,\mathbb E[z^2]`: since a weight has mean 0, it is the *second moment* of z
that counts, and not its variance. So

.. math:: \mathrm{Var}[a] = d_{in}\,\sigma^2\,\mathbb E[z^2].

* He: a is symmetric, so ReLU halves its second moment, and :math:`\sigma^2 = 2/d_{in}` makes
  :math:`\mathbb E[z'^2] = \mathbb E[z^2]`. The variance of the activations is *not* preserved: z'
  is not centred, and :math:`\mathrm{Var}[z'] = (1 - 1/\pi)\,\mathbb E[z'^2]` for Gaussian a
  (errata E36, E37).
* Xavier: for an odd :math:`\phi` of slope 1 at 0, such as tanh, nothing is halved. Forward wants
  :math:`\sigma^2 = 1/d_{in}`; backward, where the same sum runs over the outputs, wants
  :math:`1/d_{out}`. The compromise is the inverse of the mean of the two widths,
  :math:`\sigma^2 = 2/(d_{in} + d_{out})` (erratum E38).

Each function takes the shape of the weight, (out, in) or (out, in, \*kernel), and the generator to
draw from, and returns an array. Numbers are drawn in float64 and then rounded to ``dtype``, so the
float32 network of a seed is its float64 network, rounded.

Lesson 09. He et al. (2015), *Delving Deep into Rectifiers*; Glorot and Bengio
(2010), *Understanding the difficulty of training deep feedforward neural networks*.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from minimlcourse.autodiff.tensor import Array

__all__ = ["he_normal", "he_uniform", "xavier_normal", "xavier_uniform"]


def he_normal(
    shape: Sequence[int], rng: np.random.Generator, dtype: DTypeLike = np.float64
) -> Array:
    r"""Gaussian weights for layers followed by ReLU: :math:`\mathcal N(0,\ 2/d_{in})`.

    Preserves the second moment of the activations, :math:`\mathbb E[z^2]`, through Linear + ReLU.

    Parameters
    ----------
    shape : (out, in) or (out, in, *kernel)
        The shape of the weight.
    rng : numpy.random.Generator
        Where the numbers come from.
    dtype : floating dtype
        The dtype of the result.

    Returns
    -------
    array of the given shape and dtype

    Raises
    ------
    ValueError
        If ``shape`` has fewer than two axes, or an empty one.

    Examples
    --------
    >>> W = he_normal((100, 50), np.random.default_rng(0))
    >>> W.shape, round(float(W.var()), 3)  # 2/50
    ((100, 50), 0.04)

    Lesson 09; He et al. (2015), equation 10.
    """
    fan_in, _ = _fans(shape)
    return _normal(shape, 2 / fan_in, rng, dtype)


def he_uniform(
    shape: Sequence[int], rng: np.random.Generator, dtype: DTypeLike = np.float64
) -> Array:
    r"""Uniform weights of the same variance as :func:`he_normal`: on :math:`\pm\sqrt{6/d_{in}}`.

    Parameters, result and errors are those of :func:`he_normal`.

    Examples
    --------
    >>> W = he_uniform((100, 6), np.random.default_rng(0))
    >>> bool((abs(W) <= 1).all())
    True
    """
    fan_in, _ = _fans(shape)
    return _uniform(shape, 2 / fan_in, rng, dtype)


def xavier_normal(
    shape: Sequence[int],
    rng: np.random.Generator,
    dtype: DTypeLike = np.float64,
    gain: float = 1.0,
) -> Array:
    r"""Gaussian weights for odd activations: :math:`\mathcal N(0,\ 2 g^2/(d_{in} + d_{out}))`.

    With equal widths and an activation that is the identity near 0 (tanh), it preserves the second
    moment of the activations and that of the gradients, as long as activations stay small.

    Parameters
    ----------
    shape : (out, in) or (out, in, *kernel)
        The shape of the weight.
    rng : numpy.random.Generator
        Where the numbers come from.
    dtype : floating dtype
        The dtype of the result.
    gain : float
        The factor g: one over the slope of the activation at 0. So 1 for tanh and 4 for the
        logistic sigmoid, whose outputs moreover are not centred (erratum E38).

    Returns
    -------
    array of the given shape and dtype

    Raises
    ------
    ValueError
        If ``shape`` has fewer than two axes, or an empty one.

    Examples
    --------
    >>> W = xavier_normal((100, 60), np.random.default_rng(0))
    >>> W.shape, round(float(W.var()), 3)  # 2/160
    ((100, 60), 0.012)

    Lesson 09; Glorot and Bengio (2010), equation 12.
    """
    return _normal(shape, 2 * gain**2 / sum(_fans(shape)), rng, dtype)


def xavier_uniform(
    shape: Sequence[int],
    rng: np.random.Generator,
    dtype: DTypeLike = np.float64,
    gain: float = 1.0,
) -> Array:
    r"""Uniform weights of :func:`xavier_normal`'s variance: :math:`\pm g\sqrt{6/(d_{in}+d_{out})}`.

    Parameters, result and errors are those of :func:`xavier_normal`.

    Examples
    --------
    >>> W = xavier_uniform((2, 4), np.random.default_rng(0))
    >>> bool((abs(W) <= 1).all())
    True
    """
    return _uniform(shape, 2 * gain**2 / sum(_fans(shape)), rng, dtype)


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs an output sums, and how many outputs an input reaches."""
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"init: shape is {tuple(shape)}, expected (out, in) or (out, in, *kernel)")
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def _normal(
    shape: Sequence[int], variance: float, rng: np.random.Generator, dtype: DTypeLike
) -> Array:
    return rng.normal(0.0, math.sqrt(variance), shape).astype(dtype)


def _uniform(
    shape: Sequence[int], variance: float, rng: np.random.Generator, dtype: DTypeLike
) -> Array:
    bound = math.sqrt(3 * variance)  # the uniform distribution on ±b has variance b²/3
    return rng.uniform(-bound, bound, shape).astype(dtype)
