"""What `make` says on a machine whose Python is missing, too old or incomplete."""

import subprocess
import sys
from pathlib import Path

import pytest

FIND_PYTHON = Path(__file__).parents[2] / "tools" / "find-python"


def python(version, *, supported, complete=True):
    """Pretend to be a Python: answer the three questions that find-python asks."""
    return (
        "#!/bin/sh\n"
        'case "$2" in\n'
        f"    *print*) echo {version} ;;\n"
        f"    *sys.exit*) exit {0 if supported else 1} ;;\n"
        f"    *ensurepip*) exit {0 if complete else 1} ;;\n"
        "esac\n"
    )


def find(folder, pythons):
    for name, script in pythons.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", FIND_PYTHON], env={"PATH": str(folder)}, capture_output=True, text=True
    )


OLD = python("3.9", supported=False)
BROKEN = "#!/bin/sh\nexit 127\n"
GOOD = python("3.12", supported=True)
NO_VENV = python("3.11", supported=True, complete=False)


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3": GOOD}, "python3"),
        ({"python": GOOD}, "python"),
        ({"python3": OLD, "python3.12": GOOD}, "python3.12"),
        ({"python3": OLD, "python3.13": BROKEN, "python3.12": GOOD}, "python3.12"),
        ({"python3": NO_VENV, "python3.12": GOOD}, "python3.12"),
    ],
)
def test_finds(pythons, chosen, tmp_path):
    result = find(tmp_path, pythons)
    assert (result.returncode, result.stdout) == (0, f"{tmp_path / chosen}\n")


@pytest.mark.parametrize(
    ("pythons", "sentence"),
    [
        ({}, "This course needs Python 3.11 or newer, and this machine has none.\n"),
        (
            {"python3": OLD, "python": OLD},
            "This course needs Python 3.11 or newer, and this machine has Python 3.9.\n",
        ),
        (
            {"python3": NO_VENV},
            "Python 3.11 is here without its venv module, which this course needs "
            "(on Debian and Ubuntu: sudo apt install python3-venv).\n",
        ),
    ],
)
def test_says_what_is_missing(pythons, sentence, tmp_path):
    result = find(tmp_path, pythons)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", sentence)


def test_finds_the_python_of_this_environment():
    """The three questions are answered by a real Python, too."""
    result = subprocess.run(
        ["/bin/sh", FIND_PYTHON],
        env={"PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
