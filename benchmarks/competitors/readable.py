"""Backpropagation as a textbook writes it: explicit, vectorised, and nothing reused."""

import numpy as np

from ..problems import LEARNING_RATE

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Competitor:
    """Explicit forward and backward passes; Adam a parameter at a time."""

    def __init__(self, parameters: list[np.ndarray]) -> None:
        self.parameters = [p.copy() for p in parameters]
        self.first = [np.zeros_like(p) for p in parameters]
        self.second = [np.zeros_like(p) for p in parameters]
        self.steps = 0

    def step(self, X: np.ndarray, y: np.ndarray) -> float:
        """Train on one batch and return its loss."""
        weights, biases = self.parameters[::2], self.parameters[1::2]
        rows = np.arange(len(X))

        activations = [X]
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            activations.append(np.maximum(activations[-1] @ W.T + b, 0))
        logits = activations[-1] @ weights[-1].T + biases[-1]

        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        loss = -log_probabilities[rows, y].mean()

        delta = np.exp(log_probabilities)
        delta[rows, y] -= 1
        delta /= len(X)
        gradients = []
        for layer in reversed(range(len(weights))):
            gradients += [delta.sum(axis=0), delta.T @ activations[layer]]
            if layer > 0:
                delta = (delta @ weights[layer]) * (activations[layer] > 0)

        self.adam(gradients[::-1])
        return loss

    def adam(self, gradients: list[np.ndarray]) -> None:
        """Update each parameter in place, by the formulas of the paper."""
        self.steps += 1
        for p, g, m, v in zip(self.parameters, gradients, self.first, self.second, strict=True):
            m += (1 - BETA1) * (g - m)
            v += (1 - BETA2) * (g * g - v)
            m_hat = m / (1 - BETA1**self.steps)
            v_hat = v / (1 - BETA2**self.steps)
            p -= LEARNING_RATE * m_hat / (np.sqrt(v_hat) + EPSILON)
