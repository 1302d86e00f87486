"""What the engine costs apart from a training step: depth, memory, second derivatives, import."""

import gc
import statistics
import subprocess
import sys
import tracemalloc
from itertools import cycle, islice
from time import perf_counter

import numpy as np

import minimlcourse.functional as F
from minimlcourse import Tensor
from minimlcourse.autodiff import hvp, value_and_grad

from .competitors import ours
from .problems import PROBLEMS, batches, initial_parameters
from .training_step import quartiles

DEPTHS = (100, 1_000, 10_000, 100_000)


def backward_by_depth(rounds: int) -> dict[str, object]:
    """Time `backward` on chains of products by a constant: nanoseconds a node, at each depth.

    `exponent` is the slope of log time over log depth from 1,000 nodes on: 1 is linear.
    """
    chain(1_000).backward()  # warm-up
    times = {depth: [] for depth in DEPTHS}
    for _ in range(rounds):
        for depth in DEPTHS:
            repeats = max(1, 1_000 // depth)
            chains = [chain(depth) for _ in range(repeats)]
            start = perf_counter()
            for end in chains:
                end.backward()
            times[depth].append((perf_counter() - start) / repeats)
            del chains, end  # or the next depth would be charged for freeing this one
    seconds = {depth: statistics.median(t) for depth, t in times.items()}
    exponent, _ = np.polyfit(np.log(DEPTHS[1:]), np.log([seconds[d] for d in DEPTHS[1:]]), 1)
    return {
        "nanoseconds_a_node": {d: round(s / d * 1e9) for d, s in seconds.items()},
        "exponent": round(float(exponent), 3),
    }


def chain(depth: int) -> Tensor:
    """Return the last of `depth` products, each of the former one by a constant."""
    x = Tensor(1.0)
    for _ in range(depth):
        x = x * 0.999
    return x


def memory_of_training(steps: int = 1_000) -> dict[str, object]:
    """Return how many bytes stay allocated after `steps` steps, the garbage collector off.

    A graph that held a reference cycle would leave some 100 kB behind at every step.
    """
    problem = PROBLEMS["64-128-10"]
    competitor = ours.Competitor(initial_parameters(problem, "float64"))
    data = cycle(batches(problem, "float64"))
    gc.disable()
    tracemalloc.start()
    try:
        for X, y in islice(data, 100):
            competitor.step(X, y)
        before, _ = tracemalloc.get_traced_memory()
        for X, y in islice(data, steps):
            competitor.step(X, y)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    return {"steps": steps, "bytes": after - before}


def hessian_vector_product(rounds: int) -> list[dict[str, object]]:
    """Time `hvp` over `value_and_grad`, both with respect to all parameters."""
    results = []
    for name, problem in PROBLEMS.items():
        parameters = tuple(initial_parameters(problem, "float64"))
        direction = tuple(np.ones_like(p) for p in parameters)
        X, y = batches(problem, "float64")[0]

        def loss(*parameters: Tensor, X=X, y=y) -> Tensor:
            z = X
            for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
                z = F.relu(F.linear(z, W, b))
            return F.cross_entropy(F.linear(z, *parameters[-2:]), y)

        gradient = value_and_grad(loss, argnums=tuple(range(len(parameters))))
        ratios = []
        for _ in range(rounds):
            start = perf_counter()
            gradient(*parameters)
            middle = perf_counter()
            hvp(loss, parameters, direction)
            ratios.append((perf_counter() - middle) / (middle - start))
        results.append({"problem": name, "ratio": quartiles(ratios)})
    return results


def import_time(rounds: int) -> dict[str, object]:
    """Time `import minimlcourse` over `import numpy`, the start of the interpreter not counted."""
    import_seconds("minimlcourse")  # so that everything is compiled and in the page cache
    numpy, ours = [], []
    for _ in range(rounds):
        numpy.append(import_seconds("numpy"))
        ours.append(import_seconds("minimlcourse"))
    return {
        "milliseconds": {
            "numpy": round(statistics.median(numpy) * 1e3, 1),
            "minimlcourse": round(statistics.median(ours) * 1e3, 1),
        },
        "ratio": quartiles([a / b for a, b in zip(ours, numpy, strict=True)]),
    }


def import_seconds(module: str) -> float:
    """Import a module in a new interpreter, and return the seconds that it took."""
    code = f"from time import perf_counter as t; s = t(); import {module}; print(t() - s)"
    return float(subprocess.check_output([sys.executable, "-c", code], text=True))
