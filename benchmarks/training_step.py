"""One training step of every competitor, side by side.

Each competitor lives in a process of its own (two thread pools in one process fight over the
cores) and one works at a time. A *round* gives each a block of steps, in random order; ratios are
taken within a round, so that what slows the machine for longer than a round slows both terms. The
hand-written step opens and closes every round: it is the unit, it tells which rounds were
disturbed, and its ratio to itself is the noise of the method.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

from .competitors import NAMES
from .problems import PROBLEMS

UNIT = "hand_written"
AGAIN = "hand_written, again"
PEERS = {"hips_autograd": "autograd", "pytorch": "torch"}
"""The module that each optional competitor needs."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
WARM_UP = 5
BLOCK_SECONDS = 0.02
"""How long the hand-written block takes; the others do as many steps."""

REST_SECONDS = 0.05
"""With several threads: idle time before a block, while the last one's threads stop spinning."""

DISTURBED = 1.3
"""A round is dropped if a hand-written block took this many times the lower quartile of all."""


class Worker:
    """A competitor's process."""

    def __init__(self, name: str, threads: str) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES}
        if threads == "one":
            environment |= dict.fromkeys(THREAD_VARIABLES, "1")
        self.rest = 0.0 if threads == "one" else REST_SECONDS
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, problem: str, dtype: str, warm_up: int, steps: int) -> tuple[float, list[float]]:
        """Return the seconds a step took, and the losses of the warm-up."""
        time.sleep(self.rest)
        print(json.dumps([problem, dtype, warm_up, steps]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{' '.join(self.process.args)} ended (its message is above)")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def workers(threads: str) -> Iterator[dict[str, Worker]]:
    """Start a process for every competitor that is installed."""
    started = {}
    try:
        for name in NAMES:
            if name not in PEERS or find_spec(PEERS[name]):
                started[name] = Worker(name, threads)
        yield started
    finally:
        for worker in started.values():
            with suppress(BrokenPipeError):
                worker.close()


def missing_peers() -> list[str]:
    """Return the optional competitors that are not installed."""
    return [name for name, module in PEERS.items() if not find_spec(module)]


def assert_same_losses(competitors: dict[str, Worker], problem: str, dtype: str) -> None:
    """Raise unless all competitors report the same losses for the first steps."""
    losses = {
        name: worker.run(problem, dtype, WARM_UP, 0)[1] for name, worker in competitors.items()
    }
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    for name, got in losses.items():
        pairs = zip(got, losses[UNIT], strict=True)
        if not all(abs(a - b) <= tolerance * b for a, b in pairs):
            raise AssertionError(f"{problem} {dtype}: {name} has {got}, {UNIT} {losses[UNIT]}")


def compare(
    competitors: dict[str, Worker], problem: str, dtype: str, rounds: int
) -> dict[str, object]:
    """Time a step of every competitor; return medians and ratios over the undisturbed rounds."""
    assert_same_losses(competitors, problem, dtype)
    seconds, _ = competitors[UNIT].run(problem, dtype, WARM_UP, 20)
    steps = max(10, round(BLOCK_SECONDS / seconds))
    order = random.Random(0)
    others = [name for name in competitors if name != UNIT]
    times = {name: [] for name in [UNIT, *others, AGAIN]}
    for _ in range(4 * rounds):
        order.shuffle(others)
        for name in [UNIT, *others, AGAIN]:
            worker = competitors[UNIT if name == AGAIN else name]
            times[name].append(worker.run(problem, dtype, WARM_UP, steps)[0])
        kept = undisturbed(times[UNIT], times[AGAIN])
        if len(kept) >= rounds:
            break
    tried = len(times[UNIT])
    if len(kept) < rounds / 2:
        raise RuntimeError(f"the machine is too busy: {len(kept)} undisturbed rounds of {tried}")

    times = {name: [values[i] for i in kept] for name, values in times.items()}
    noise = ratios(times.pop(AGAIN), times[UNIT])
    times[UNIT] = [t * (1 + r) / 2 for t, r in zip(times[UNIT], noise, strict=True)]
    return {
        "problem": problem,
        "dtype": dtype,
        "steps": steps,
        "rounds": tried,
        "kept": len(kept),
        "microseconds": {n: round(statistics.median(t) * 1e6, 1) for n, t in times.items()},
        "noise": quartiles(noise),
        "over_unit": {n: quartiles(ratios(times[n], times[UNIT])) for n in times},
        "ours_over": {n: quartiles(ratios(times["ours"], times[n])) for n in times},
    }


def undisturbed(first: list[float], again: list[float]) -> list[int]:
    """Return the rounds in which the hand-written step ran at its usual speed, twice."""
    worst = [max(pair) for pair in zip(first, again, strict=True)]
    limit = DISTURBED * (quartiles(worst)[0] if len(worst) > 1 else worst[0])
    return [i for i, seconds in enumerate(worst) if seconds <= limit]


def ratios(numerator: list[float], denominator: list[float]) -> list[float]:
    """Return the ratios round by round."""
    return [a / b for a, b in zip(numerator, denominator, strict=True)]


def quartiles(values: list[float]) -> list[float]:
    """Return the first quartile, the median and the third quartile."""
    return [float(f"{q:.4g}") for q in statistics.quantiles(values, n=4, method="inclusive")]


def run(rounds: int) -> dict[str, list[dict[str, object]]]:
    """Compare all competitors on all problems, in both dtypes, with one thread and by default."""
    results = {}
    for threads in ("one", "default"):
        results[threads] = []
        with workers(threads) as competitors:
            for problem in PROBLEMS:
                for dtype in ("float32", "float64"):
                    results[threads].append(compare(competitors, problem, dtype, rounds))
                    show = {n: q[1] for n, q in results[threads][-1]["over_unit"].items()}
                    print(f"  threads: {threads}, {problem}, {dtype}: {show}", flush=True)
    return results
