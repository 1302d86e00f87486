"""Our engine, losses, optimizers and schedules against values recorded from PyTorch.

``torch_vectors/cases.py`` is the table of what is compared, ``torch_vectors/record.py`` made
``torch_vectors/vectors.json`` from it. PyTorch is not needed here.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_vectors.cases import CASES, RUNS, SCHEDULES, STEPS, Case, Run, Schedule

import minimlcourse.functional as F
from minimlcourse import Tensor, optim
from minimlcourse.autodiff import Primitive, primitives
from minimlcourse.autodiff.graph import reachable

VECTORS = json.loads(
    (Path(__file__).parent / "torch_vectors" / "vectors.json").read_text(encoding="utf-8")
)

NO_VECTOR = {
    "dropout": "random: the two libraries draw different numbers",
}


def assert_close(got: Any, want: Any, what: str) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, PyTorch has {want.shape}"
    error, scale = np.abs(got - want).max(initial=0), np.abs(want).max(initial=1)
    assert error <= 1e-10 * scale, f"{what}: off by {error:.1e}\ngot  {got}\nwant {want}"


def labels(items: list[Any]) -> list[str]:
    return [item.label for item in items]


def differentiate(case: Case, create_graph: bool) -> tuple[list[Tensor], Tensor, list[Any]]:
    """The recorded inputs, the value z, and the gradients of sum(w z + z²/2)."""
    vector = VECTORS["cases"][case.label]
    inputs = [Tensor(x, dtype=np.float64) for x in vector["inputs"]]
    value = case.ours(*inputs, **case.options)
    total = (np.array(vector["weights"]) * value + 0.5 * value * value).sum()
    total.backward(create_graph=create_graph)
    return inputs, value, [x.grad for x in inputs]


@pytest.mark.parametrize("case", CASES, ids=labels(CASES))
def test_values_and_gradients(case: Case) -> None:
    vector = VECTORS["cases"][case.label]
    _, value, gradients = differentiate(case, create_graph=False)
    assert_close(value.numpy(), vector["value"], f"{case.label}: value")
    for i, (g, want) in enumerate(zip(gradients, vector["gradients"], strict=True)):
        assert_close(g, want, f"{case.label}: gradient of argument {i}")


SECOND = [case for case in CASES if case.second]


@pytest.mark.parametrize("case", SECOND, ids=labels(SECOND))
def test_second_derivatives(case: Case) -> None:
    vector = VECTORS["cases"][case.label]
    inputs, _, gradients = differentiate(case, create_graph=True)
    for i, (g, want) in enumerate(zip(gradients, vector["gradients"], strict=True)):
        assert_close(g.numpy(), want, f"{case.label}: gradient of argument {i}, with a graph")
    directions = [np.array(v) for v in vector["directions"]]
    slope = sum((g * v).sum() for g, v in zip(gradients, directions, strict=True))
    for x in inputs:
        x.zero_grad()
    slope.backward()
    for i, (x, want) in enumerate(zip(inputs, vector["second"], strict=True)):
        second = np.zeros(x.shape) if x.grad is None else x.grad
        assert_close(second, want, f"{case.label}: second derivative along v, argument {i}")


@pytest.mark.parametrize("run", RUNS, ids=labels(RUNS))
def test_optimizers(run: Run) -> None:
    vector = VECTORS["runs"][run.label]
    X, Y, W, b = (np.array(VECTORS["problem"][name]) for name in ("X", "Y", "W", "b"))
    W, b = Tensor(W), Tensor(b)
    optimizer = run.ours([W, b], **run.arguments)
    for k in range(STEPS):
        optimizer.zero_grad()
        F.mse(F.tanh(X[k % len(X)] @ W.T + b), Y[k % len(Y)]).backward()
        if run.skip and k % run.skip == 0:
            b.zero_grad()
        if run.clip:
            norm = optim.clip_grad_norm_([W, b], run.clip)
            assert_close(norm, vector["norms"][k], f"{run.label}: norm at step {k}")
        optimizer.step()
        got = np.concatenate([W.numpy().ravel(), b.numpy()])
        assert_close(got, vector["path"][k], f"{run.label}: parameters after step {k + 1}")


@pytest.mark.parametrize("schedule", SCHEDULES, ids=labels(SCHEDULES))
def test_schedules(schedule: Schedule) -> None:
    optimizer = optim.SGD([Tensor(0.0)], lr=0.5)
    scheduler = schedule.ours(optimizer)
    rates = [optimizer.lr]
    for _ in range(STEPS):
        scheduler.step()
        rates.append(optimizer.lr)
    assert_close(rates, VECTORS["schedules"][schedule.label], schedule.label)


# -- nothing is forgotten --------------------------------------------------------------------------


def test_vectors_belong_to_the_table() -> None:
    for section, items in [("cases", CASES), ("runs", RUNS), ("schedules", SCHEDULES)]:
        assert len(set(labels(items))) == len(items), f"two {section} of one label"
        assert VECTORS[section].keys() == set(labels(items)), "run tests/torch_vectors/record.py"


def test_every_primitive_has_a_vector() -> None:
    """What the recorded cases call, first and second derivatives included."""
    called: set[str] = set()
    for case in CASES:
        _, value, gradients = differentiate(case, create_graph=True)
        for root in [value, *gradients]:
            called |= {node._history[0].name for node in reachable(root) if node._history}
    table = {
        p.name
        for module in (primitives, F)
        for p in vars(module).values()
        if isinstance(p, Primitive)
    }
    assert len(table) > 30
    assert sorted(table - called) == [], "a primitive without a vector"


def test_every_function_has_a_vector() -> None:
    names = {case.name for case in CASES}
    functions = set(F.__all__) | {
        name
        for name, value in vars(primitives).items()
        if not name.startswith("_")
        and (isinstance(value, Primitive) or inspect.isfunction(value))
        and getattr(value, "__module__", primitives.__name__)
        in (primitives.__name__, Primitive.__module__)
    }
    assert {"sum", "getitem", "mse"} <= functions
    assert functions - names == NO_VECTOR.keys()


def test_every_optimizer_and_schedule_has_a_vector() -> None:
    def classes(module: Any, base: type) -> set[str]:
        found = {name for name, c in vars(module).items() if inspect.isclass(c)}
        return {name for name in found if issubclass(getattr(module, name), base)} - {base.__name__}

    assert classes(optim, optim.Optimizer) == {run.ours.__name__ for run in RUNS}
    schedules = classes(optim.lr_scheduler, optim.lr_scheduler.LRScheduler)
    assert schedules == {schedule.label.split(":")[0] for schedule in SCHEDULES}
