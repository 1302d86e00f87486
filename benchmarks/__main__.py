"""Measure everything and write `RESULTS.md` and `results.json`.

Takes about 15 minutes on a quiet machine; `--quick` does a few rounds of everything and writes
nothing.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from . import engine, report, training_step
from .competitors import NAMES

HERE = Path(__file__).parent


def main() -> None:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="few rounds; nothing is written")
    quick = parser.parse_args().quick
    rounds = 3 if quick else 31

    missing = training_step.missing_peers()
    for name in missing:
        print(f"{NAMES[name]} is not installed and is skipped: pip install '.[bench]'")

    results = {"machine": report.machine(), "missing": missing}
    print("import")
    results["import"] = engine.import_time(rounds)
    print("depth, memory, second order")
    results["depth"] = engine.backward_by_depth(3 if quick else 9)
    results["memory"] = engine.memory_of_training()
    results["hvp"] = engine.hessian_vector_product(rounds)
    print("one training step")
    results["training_step"] = training_step.run(rounds)
    print("MNIST")
    results["mnist"] = in_one_thread("mnist", quick)
    print("loops against matrices")
    results["loops"] = in_one_thread("loops", quick)

    page = report.markdown(results)
    print(page)
    if not quick:
        (HERE / "RESULTS.md").write_text(page, encoding="utf-8")
        sections = ",\n".join(f'"{name}": {json.dumps(part)}' for name, part in results.items())
        (HERE / "results.json").write_text(f"{{\n{sections}\n}}\n", encoding="utf-8")


def in_one_thread(name: str, quick: bool) -> list[dict[str, object]]:
    """Run a benchmark that prints JSON lines, with one thread, as `make lab` runs the lessons."""
    threads = dict.fromkeys(training_step.THREAD_VARIABLES, "1")
    command = [sys.executable, "-m", f"benchmarks.{name}"] + ["--quick"] * quick
    output = subprocess.run(
        command, env=os.environ | threads, stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in output.stdout.splitlines()]


if __name__ == "__main__":
    main()
