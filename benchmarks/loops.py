"""Lesson 05b's network by loops over its own version by matrices: one pass over part of MNIST.

Prints a line of JSON for each size of batch.
"""

import argparse
import ast
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from minimlcourse.datasets import load_mnist

from .training_step import quartiles, ratios

LESSON = Path(__file__).parents[1] / "notebooks" / "05b_network_in_code.ipynb"
CELLS = ("network-class", "loop-network", "train", "softmax-of-rows", "matrix-network")
IMAGES = {1: 1_000, 10: 4_000, 100: 10_000}  # by size of batch


def lesson() -> dict[str, Any]:
    """Return the classes and functions of the lesson's cells, without what the cells print."""
    cells = {cell["id"]: cell for cell in json.loads(LESSON.read_text(encoding="utf-8"))["cells"]}
    names: dict[str, Any] = {"np": np}
    for name in CELLS:
        body = ast.parse("".join(cells[name]["source"])).body
        kept = [part for part in body if isinstance(part, (ast.ClassDef, ast.FunctionDef))]
        exec(compile(ast.Module(kept, []), name, "exec"), names)
    return names


def seconds(
    names: dict[str, Any], kind: str, K: int, images: np.ndarray, digits: np.ndarray
) -> float:
    """Time one pass with homework B's settings: ten units, four penalties of 0.001."""
    rng = np.random.default_rng(0)
    net = names[kind](784, 10, 10, rng=rng, penalty=[1e-3] * 4)
    start = perf_counter()
    names["train"](net, images, digits, K=K, epochs=1, lr=0.03, rng=rng)
    return perf_counter() - start


def main() -> None:
    """Measure each size of batch, the two versions in turn."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loops")
    parser.add_argument("--quick", action="store_true", help="three rounds")
    rounds = 3 if parser.parse_args().quick else 15
    images, digits = load_mnist("train", dtype=np.float32)
    names = lesson()
    for K, n in IMAGES.items():
        part = images[:n], digits[:n]
        loop, matrix = [], []
        for _ in range(rounds):
            loop.append(seconds(names, "LoopNetwork", K, *part))
            matrix.append(seconds(names, "MatrixNetwork", K, *part))
        print(json.dumps({"batch": K, "images": n, "ratio": quartiles(ratios(loop, matrix))}))


if __name__ == "__main__":
    main()
