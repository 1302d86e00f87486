"""The results as a page of Markdown, each beside its target."""

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from .competitors import NAMES
from .training_step import DISTURBED, UNIT

OVER_UNIT = {"784-128-10": 1.10, "64-128-10": 1.15, "2-64-64-3": 1.5, "ten layers of 64": 1.25}
OVER_PYTORCH = {"784-128-10": 0.85, "64-128-10": 0.6, "2-64-64-3": 0.25, "ten layers of 64": 0.6}
OVER_READABLE = 1.0
OVER_HIPS_AUTOGRAD = 0.3
DEPTH_EXPONENT = 1.1
OVER_NUMPY_IMPORT = 1.3
MNIST = ((97.8, 30), (98.4, 120))
"""Accuracies (%) to be reached, and within how many seconds."""

Row = dict[str, object]


def machine() -> dict[str, str]:
    """Describe what the figures depend on."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    packages = {}
    for name in ("numpy", "autograd", "torch"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    return {
        "date": date.today().isoformat(),
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "NumPy": f"{packages['numpy']} with {blas['name']} {blas['version']}",
        "HIPS autograd": packages["autograd"],
        "PyTorch": packages["torch"],
    }


def processor() -> str:
    """Return the name of the processor, as Linux gives it or else as Python does."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def markdown(results: dict[str, object]) -> str:
    """Return the page."""
    sections = [
        "# Measured\n\nWritten by `make bench`. Ratios compare what ran side by side in this one"
        " run; **bold** marks a missed target.",
        table(["", ""], [[name, value] for name, value in results["machine"].items()]),
    ]
    if results["missing"]:
        names = ", ".join(NAMES[name] for name in results["missing"])
        sections.append(f"Not installed, and so not measured: {names}.")
    sections += [
        training_step(results["training_step"]),
        depth(results["depth"]),
        imports(results["import"]),
        mnist(results["mnist"]),
        loops(results["loops"]),
        memory(results["memory"]),
        second_order(results["hvp"]),
    ]
    return "\n\n".join(sections) + "\n"


def training_step(by_threads: dict[str, list[Row]]) -> str:
    """Return the section on one training step."""
    text = f"""## One training step

Forward, cross-entropy, backward, Adam; batches of 128 (of 32 for 2-64-64-3); "ten layers of 64" has
nine of 64→64 and one of 64→10. All competitors report the same losses for the first five steps (to
1e-12 relative in float64, 1e-5 in float32). Each runs in a process of its own, one at a time, block
by block in rounds of random order, from the initial parameters in every block, with the garbage
collector as Python sets it. Ratios are taken within a round; given are their median and, in
brackets, their quartiles over the rounds. A round in which a hand-written block took more than
{DISTURBED} times the lower quartile of all is dropped. The column "{NAMES[UNIT]}, µs" is the time
of the unit, and "noise" its ratio to itself at the other end of the round. The preallocated step is
the floor: every buffer of this one network is allocated once, and no target is set beside it."""
    parts = [text]
    for threads, rows in by_threads.items():
        title = "One thread" if threads == "one" else "Default threads"
        parts += [f"### {title}", targets(rows), everyone(rows)]
    return "\n\n".join(parts)


def targets(rows: list[Row]) -> str:
    """Return the table of our step over each other one, with targets."""
    lines = []
    for row in rows:
        problem, ours = row["problem"], row["ours_over"]
        limits = {
            UNIT: OVER_UNIT[problem],
            "preallocated": None,
            "readable": OVER_READABLE,
            "pytorch": OVER_PYTORCH[problem],
            "hips_autograd": OVER_HIPS_AUTOGRAD,
        }
        lines.append(
            [f"{problem}, {row['dtype']}"]
            + [against(ours[n], limit) if n in ours else "–" for n, limit in limits.items()]
        )
    return table(
        [
            "minimlcourse ÷",
            NAMES[UNIT],
            NAMES["preallocated"],
            NAMES["readable"],
            f"{NAMES['pytorch']}, its default Adam",
            NAMES["hips_autograd"],
        ],
        lines,
    )


def everyone(rows: list[Row]) -> str:
    """Return the table of every step over the hand-written one."""
    others = [name for name in NAMES if name != UNIT and name in rows[0]["over_unit"]]
    return table(
        [
            f"÷ {NAMES[UNIT]}",
            *(NAMES[n] for n in others),
            f"{NAMES[UNIT]}, µs",
            "noise",
            "rounds kept",
        ],
        [
            [f"{row['problem']}, {row['dtype']}"]
            + [spread(row["over_unit"][n]) for n in others]
            + [f"{row['microseconds'][UNIT]:.0f}", spread(row["noise"])]
            + [f"{row['kept']} of {row['rounds']}"]
            for row in rows
        ],
    )


