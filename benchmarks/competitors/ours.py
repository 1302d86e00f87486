"""minimlcourse, as its lessons use it."""

import numpy as np

import minimlcourse.functional as F
from minimlcourse import Tensor, nn, optim

from ..problems import LEARNING_RATE


class Competitor:
    """`nn.MLP`, `F.cross_entropy`, `optim.Adam`."""

    def __init__(self, parameters: list[np.ndarray]) -> None:
        sizes = [parameters[0].shape[1], *(len(b) for b in parameters[1::2])]
        rng = np.random.default_rng(0)
        self.model = nn.MLP(sizes, rng=rng, dtype=parameters[0].dtype)
        names = self.model.state_dict()
        self.model.load_state_dict(dict(zip(names, parameters, strict=True)))
        self.optimizer = optim.Adam(self.model.parameters(), lr=LEARNING_RATE)

    def step(self, X: np.ndarray, y: np.ndarray) -> Tensor:
        """Train on one batch and return its loss."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(X), y)
        loss.backward()
        self.optimizer.step()
        return loss
