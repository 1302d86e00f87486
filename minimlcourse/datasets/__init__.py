"""Data to learn from: IDX files, MNIST, synthetic sets, and what prepares them."""

from minimlcourse.datasets.idx import read_idx, write_idx
from minimlcourse.datasets.mnist import SyntheticDataWarning, load_mnist, mnist_folder
from minimlcourse.datasets.preprocessing import RandomProjection, StandardScaler
from minimlcourse.datasets.synthetic import (
    make_blobs,
    make_circles,
    make_moons,
    make_sine,
    make_spirals,
    make_xor,
    synthetic_mnist,
)

__all__ = [
    "RandomProjection",
    "StandardScaler",
    "SyntheticDataWarning",
    "load_mnist",
    "make_blobs",
    "make_circles",
    "make_moons",
    "make_sine",
    "make_spirals",
    "make_xor",
    "mnist_folder",
    "read_idx",
    "synthetic_mnist",
    "write_idx",
]
