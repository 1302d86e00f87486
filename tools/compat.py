"""Run the package's tests at both ends of the supported range of Python and NumPy.

The oldest Python here meets the oldest NumPy that pyproject.toml allows, the newest meets the
newest. Each pair has an environment of its own in .venv-compat, where all else is what
requirements-dev.lock pins.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def interpreters() -> dict[tuple[int, int], str]:
    """Find the supported Pythons on the PATH and among those that pyenv keeps, by version."""
    oldest = tuple(map(int, re.findall(r"\d+", PROJECT["requires-python"])))  # ">=3.11"
    kept_by_pyenv = Path.home().glob(".pyenv/versions/*/bin/python3")
    on_the_path = (shutil.which(f"python3.{minor}") for minor in range(oldest[1], 30))
    found = {sys.version_info[:2]: sys.executable}
    for python in filter(None, [*on_the_path, *map(str, kept_by_pyenv)]):
        ask = [python, "-c", "import sys; print(*sys.version_info[:2])"]
        answer = subprocess.run(ask, capture_output=True, text=True)
        version = tuple(map(int, answer.stdout.split()))
        if answer.returncode == 0 and version >= oldest:
            found.setdefault(version, python)
    return found


def run(*command: str | Path) -> None:
    """Run a command from the root of the project, and stop here if it fails."""
    if status := subprocess.call(list(map(str, command)), cwd=ROOT):
        sys.exit(status)


def test(python: str, resolution: str) -> None:
    """Build the environment and run the tests of the package, and its examples, in it."""
    environment = ROOT / ".venv-compat" / resolution
    inside = environment / "bin" / "python"
    uv = [sys.executable, "tools/uv_as_pip.py"]
    install = [*uv, "pip", "install", "--quiet", "--python", inside]
    run(*uv, "venv", "--quiet", "--clear", "--python", python, environment)
    run(
        *(*install, ".[course]", "hypothesis", "pytest", "pytest-xdist"),
        *("--constraint", "requirements-dev.lock"),
    )
    run(
        *(*install, "--upgrade", "--resolution", resolution, "--only-binary", ":all:"),
        *PROJECT["dependencies"],
    )
    run(inside, "-c", "import numpy, sys; print('NumPy', numpy.__version__, 'Python', sys.version)")
    run(
        *(inside, "-m", "pytest", "-n", "2", "--dist", "loadfile", "--doctest-modules"),
        *("minimlcourse", "tests", "--ignore=tests/project"),
    )


if __name__ == "__main__":
    pythons = interpreters()
    test(pythons[min(pythons)], "lowest-direct")
    test(pythons[max(pythons)], "highest")
