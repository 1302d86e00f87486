"""PyTorch in eager mode with `torch.optim.Adam` as it comes."""

import torch

from ..problems import LEARNING_RATE


class Competitor:
    """`nn.Sequential`, `F.cross_entropy`, `optim.Adam`."""

    def __init__(self, parameters):
        layers = []
        for W, b in zip(parameters[::2], parameters[1::2], strict=True):
            linear = torch.nn.Linear(W.shape[1], W.shape[0], dtype=torch.from_numpy(W).dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(W))
                linear.bias.copy_(torch.from_numpy(b))
            layers += [linear, torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)

    def step(self, X, y):
        """Train on one batch and return its loss."""
        self.optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            self.model(torch.from_numpy(X)), torch.from_numpy(y)
        )
        loss.backward()
        self.optimizer.step()
        return loss.detach()
