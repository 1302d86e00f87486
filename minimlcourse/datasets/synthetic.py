"""Small data sets whose truth is known: two coordinates and a few classes, or a noisy sine.

Each function takes the number of points ``n`` and an explicit ``rng``: a seed, or a
``numpy.random.Generator`` that is drawn from and moves on. The same seed gives the same data; take
another one for the test set. Points come in random order, and the classes are equal in number, up
to one point.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "make_blobs",
    "make_circles",
    "make_moons",
    "make_sine",
    "make_spirals",
    "make_xor",
    "synthetic_mnist",
]

Points = NDArray[np.float64]
Labels = NDArray[np.int64]
Seed = int | np.random.Generator


def make_spirals(
    n: int, n_classes: int = 3, *, turns: float = 0.65, noise: float = 0.2, rng: Seed
) -> tuple[Points, Labels]:
    r"""Arms of a spiral, one a class, wound around the origin.

    A point of class :math:`k` among :math:`K` lies at radius :math:`t` and angle
    :math:`2\pi(k/K + \text{turns}\cdot t) + \varepsilon`, with :math:`t` uniform on [0, 1] and
    :math:`\varepsilon` normal.

    Parameters
    ----------
    n
        Number of points.
    n_classes
        Number of arms, K.
    turns
        How far an arm winds, in full turns.
    noise
        Standard deviation of the angle, in radians.
    rng
        Seed or generator.

    Returns
    -------
    X : ndarray, (n, 2)
    y : ndarray of int64, (n,)
        The arm, 0 to ``n_classes - 1``.

    Raises
    ------
    ValueError
        If ``n < n_classes`` or ``noise < 0``.

    Notes
    -----
    Source: the report, figures 5 and 11, which do not give their generator.

    Examples
    --------
    >>> X, y = make_spirals(300, rng=0)
    >>> X.shape, np.bincount(y)
    ((300, 2), array([100, 100, 100]))
    """
    rng = np.random.default_rng(rng)
    y = _balanced_labels("make_spirals", n, n_classes, rng)
    radius = rng.uniform(size=n)
    angle = 2 * np.pi * (y / n_classes + turns * radius)
    angle += _noise("make_spirals", noise, n, rng)
    return radius[:, np.newaxis] * _directions(angle), y


def make_circles(
    n: int, *, factor: float = 0.5, noise: float = 0.1, rng: Seed
) -> tuple[Points, Labels]:
    """Two circles around the origin, one inside the other.

    Class 0 lies on the circle of radius 1, class 1 on that of radius ``factor``, both uniformly;
    normal noise is added to both coordinates.

    Parameters
    ----------
    n
        Number of points.
    factor
        Radius of the inner circle, between 0 and 1.
    noise
        Standard deviation of the noise on each coordinate.
    rng
        Seed or generator.

    Returns
    -------
    X : ndarray, (n, 2)
    y : ndarray of int64, (n,)

    Raises
    ------
    ValueError
        If ``factor`` is not between 0 and 1, ``n < 2`` or ``noise < 0``.

    Notes
    -----
    Source: homework B, question 3.5, whose *cercle* is known by name only.
    """
    if not 0 < factor < 1:
        raise ValueError(f"make_circles: factor is {factor}, expected a number between 0 and 1")
    rng = np.random.default_rng(rng)
    y = _balanced_labels("make_circles", n, 2, rng)
    radius = np.where(y == 0, 1.0, factor)
    X = radius[:, np.newaxis] * _directions(rng.uniform(0, 2 * np.pi, size=n))
    return X + _noise("make_circles", noise, (n, 2), rng), y


def make_moons(n: int, *, noise: float = 0.1, rng: Seed) -> tuple[Points, Labels]:
    r"""Two half-circles of radius 1 that reach into one another.

    With :math:`t` uniform on :math:`[0, \pi]`, class 0 lies at :math:`(\cos t, \sin t)` and class 1
    at :math:`(1 - \cos t, \tfrac12 - \sin t)`; normal noise is added to both coordinates.

    Parameters
    ----------
    n
        Number of points.
    noise
        Standard deviation of the noise on each coordinate.
    rng
        Seed or generator.

    Returns
    -------
    X : ndarray, (n, 2)
    y : ndarray of int64, (n,)

    Raises
    ------
    ValueError
        If ``n < 2`` or ``noise < 0``.
    """
    rng = np.random.default_rng(rng)
    y = _balanced_labels("make_moons", n, 2, rng)
    upper = _directions(rng.uniform(0, np.pi, size=n))
    X = np.where(y[:, np.newaxis] == 0, upper, np.array([1.0, 0.5]) - upper)
    return X + _noise("make_moons", noise, (n, 2), rng), y


def make_xor(n: int, *, noise: float = 0.1, rng: Seed) -> tuple[Points, Labels]:
    """Four quadrants, opposite ones of the same class: no line separates them.

    A point is uniform on the square [-1, 1] x [-1, 1] and of class 1 if its coordinates differ in
    sign, else of class 0; normal noise is added to both coordinates after the class is settled.

    Parameters
    ----------
    n
        Number of points.
    noise
        Standard deviation of the noise on each coordinate.
    rng
        Seed or generator.

    Returns
    -------
    X : ndarray, (n, 2)
    y : ndarray of int64, (n,)

    Raises
    ------
    ValueError
        If ``n < 2`` or ``noise < 0``.
    """
    rng = np.random.default_rng(rng)
    y = _balanced_labels("make_xor", n, 2, rng)
    X = rng.uniform(-1, 1, size=(n, 2))
    X[:, 1] = np.abs(X[:, 1]) * np.sign(X[:, 0]) * np.where(y == 0, 1, -1)
    return X + _noise("make_xor", noise, (n, 2), rng), y


def make_blobs(
    n: int, centers: int | ArrayLike = 3, *, noise: float = 1.0, rng: Seed
) -> tuple[Points, Labels]:
    """Round clouds, one a class: normal around their centres with standard deviation ``noise``.

    Parameters
    ----------
    n
        Number of points.
    centers
        The centres, an array (K, d); or their number K, to have them evenly spaced on the circle of
        radius 4 around the origin of the plane.
    noise
        Standard deviation of each coordinate.
    rng
        Seed or generator.

    Returns
    -------
    X : ndarray, (n, d)
    y : ndarray of int64, (n,)
        The centre, 0 to K - 1.

    Raises
    ------
    ValueError
        If ``centers`` is not a number or an array (K, d), ``n < K`` or ``noise < 0``.
    """
    rng = np.random.default_rng(rng)
    points = np.asarray(centers, dtype=np.float64)
    if isinstance(centers, int | np.integer):
        points = 4 * _directions(2 * np.pi * np.arange(centers) / centers)
    if points.ndim != 2:
        raise ValueError(
            f"make_blobs: centers has shape {points.shape}, expected (K, d) or a number of centres"
        )
    y = _balanced_labels("make_blobs", n, len(points), rng)
    return points[y] + _noise("make_blobs", noise, (n, points.shape[1]), rng), y


def make_sine(n: int, *, noise: float = 0.1, rng: Seed) -> tuple[Points, Points]:
    r"""A noisy sine, for regression: :math:`y = \sin(x) + \varepsilon`.

    :math:`x` is uniform on :math:`[0, 2\pi]` and :math:`\varepsilon` normal.

    Parameters
    ----------
    n
        Number of points.
    noise
        Standard deviation of the noise on y.
    rng
        Seed or generator.

    Returns
    -------
    X : ndarray, (n, 1)
    y : ndarray of float64, (n,)

    Raises
    ------
    ValueError
        If ``n < 1`` or ``noise < 0``.

    Notes
    -----
    Source: the report, figure 6.
    """
    if n < 1:
        raise ValueError(f"make_sine: n is {n}, expected at least 1")
    rng = np.random.default_rng(rng)
    X = rng.uniform(0, 2 * np.pi, size=(n, 1))
    return X, np.sin(X[:, 0]) + _noise("make_sine", noise, n, rng)


def synthetic_mnist(n: int, *, rng: Seed) -> tuple[NDArray[np.uint8], Labels]:
    """A stand-in with MNIST's shapes and types, and nothing else of MNIST.

    Each of ten classes has one fixed image, three soft spots on a 28 x 28 grid. A sample is the
    image of its class plus independent normal noise (standard deviation 64), rounded and clipped to
    0...255. It serves to run a program without the files and for nothing more: assigning each image
    to the nearest class mean is right every time, where it is right on 82 % of MNIST. A result
    obtained here must be called synthetic.

    Parameters
    ----------
    n
        Number of samples.
    rng
        Seed or generator of the samples; the ten class images are always the same.

    Returns
    -------
    X : ndarray of uint8, (n, 784)
    y : ndarray of int64, (n,)

    Raises
    ------
    ValueError
        If ``n < 10``.

    Notes
    -----
    Source: the report, section 5 and figure 7, which present such a set as real data.
    """
    rng = np.random.default_rng(rng)
    y = _balanced_labels("synthetic_mnist", n, 10, rng)
    X = np.empty((n, 784), dtype=np.uint8)
    for label, image in enumerate(_ten_images()):
        rows = np.flatnonzero(y == label)
        sample = image + 64 * rng.standard_normal((len(rows), 784))
        X[rows] = np.clip(np.rint(sample), 0, 255)
    return X, y


def _ten_images() -> NDArray[np.float64]:
    """The classes of :func:`synthetic_mnist`, (10, 784)."""
    centre = np.random.default_rng(10).uniform(6, 22, size=(10, 3, 2, 1))
    squared = (np.arange(28) - centre) ** 2  # (class, spot, axis, pixel)
    bell = np.exp(-squared / (2 * 3.0**2))  # a spot is 3 pixels wide
    spots = bell[:, :, 0, :, np.newaxis] * bell[:, :, 1, np.newaxis, :]
    images: Points = 255 * spots.max(axis=1).reshape(10, 784)
    return images


def _balanced_labels(name: str, n: int, n_classes: int, rng: np.random.Generator) -> Labels:
    if not n >= n_classes >= 1:
        raise ValueError(
            f"{name}: n is {n} and there are {n_classes} classes, expected n >= classes >= 1"
        )
    return rng.permutation(np.arange(n) % n_classes)


def _noise(
    name: str, scale: float, shape: int | tuple[int, int], rng: np.random.Generator
) -> Points:
    if not 0 <= scale < np.inf:
        raise ValueError(f"{name}: noise is {scale}, expected a finite number >= 0")
    return scale * rng.standard_normal(shape)


def _directions(angle: Points) -> Points:
    """Unit vectors (n, 2) at the given angles (n,)."""
    return np.column_stack([np.cos(angle), np.sin(angle)])
