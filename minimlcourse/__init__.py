"""The mathematics of machine learning, in NumPy: the package beside the course.

The rooms are imported when they are first used, so that ``import minimlcourse`` costs little more
than NumPy.
"""

from importlib import import_module
from typing import Any

from minimlcourse.autodiff import Tensor, no_grad

__all__ = ["Tensor", "no_grad"]
__version__ = "0.1.0"

_ROOMS = (
    "autodiff",
    "classroom",
    "datasets",
    "functional",
    "metrics",
    "nn",
    "optim",
    "training",
)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"minimlcourse.{name}")
    raise AttributeError(f"module 'minimlcourse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
