"""Record PyTorch's answers to the cases of ``cases.py`` in ``vectors.json``.

Run it where PyTorch is installed, in an environment of its own, from the root of the repository:

    pip install torch==2.13.0 -e .
    python tests/torch_vectors/record.py

The result does not change from run to run: inputs are seeded by the label of their case. To keep
the file small inputs have three decimals, and results 14 digits: the tests ask for ten.
"""

import json
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import CASES, RUNS, SCHEDULES, STEPS, Case, Run, Schedule

FILE = Path(__file__).with_name("vectors.json")


def as_lists(values: Any) -> Any:
    """Nested lists of a tensor, of an array or of lists, with 14 significant digits."""
    if isinstance(values, torch.Tensor):
        values = values.numpy(force=True).tolist()
    if isinstance(values, list):
        return [as_lists(part) for part in values]
    return float(f"{values:.14g}")


def draw_normal(rng: np.random.Generator, shape: Any) -> torch.Tensor:
    return torch.tensor(rng.normal(size=shape).round(3))


def record_case(case: Case) -> dict[str, Any]:
    """The value z, the gradient of sum(w z + z²/2), and its derivative along directions v.

    The square makes the adjoint w + z of z depend on the inputs, so that the second derivative
    tests how each rule treats the adjoint, of a reshape as well as of a product.
    """
    rng = np.random.default_rng(zlib.crc32(case.label.encode()))
    inputs = [torch.tensor(draw(rng).round(3), requires_grad=True) for draw in case.inputs]
    value = case.torch(torch, *inputs, **case.options)
    weights = draw_normal(rng, value.shape)
    total = (weights * value + 0.5 * value * value).sum()
    gradients = torch.autograd.grad(total, inputs, create_graph=True)
    entry = {
        "inputs": [as_lists(x) for x in inputs],
        "value": as_lists(value),
        "weights": as_lists(weights),
        "gradients": [as_lists(g) for g in gradients],
    }
    if case.second:
        directions = [draw_normal(rng, x.shape) for x in inputs]
        slope = sum((g * v).sum() for g, v in zip(gradients, directions, strict=True))
        second: Any = [None] * len(inputs)
        if slope.requires_grad:
            second = torch.autograd.grad(slope, inputs, allow_unused=True)
        entry["directions"] = [as_lists(v) for v in directions]
        entry["second"] = [
            as_lists(torch.zeros_like(x) if h is None else h)
            for x, h in zip(inputs, second, strict=True)
        ]
    return entry


def record_problem() -> dict[str, Any]:
    """What the runs learn, five batches of four with 3 inputs and 2 outputs, and where to start."""
    rng = np.random.default_rng(2024)
    shapes = {"X": (5, 4, 3), "Y": (5, 4, 2), "W": (2, 3), "b": (2,)}
    return {name: as_lists(draw_normal(rng, shape)) for name, shape in shapes.items()}


def record_run(run: Run, problem: dict[str, Any]) -> dict[str, Any]:
    """Both parameters after each step, and the norms before clipping."""
    X, Y = problem["X"], problem["Y"]
    W, b = (torch.tensor(problem[name], requires_grad=True) for name in ("W", "b"))
    optimizer = getattr(torch.optim, run.twin)([W, b], **run.arguments)
    path, norms = [], []
    for k in range(STEPS):
        x, y = torch.tensor(X[k % len(X)]), torch.tensor(Y[k % len(Y)])
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(torch.tanh(x @ W.T + b), y).backward()
        if run.skip and k % run.skip == 0:
            b.grad = None
        if run.clip:
            norms.append(torch.nn.utils.clip_grad_norm_([W, b], run.clip).item())
        optimizer.step()
        path.append([*W.flatten().tolist(), *b.tolist()])
    return {"path": as_lists(path), "norms": as_lists(norms)}


def record_schedule(schedule: Schedule) -> Any:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR passes an argument that is deprecated
        scheduler = schedule.torch(torch.optim.lr_scheduler, optimizer)
        rates = [optimizer.param_groups[0]["lr"]]
        for _ in range(STEPS):
            optimizer.step()
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
    return as_lists(rates)


def main() -> None:
    torch.set_default_dtype(torch.float64)
    problem = record_problem()
    vectors = {
        "made with": f"torch {torch.__version__}",
        "cases": {case.label: record_case(case) for case in CASES},
        "problem": problem,
        "runs": {run.label: record_run(run, problem) for run in RUNS},
        "schedules": {schedule.label: record_schedule(schedule) for schedule in SCHEDULES},
    }
    # One line an entry: a change of one case is a change of one line.
    sections = [f'"made with": {json.dumps(vectors.pop("made with"))}']
    for name, entries in vectors.items():
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(e)}" for key, e in entries.items())
        sections.append(f'"{name}": {{\n{lines}\n}}')
    FILE.write_text("{\n" + ",\n".join(sections) + "\n}\n")
    print(f"{FILE}: {len(CASES)} cases, {FILE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
