"""The floor: what an expert writes for this one network, with every buffer allocated once.

All parameters lie in one vector, and so do their gradients: backpropagation writes each gradient
where it belongs, and Adam is ten passes over four vectors instead of a dozen over each parameter.
"""

import numpy as np

from ..problems import LEARNING_RATE

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Competitor:
    """Explicit forward and backward passes in place; Adam on the flat vector of parameters."""

    def __init__(self, parameters: list[np.ndarray]) -> None:
        self.flat = np.concatenate([p.ravel() for p in parameters])
        self.flat_gradient = np.empty_like(self.flat)
        self.momentum = np.zeros_like(self.flat)  # m / (1 - β₁): one product less a step
        self.variance = np.zeros_like(self.flat)  # v / (1 - β₂)
        self.steps = 0
        views = split(self.flat, parameters)
        gradients = split(self.flat_gradient, parameters)
        self.layers = list(zip(views[::2], views[1::2], strict=True))
        self.gradients = list(zip(gradients[::2], gradients[1::2], strict=True))
        self.allocated_for = None

    def allocate(self, n: int) -> None:
        """Allocate what a batch of n rows needs; the last layer has its classes first."""
        dtype = self.flat.dtype
        widths = [len(b) for _, b in self.layers]
        self.activations = [np.empty((n, width), dtype) for width in widths[:-1]]
        self.deltas = [np.empty((n, width), dtype) for width in widths[:-1]]
        self.masks = [np.empty((n, width), bool) for width in widths[:-1]]
        self.logits = np.empty((widths[-1], n), dtype)  # reductions over few classes run along n
        self.row, self.ones, self.index = np.empty(n, dtype), np.ones(n, dtype), np.arange(n)
        self.allocated_for = n

    def step(self, X: np.ndarray, y: np.ndarray) -> float:
        """Train on one batch and return its loss."""
        if len(X) != self.allocated_for:
            self.allocate(len(X))

        inputs = X
        for (W, b), a in zip(self.layers, self.activations, strict=False):
            np.matmul(inputs, W.T, out=a)
            a += b
            np.maximum(a, 0, out=a)
            inputs = a

        # Softmax and cross-entropy, in the memory of the logits; it ends as their gradient.
        W, b = self.layers[-1]
        z, row = self.logits, self.row
        np.matmul(W, inputs.T, out=z)
        z += b[:, None]
        z -= np.maximum.reduce(z, axis=0, out=row)
        of_the_label = z[y, self.index]
        np.exp(z, out=z)
        np.add.reduce(z, axis=0, out=row)
        z /= row
        np.log(row, out=row)
        row -= of_the_label
        loss = row.mean()
        z[y, self.index] -= 1
        z *= 1 / len(X)

        gW, gb = self.gradients[-1]
        np.matmul(z, inputs, out=gW)
        np.matmul(z, self.ones, out=gb)
        upstream, W_above = z.T, W
        for layer in reversed(range(len(self.activations))):
            delta, mask = self.deltas[layer], self.masks[layer]
            np.matmul(upstream, W_above, out=delta)
            delta *= np.greater(self.activations[layer], 0, out=mask)
            gW, gb = self.gradients[layer]
            np.matmul(delta.T, self.activations[layer - 1] if layer else X, out=gW)
            np.matmul(self.ones, delta, out=gb)
            upstream, W_above = delta, self.layers[layer][0]

        self.adam()
        return loss

    def adam(self) -> None:
        """Update the parameters, using the gradient's memory as scratch."""
        self.steps += 1
        correction1 = (1 - BETA1) / (1 - BETA1**self.steps)
        correction2 = np.sqrt((1 - BETA2) / (1 - BETA2**self.steps)).item()
        theta, g, m, v = self.flat, self.flat_gradient, self.momentum, self.variance
        m *= BETA1
        m += g
        v *= BETA2
        g *= g
        v += g
        np.sqrt(v, out=g)
        g += EPSILON / correction2
        np.divide(m, g, out=g)
        g *= LEARNING_RATE * correction1 / correction2
        theta -= g


def split(flat: np.ndarray, like: list[np.ndarray]) -> list[np.ndarray]:
    """Return views of consecutive parts of `flat` with the shapes of `like`."""
    ends = np.cumsum([p.size for p in like])
    return [part.reshape(p.shape) for part, p in zip(np.split(flat, ends[:-1]), like, strict=True)]
