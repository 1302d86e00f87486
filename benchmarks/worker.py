"""One competitor in a process of its own, driven through pipes by `training_step`.

Every request is a line of JSON on standard input, every answer a line of JSON on standard output:
[problem, dtype, warm-up steps, steps] is answered by [seconds a step, losses of the warm-up].
"""

import json
import sys
from importlib import import_module
from itertools import cycle
from time import perf_counter

from .problems import PROBLEMS, batches, initial_parameters


def run(
    name: str, problem_name: str, dtype: str, warm_up: int, steps: int
) -> tuple[float, list[float]]:
    """Train from the initial parameters; return the time of a step after the warm-up, and losses.

    Each run starts afresh, so that all runs do the same arithmetic: a competitor that had trained
    for thousands of steps would meet the denormal numbers of converged parameters.
    """
    problem = PROBLEMS[problem_name]
    data = cycle(batches(problem, dtype))
    competitor = import_module(f"benchmarks.competitors.{name}").Competitor(
        initial_parameters(problem, dtype)
    )
    losses = [float(competitor.step(*next(data))) for _ in range(warm_up)]
    start = perf_counter()
    for _ in range(steps):
        competitor.step(*next(data))
    return (perf_counter() - start) / max(steps, 1), losses


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(sys.argv[1], *json.loads(line))), flush=True)