def depth(result: Row) -> str:
    """Return the section on `backward` along a chain."""
    per_node = result["nanoseconds_a_node"]
    first = next(iter(per_node.values()))
    rows = [[f"{d:,}", f"{ns:,}", f"{ns / first:.2f}"] for d, ns in per_node.items()]
    return (
        "## `backward` along a chain\n\n"
        + table(["depth", "ns a node", "÷ the shallowest"], rows)
        + "\n\nTime grows as depth to the power "
        + verdict(f"{result['exponent']:.2f}", result["exponent"] <= DEPTH_EXPONENT)
        + f" from 1,000 nodes on (linear is 1; target ≤ {DEPTH_EXPONENT})."
    )


def imports(result: Row) -> str:
    """Return the section on the time of an import."""
    ms = result["milliseconds"]
    return (
        "## `import minimlcourse`\n\n"
        f"{against(result['ratio'], OVER_NUMPY_IMPORT)} times `import numpy` "
        f"({ms['minimlcourse']} ms and {ms['numpy']} ms, without the interpreter's own start)."
    )


def mnist(runs: list[Row]) -> str:
    """Return the section on raw-pixel networks."""
    rows = []
    for run in runs:
        reached = []
        for wanted, _ in MNIST:
            pairs = zip(run["accuracy"], run["seconds"], strict=True)
            first = next((s for a, s in pairs if a >= wanted), None)
            reached.append("never" if first is None else f"{first} s")
        rows.append(
            [run["recipe"], run["seed"], f"{run['accuracy'][-1]:.2f}", run["seconds"][-1], *reached]
        )
    sentences = []
    for wanted, limit in MNIST:
        recipes = {run["recipe"]: True for run in runs}
        for run in runs:
            met = run["accuracy"][-1] >= wanted and run["seconds"][-1] <= limit
            recipes[run["recipe"]] &= met
        good = " and ".join(name for name, met in recipes.items() if met)
        outcome = f"met for every seed by {good}" if good else "**not met**"
        sentences.append(f"≥ {wanted} % within {limit} s at the end of the schedule: {outcome}.")
    return (
        "## A network on raw MNIST pixels, one thread\n\n"
        + table(
            ["recipe", "seed", "final test accuracy, %", "seconds"]
            + [f"first ≥ {wanted} %" for wanted, _ in MNIST],
            rows,
        )
        + "\n\n"
        + " ".join(sentences)
        + " The recipes are in `mnist.py`. The seconds include an evaluation after every epoch and,"
        " in the first run, reading the files."
    )


def loops(rows: list[Row]) -> str:
    """Return the section on lesson 05b's two versions of one network."""
    return (
        "## Loops against matrices\n\n"
        "Lesson 05b's network by hand, 784-10-10 with four penalties: one pass over part of MNIST"
        " with the version that loops over the examples, over the same with the version that"
        " multiplies matrices; float64 weights, float32 images, one thread. Homework B has 7.0 for"
        " batches of 100.\n\n"
        + table(
            ["batch", "images", "loops ÷ matrices"],
            [[row["batch"], f"{row['images']:,}", spread(row["ratio"])] for row in rows],
        )
    )


def memory(result: Row) -> str:
    """Return the section on the memory of a training loop."""
    return (
        "## Memory\n\n"
        f"{result['steps']:,} training steps with the garbage collector off leave "
        f"{result['bytes']:,} bytes allocated."
    )


def second_order(rows: list[Row]) -> str:
    """Return the section on Hessian-vector products."""
    return "## Second order\n\nfloat64, all parameters.\n\n" + table(
        ["", "`hvp` ÷ `value_and_grad`"],
        [[row["problem"], spread(row["ratio"])] for row in rows],
    )


def against(quartiles: list[float], limit: float | None) -> str:
    """Write a ratio beside its target, if it has one; bold if it misses it."""
    if limit is None:
        return spread(quartiles)
    return f"{verdict(spread(quartiles), quartiles[1] <= limit)} ≤ {limit:g}"


def verdict(text: str, met: bool) -> str:
    """Write in bold what misses its target."""
    return text if met else f"**{text}**"


def spread(quartiles: list[float]) -> str:
    """Write a median with its quartiles."""
    low, median, high = quartiles
    return f"{median:.2f} [{low:.2f}–{high:.2f}]"


def table(header: list[str], rows: list[list[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
