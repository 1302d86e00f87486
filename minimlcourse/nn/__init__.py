"""Layers, and what they have in common: parameters, modes, and weights that can be kept.

``nn`` follows PyTorch's names. Where it differs, the docstring says so.
"""

from minimlcourse.nn import init
from minimlcourse.nn.layers import GELU, MLP, Dropout, Linear, ReLU, Sigmoid, Softplus, Tanh
from minimlcourse.nn.module import Module, Sequential

__all__ = [
    "GELU",
    "MLP",
    "Dropout",
    "Linear",
    "Module",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "init",
]
