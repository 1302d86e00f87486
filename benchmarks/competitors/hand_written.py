"""The yardstick: explicit passes in good NumPy, and Adam in place on one flat vector.

Parameters and gradients are views of two flat vectors, so that Adam is ten passes over four vectors
instead of a dozen over each parameter. Activations are allocated as they come, and updated in place
where that is natural.
"""

import numpy as np

from ..problems import LEARNING_RATE
from .preallocated import BETA1, BETA2, EPSILON, split


class Competitor:
    """Explicit forward and backward passes; Adam in place on the flat vector of parameters."""

    def __init__(self, parameters: list[np.ndarray]) -> None:
        self.flat = np.concatenate([p.ravel() for p in parameters])
        self.gradient = np.empty_like(self.flat)
        self.first = np.zeros_like(self.flat)
        self.second = np.zeros_like(self.flat)
        self.work = np.empty_like(self.flat)
        self.steps = 0
        views, gradients = split(self.flat, parameters), split(self.gradient, parameters)
        self.weights, self.biases = views[::2], views[1::2]
        self.weight_gradients, self.bias_gradients = gradients[::2], gradients[1::2]

    def step(self, X: np.ndarray, y: np.ndarray) -> float:
        """Train on one batch and return its loss."""
        rows = np.arange(len(X))
        activations = [X]
        for W, b in zip(self.weights, self.biases, strict=True):
            z = activations[-1] @ W.T
            z += b
            if W is not self.weights[-1]:
                activations.append(np.maximum(z, 0, out=z))

        z -= z.max(axis=1, keepdims=True)
        of_the_label = z[rows, y]
        np.exp(z, out=z)
        total = z.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - of_the_label).mean()

        delta = z
        delta /= total
        delta[rows, y] -= 1
        delta /= len(X)
        for layer in reversed(range(len(self.weights))):
            np.matmul(delta.T, activations[layer], out=self.weight_gradients[layer])
            np.sum(delta, axis=0, out=self.bias_gradients[layer])
            if layer > 0:
                delta = delta @ self.weights[layer]
                delta *= activations[layer] > 0

        self.adam()
        return loss

    def adam(self) -> None:
        """Update all parameters at once, by the formulas of the paper."""
        self.steps += 1
        g, m, v, work = self.gradient, self.first, self.second, self.work
        m *= BETA1
        np.multiply(g, 1 - BETA1, out=work)
        m += work
        v *= BETA2
        g *= g
        g *= 1 - BETA2
        v += g
        np.sqrt(v, out=work)
        work *= 1 / (1 - BETA2**self.steps) ** 0.5
        work += EPSILON
        np.divide(m, work, out=work)
        work *= LEARNING_RATE / (1 - BETA1**self.steps)
        self.flat -= work
