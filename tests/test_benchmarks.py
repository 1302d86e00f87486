"""The competitors of `benchmarks/` compute the same thing; nothing is timed here."""

from importlib import import_module
from itertools import cycle, islice

import numpy as np
import pytest

from benchmarks import loops, report, training_step
from benchmarks.competitors import NAMES
from benchmarks.problems import PROBLEMS, batches, initial_parameters

STEPS = 5


def competitor_class(name):
    if name in training_step.PEERS:
        pytest.importorskip(training_step.PEERS[name])
    return import_module(f"benchmarks.competitors.{name}").Competitor


def losses(name, problem, dtype):
    competitor = competitor_class(name)(initial_parameters(PROBLEMS[problem], dtype))
    data = cycle(batches(PROBLEMS[problem], dtype))
    return [float(competitor.step(X, y)) for X, y in islice(data, STEPS)]


@pytest.mark.parametrize("name", [name for name in NAMES if name != training_step.UNIT])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_all_competitors_report_the_same_losses(name, problem, dtype, tolerance):
    expected = losses(training_step.UNIT, problem, dtype)
    assert expected[-1] != expected[0]
    np.testing.assert_allclose(losses(name, problem, dtype), expected, rtol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_a_competitor_leaves_the_initial_parameters_and_the_batch_alone(name):
    problem = PROBLEMS["2-64-64-3"]
    parameters, (X, y) = initial_parameters(problem, "float64"), batches(problem, "float64")[0]
    given = [a.copy() for a in [*parameters, X, y]]
    competitor_class(name)(parameters).step(X, y)
    for before, after in zip(given, [*parameters, X, y], strict=True):
        np.testing.assert_array_equal(before, after)


def test_loops_and_matrices_of_the_lesson_compute_the_same():
    names, rng = loops.lesson(), np.random.default_rng(0)
    X, y = rng.normal(size=(7, 5)), rng.integers(3, size=7)
    loop, matrix = (
        names[kind](5, 4, 3, rng=np.random.default_rng(1), penalty=[0.1] * 4)
        for kind in ("LoopNetwork", "MatrixNetwork")
    )
    for one, other in zip(loop.gradient(X, y), matrix.gradient(X, y), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert loops.seconds(names, "MatrixNetwork", 3, X[:, [0] * 784], y) > 0


def test_a_round_with_a_slow_hand_written_block_is_dropped():
    first = [1.0, 1.0, 1.1, 1.5, 1.0]
    again = [1.0, 1.6, 1.2, 1.0, 1.1]
    assert training_step.undisturbed(first, again) == [0, 2, 4]


class Stopwatch:
    """Stands for a competitor's process: every step takes the same time and has the same loss."""

    def __init__(self, seconds, loss=1.0):
        self.seconds = seconds
        self.loss = loss

    def run(self, problem, dtype, warm_up, steps):
        return self.seconds, [self.loss] * warm_up


def test_ratios_are_reported_beside_their_targets_and_missing_peers_left_out():
    stopwatches = {"ours": Stopwatch(2e-4), "hand_written": Stopwatch(1e-4)}
    stopwatches["readable"] = Stopwatch(4e-4)
    row = training_step.compare(stopwatches, "2-64-64-3", "float64", rounds=3)
    assert row["kept"] == 3
    assert row["microseconds"] == {"ours": 200, "hand_written": 100, "readable": 400}
    page = report.training_step({"one": [row]})
    assert "| **2.00 [2.00–2.00]** ≤ 1.5 | – | 0.50 [0.50–0.50] ≤ 1 | – | – |" in page


def test_competitors_that_compute_something_else_are_not_compared():
    stopwatches = {"ours": Stopwatch(1.0, loss=1.0001), "hand_written": Stopwatch(1.0)}
    with pytest.raises(AssertionError, match="ours"):
        training_step.compare(stopwatches, "2-64-64-3", "float32", rounds=3)


def test_a_missed_target_is_bold():
    assert report.against([1.0, 1.1, 1.2], limit=1.1) == "1.10 [1.00–1.20] ≤ 1.1"
    assert report.against([1.0, 1.2, 1.3], limit=1.1) == "**1.20 [1.00–1.30]** ≤ 1.1"
