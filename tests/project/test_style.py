"""The style of the code and the types of the package, as `make lint` checks them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["ruff check", "ruff format --check", "mypy"])
def test_passes(command):
    result = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=ROOT,
        env=os.environ | {"RUFF_OUTPUT_FORMAT": "concise"},
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        reasons = result.stdout + result.stderr
        pytest.fail(f"`{command}` (`make lint` says more):\n{reasons}", pytrace=False)
