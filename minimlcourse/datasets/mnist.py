"""MNIST: 70,000 handwritten digits of 28 x 28 grey pixels, kept inside the package.

The four files lie in ``mnist/`` beside this module as their authors published them, in IDX format.
The environment variable ``MINIMLCOURSE_DATA`` names another folder with files of the same names,
for instance Fashion-MNIST's.
"""

import errno
import functools
import hashlib
import os
import warnings
from pathlib import Path
from typing import Any, Literal
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minimlcourse.datasets.idx import read_idx
from minimlcourse.datasets.synthetic import synthetic_mnist

__all__ = ["SyntheticDataWarning", "load_mnist", "mnist_folder"]

_BUNDLED = Path(__file__).resolve().parent / "mnist"
_SHA256 = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_PREFIX = {"train": "train", "test": "t10k"}
_DTYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))


class SyntheticDataWarning(UserWarning):
    """What :func:`load_mnist` returns is not MNIST but :func:`synthetic_mnist`."""


def load_mnist(
    split: Literal["train", "test"] = "train",
    *,
    dtype: DTypeLike = np.uint8,
    flat: bool = True,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Images and labels of MNIST: 60,000 to train on, 10,000 to test on.

    The files are read from :func:`mnist_folder`, once in the life of a process. Those inside the
    package are compared with the SHA-256 of the originals. If there are no files at all,
    :func:`synthetic_mnist` takes their place with a :class:`SyntheticDataWarning`, and
    :func:`mnist_folder` is None; a score reached there says nothing about MNIST.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    dtype
        ``uint8`` for grey levels 0 (paper) to 255 (ink); ``float32`` or ``float64`` for the same
        divided by 255.
    flat
        True for images as rows of 784 pixels, row after row; False for 28 x 28.

    Returns
    -------
    X : ndarray, (n, 784) or (n, 28, 28)
    y : ndarray of int64, (n,)
        Both are read-only, because every caller gets the same memory: the training images take
        47 MB as ``uint8`` and 376 MB as ``float64``. Copy what you want to change. Only the
        ``uint8`` images are kept; floats are made anew when nobody holds them any more.

    Raises
    ------
    ValueError
        If a file is damaged, is not of MNIST's type and shape, or (inside the package) is not the
        original; if images and labels differ in number; if an argument is none of the above.
    FileNotFoundError
        If some of the four files are there, but not the ones asked for.

    Notes
    -----
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-based learning applied to document
    recognition*, Proceedings of the IEEE, 1998. Source: the report, section 5.

    Examples
    --------
    >>> X, y = load_mnist("test", dtype=np.float32)
    >>> X.shape, X.max().item(), y[:5]
    ((10000, 784), 1.0, array([7, 2, 1, 0, 4]))
    """
    if split not in _PREFIX:
        raise ValueError(f"load_mnist: split is {split!r}, expected 'train' or 'test'")
    dtype = np.dtype(dtype)
    if dtype not in _DTYPES:
        raise ValueError(f"load_mnist: dtype is {dtype}, expected uint8, float32 or float64")
    folder = mnist_folder()
    if folder is None:
        warnings.warn(
            f"load_mnist: no MNIST files in {_named_folder()}; these images are SYNTHETIC, and far "
            "easier to tell apart: a score on them is not a score on MNIST",
            SyntheticDataWarning,
            stacklevel=2,
        )
    X, y = _read(folder, split)
    if dtype != np.uint8:
        X = _scaled(folder, split, dtype)
    return X.reshape(len(X), 784) if flat else X.view(), y.view()


def mnist_folder() -> Path | None:
    """The folder that :func:`load_mnist` reads, or None if it would return synthetic data.

    ``MINIMLCOURSE_DATA`` if that is set, else the package's own; None if that folder holds none of
    the four files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
    ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, with or without ``.gz``.
    """
    folder = _named_folder()
    return folder if any(_candidates(folder, name) for name in _SHA256) else None


def _named_folder() -> Path:
    return Path(os.environ.get("MINIMLCOURSE_DATA") or _BUNDLED).expanduser().resolve()


def _candidates(folder: Path, name: str) -> list[Path]:
    return [path for path in (folder / f"{name}.gz", folder / name) if path.is_file()]


@functools.lru_cache(maxsize=4)  # both splits of two data sets
def _read(folder: Path | None, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The uint8 images (n, 28, 28) and the labels (n,), read-only."""
    if folder is None:
        n, seed = (60_000, 0) if split == "train" else (10_000, 1)
        flat_images, y = synthetic_mnist(n, rng=seed)
        X = flat_images.reshape(n, 28, 28)
    else:
        X = _read_file(folder, f"{_PREFIX[split]}-images-idx3-ubyte", (28, 28))
        y = _read_file(folder, f"{_PREFIX[split]}-labels-idx1-ubyte", ()).astype(np.int64)
        if len(X) != len(y):
            raise ValueError(f"load_mnist: {folder} has {len(X)} {split} images, {len(y)} labels")
    X.flags.writeable = y.flags.writeable = False
    return X, y


def _read_file(folder: Path, name: str, item_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    found = _candidates(folder, name)
    if not found:
        missing = f"load_mnist: other files of the data set are in {folder}, but not this one"
        raise FileNotFoundError(errno.ENOENT, missing, str(folder / f"{name}.gz"))
    path = found[0]
    if folder == _BUNDLED:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != _SHA256[name]:
            raise ValueError(
                f"load_mnist: {path} is damaged: its SHA-256 is {digest}, "
                f"the original's is {_SHA256[name]}; install the package again"
            )
    array = read_idx(path)
    if array.dtype != np.uint8 or array.ndim == 0 or array.shape[1:] != item_shape:
        expected = ", ".join(["n", *map(str, item_shape)])
        raise ValueError(
            f"load_mnist: {path} holds {array.dtype} of shape {array.shape}, "
            f"expected uint8 of shape ({expected})"
        )
    return array


_Request = tuple[Path | None, str, np.dtype[Any]]
_floats: WeakValueDictionary[_Request, NDArray[Any]] = WeakValueDictionary()


def _scaled(folder: Path | None, split: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The images over 255, read-only; shared as long as somebody holds them."""
    X = _floats.get((folder, split, dtype))
    if X is None:
        X = np.divide(_read(folder, split)[0], 255, dtype=dtype)
        X.flags.writeable = False
        _floats[folder, split, dtype] = X
    return X
