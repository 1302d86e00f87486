"""Preparing features: random projection and standardisation.

Both learn what they need from the training part and apply the same map everywhere: a mean or a
scale taken from test data would tell the model about points that it must not have seen. ``fit`` on
the training part, ``transform`` on every part.
"""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["RandomProjection", "StandardScaler"]


class _Preprocessing(ABC):
    """A map of features: learnt by ``fit``, applied by ``transform``."""

    n_features_in_: int | None = None

    @abstractmethod
    def fit(self, X: ArrayLike) -> Self: ...

    @abstractmethod
    def transform(self, X: ArrayLike) -> NDArray[Any]: ...

    def fit_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Fit on X, then transform X."""
        return self.fit(X).transform(X)

    def _learn_from(self, X: ArrayLike) -> NDArray[Any]:
        X = self._matrix(X)
        if len(X) == 0:
            raise ValueError(f"{type(self).__name__}: X has no rows to fit on")
        self.n_features_in_ = X.shape[1]
        return X

    def _apply_to(self, X: ArrayLike) -> NDArray[Any]:
        name = type(self).__name__
        if self.n_features_in_ is None:
            raise RuntimeError(f"{name}: transform was called before fit")
        X = self._matrix(X)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"{name}: X has {X.shape[1]} features, fit saw {self.n_features_in_}")
        return X

    def _matrix(self, X: ArrayLike) -> NDArray[Any]:
        name = type(self).__name__
        X = np.asarray(X)
        if X.dtype.kind in "biu":
            X = X.astype(np.float64)
        if X.dtype.kind != "f":
            raise TypeError(f"{name}: X has dtype {X.dtype}, expected real numbers")
        if X.ndim != 2:
            raise ValueError(f"{name}: X has shape {X.shape}, expected (n, d)")
        if not np.isfinite(X).all():
            row, column = np.argwhere(~np.isfinite(X))[0]
            raise ValueError(
                f"{name}: X[{row}, {column}] is {X[row, column]}, expected finite numbers"
            )
        return X


class RandomProjection(_Preprocessing):
    r"""Project d features on k random directions, keeping distances on average.

    .. math:: z = Rx, \qquad R_{ij} \sim \mathcal N(0, 1/k) \text{ independent}

    so that :math:`\mathbb E\,\|R(x - x')\|^2 = \|x - x'\|^2`, with relative standard deviation
    :math:`\sqrt{2/k}`. By the lemma of Johnson and Lindenstrauss, all distances between n points
    change by a factor within :math:`1 \pm \epsilon`, with high probability, once k is a multiple of
    :math:`\log(n)/\epsilon^2`, whatever d is.

    The directions ignore the data: this is no principal component analysis. Their span holds about
    k/d of the variance (8 % for 64 out of 784), where the first k principal components hold as much
    as k directions can.

    Parameters
    ----------
    n_components
        k, the number of features after the projection.
    rng
        Seed or generator that draws R, when ``fit`` is called.

    Attributes
    ----------
    components_ : ndarray, (k, d)
        R, after ``fit``.

    Notes
    -----
    Source: the report, section 5.2, which calls it a pseudo-PCA. S. Dasgupta, A. Gupta, *An
    elementary proof of a theorem of Johnson and Lindenstrauss*, Random Structures & Algorithms,
    2003.

    Examples
    --------
    >>> X = np.ones((5, 784), dtype=np.float32)
    >>> RandomProjection(64, rng=0).fit_transform(X).shape
    (5, 64)
    """

    def __init__(self, n_components: int = 64, *, rng: int | np.random.Generator) -> None:
        if n_components < 1:
            raise ValueError(
                f"RandomProjection: n_components is {n_components}, expected at least 1"
            )
        self.n_components = n_components
        self.rng = rng

    def fit(self, X: ArrayLike) -> Self:
        """Draw R for the number of features of X, (n, d); the values of X play no part."""
        n_features = self._learn_from(X).shape[1]
        normal = np.random.default_rng(self.rng).standard_normal((self.n_components, n_features))
        self.components_ = normal / np.sqrt(self.n_components)
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Return XRᵀ, (n, k), of the same float type as X.

        Raises ValueError if X is not a finite matrix (n, d) with the d seen by ``fit``.
        """
        X = self._apply_to(X)
        Z: NDArray[Any] = X @ self.components_.T.astype(X.dtype)
        return Z


class StandardScaler(_Preprocessing):
    r"""Give each feature mean 0 and standard deviation 1 over the training part.

    .. math:: z_{ij} = \frac{x_{ij} - \mu_j}{\sigma_j}, \qquad \mu_j = \frac1n \sum_i x_{ij}, \quad
              \sigma_j^2 = \frac1n \sum_i (x_{ij} - \mu_j)^2

    A feature that is constant over the training part, as many border pixels of MNIST are, has
    :math:`\sigma_j = 0`: it is centred and divided by 1.

    Attributes
    ----------
    mean_ : ndarray of float64, (d,)
    scale_ : ndarray of float64, (d,)
        :math:`\mu` and :math:`\sigma` (1 where constant), after ``fit``.

    Notes
    -----
    Source: the report, section 5.2.

    Examples
    --------
    >>> scaler = StandardScaler().fit([[0.0, 5.0], [2.0, 5.0]])
    >>> scaler.transform([[3.0, 6.0]])
    array([[2., 1.]])
    """

    def fit(self, X: ArrayLike) -> Self:
        """Measure mean and standard deviation of each column of X, (n, d)."""
        X = self._learn_from(X)
        # The computed mean of equal numbers can miss them by a rounding error, and the computed
        # deviation then is that error instead of 0: equality is what says constant.
        constant = (X == X[0]).all(axis=0)
        self.mean_ = np.where(constant, X[0], X.mean(axis=0, dtype=np.float64))
        self.scale_ = np.where(constant, 1.0, X.std(axis=0, dtype=np.float64))
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Return the standardised X, (n, d), of the same float type as X.

        Raises ValueError if X is not a finite matrix (n, d) with the d seen by ``fit``.
        """
        X = self._apply_to(X)
        Z: NDArray[Any] = X - self.mean_.astype(X.dtype)
        Z /= self.scale_.astype(X.dtype)
        return Z
