"""HIPS autograd: `value_and_grad` of a loss that is a plain function of a list of arrays."""

import autograd.numpy as np
from autograd import value_and_grad

from ..problems import LEARNING_RATE

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def loss(parameters, X, one_hot):
    """Return the mean cross-entropy of the network on a batch."""
    weights, biases = parameters[::2], parameters[1::2]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        X = np.maximum(np.dot(X, W.T) + b, 0)
    logits = np.dot(X, weights[-1].T) + biases[-1]
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_normalizer = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_normalizer - np.sum(shifted * one_hot, axis=1))


class Competitor:
    """`value_and_grad` of the loss; Adam in place, a parameter at a time."""

    def __init__(self, parameters):
        self.parameters = [p.copy() for p in parameters]
        self.first = [np.zeros_like(p) for p in parameters]
        self.second = [np.zeros_like(p) for p in parameters]
        self.steps = 0
        self.loss_and_gradients = value_and_grad(loss)
        self.classes = np.eye(len(parameters[-1]), dtype=parameters[-1].dtype)

    def step(self, X, y):
        """Train on one batch and return its loss."""
        value, gradients = self.loss_and_gradients(self.parameters, X, self.classes[y])
        self.steps += 1
        for p, g, m, v in zip(self.parameters, gradients, self.first, self.second, strict=True):
            m += (1 - BETA1) * (g - m)
            v += (1 - BETA2) * (g * g - v)
            m_hat = m / (1 - BETA1**self.steps)
            v_hat = v / (1 - BETA2**self.steps)
            p -= LEARNING_RATE * m_hat / (np.sqrt(v_hat) + EPSILON)
        return value
