"""What `pip install .` gives in an environment that has nothing else (needs a package index)."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = [sys.executable, ROOT / "tools" / "uv_as_pip.py"]
MNIST = {
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build the source distribution, and from it the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([*UV, "build", "--quiet", "--out-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    (source,) = folder.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def bare_python(distributions, tmp_path_factory):
    wheel, _ = distributions
    environment = tmp_path_factory.mktemp("bare") / "environment"
    subprocess.run([*UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    subprocess.run([*UV, "pip", "install", "--quiet", "--python", environment, wheel], check=True)
    return environment / "bin" / "python"


def run(python, code, folder):
    return subprocess.run([python, "-c", code], cwd=folder, capture_output=True, text=True)


def test_wheel_holds_the_package_its_data_and_nothing_else(distributions):
    wheel, _ = distributions
    names = zipfile.ZipFile(wheel).namelist()
    assert {Path(name).name for name in names if name.endswith(".gz")} == MNIST
    assert "minimlcourse/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"minimlcourse"}


def test_source_distribution_holds_what_builds_and_tests_it(distributions):
    _, source = distributions
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "minimlcourse/__init__.py"} <= names


def test_numpy_alone_is_installed(bare_python, tmp_path):
    listing = subprocess.run(
        [*UV, "pip", "list", "--format", "freeze", "--python", bare_python],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert {line.partition("==")[0] for line in listing.split()} == {"minimlcourse", "numpy"}


def test_the_engine_and_the_data_work(bare_python, tmp_path):
    code = """
import minimlcourse
from minimlcourse import Tensor
from minimlcourse.datasets import load_mnist

x = Tensor([1.0, 2.0, 3.0])
(x**2).sum().backward()
images, labels = load_mnist("test")
print(x.grad, images.shape, labels.shape)
"""
    result = run(bare_python, code, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[2. 4. 6.] (10000, 784) (10000,)\n"


def test_the_classroom_asks_for_what_it_misses(bare_python, tmp_path):
    result = run(bare_python, "import minimlcourse.classroom", tmp_path)
    assert result.returncode != 0
    last_line = result.stderr.strip().splitlines()[-1]
    assert "ModuleNotFoundError" in last_line or "ImportError" in last_line
    assert "minimlcourse[course]" in result.stderr, (
        "the message should name the missing package and say how to install it: "
        f"pip install 'minimlcourse[course]'; it was {last_line}"
    )
