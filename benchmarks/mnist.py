"""Raw-pixel networks on the whole of MNIST: test accuracy against seconds.

Two recipes (`python -m benchmarks.mnist` runs them). Both train on all 60,000 images for a number
of epochs fixed beforehand, so that the test images choose nothing; the test accuracy after each
epoch is only looked at.
"""

import json
import sys
from itertools import product
from time import perf_counter

import numpy as np

from minimlcourse import nn, optim
from minimlcourse.datasets import load_mnist
from minimlcourse.metrics import accuracy
from minimlcourse.training import History, fit, predict

BATCH_SIZE = 128


class RandomShift(nn.Module):
    """While training, move each image by up to one pixel in each direction: digits stay digits."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def forward(self, images: np.ndarray) -> np.ndarray:
        """(n, 784) to (n, 784)."""
        if not self.training:
            return images
        n = len(images)
        framed = np.pad(images.reshape(n, 28, 28), ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(framed, (28, 28), axis=(1, 2))
        down, right = self.rng.integers(3, size=(2, n))
        return windows[np.arange(n), down, right].reshape(n, 784)


def plain(rng: np.random.Generator) -> nn.Module:
    """Two hidden layers, the images as they are."""
    return nn.MLP([784, 256, 128, 10], rng=rng, dtype=np.float32)


def shifted(rng: np.random.Generator) -> nn.Module:
    """Wider, and never the same image twice."""
    return nn.Sequential(RandomShift(rng), nn.MLP([784, 512, 256, 10], rng=rng, dtype=np.float32))


RECIPES = {"plain": (plain, 8), "shifted": (shifted, 16)}
"""A model and a number of epochs each."""

SEEDS = (0, 1, 2)


def train(recipe: str, seed: int) -> dict[str, object]:
    """Train by a recipe; return the test accuracy (in %) and the seconds gone after each epoch.

    The clock runs from before the files are read (once in a process), and does not stop for the
    evaluations.
    """
    build, epochs = RECIPES[recipe]
    start = perf_counter()
    X, y = load_mnist("train", dtype=np.float32)
    X_test, y_test = load_mnist("test", dtype=np.float32)
    rng = np.random.default_rng(seed)
    model = build(rng)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    seconds, accuracies = [], []

    def look(_: History) -> None:
        right = accuracy(y_test, predict(model, X_test).argmax(axis=1))
        accuracies.append(round(100 * right, 2))
        seconds.append(round(perf_counter() - start, 1))

    fit(
        model,
        X,
        y,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        optimizer=optimizer,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs),
        callbacks=[look],
        rng=rng,
        progress=False,
    )
    return {"recipe": recipe, "seed": seed, "accuracy": accuracies, "seconds": seconds}


def main() -> None:
    """Print each run as a line of JSON, and a summary of it on standard error."""
    quick = sys.argv[1:] == ["--quick"]
    for recipe, seed in [("plain", 0)] if quick else product(RECIPES, SEEDS):
        result = train(recipe, seed)
        print(json.dumps(result), flush=True)
        last = f"{result['accuracy'][-1]} % in {result['seconds'][-1]} s"
        print(f"  {recipe}, seed {seed}: {last}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
