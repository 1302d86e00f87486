"""The networks that every competitor trains, from the same weights on the same batches."""

from typing import NamedTuple

import numpy as np

LEARNING_RATE = 1e-3


class Problem(NamedTuple):
    """A multilayer perceptron with ReLU between its linear layers, trained on cross-entropy."""

    sizes: tuple[int, ...]
    batch_size: int


PROBLEMS = {
    "784-128-10": Problem((784, 128, 10), batch_size=128),
    "64-128-10": Problem((64, 128, 10), batch_size=128),
    "2-64-64-3": Problem((2, 64, 64, 3), batch_size=32),
    "ten layers of 64": Problem((64,) * 10 + (10,), batch_size=128),  # nine 64→64, one 64→10
}


def initial_parameters(problem: Problem, dtype: str) -> list[np.ndarray]:
    """Return W₁, b₁, W₂, b₂, … with W of shape (out, in): He's normal weights, small biases."""
    rng = np.random.default_rng(0)
    parameters = []
    for n_in, n_out in zip(problem.sizes, problem.sizes[1:], strict=False):
        parameters.append(rng.normal(0, np.sqrt(2 / n_in), (n_out, n_in)).astype(dtype))
        parameters.append(rng.normal(0, 0.1, n_out).astype(dtype))
    return parameters


def batches(problem: Problem, dtype: str, count: int = 8) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return `count` batches (X, y): standard normal rows, classes drawn without regard to them."""
    rng = np.random.default_rng(1)
    n, d, classes = problem.batch_size, problem.sizes[0], problem.sizes[-1]
    return [
        (rng.normal(size=(n, d)).astype(dtype), rng.integers(classes, size=n)) for _ in range(count)
    ]
