"""House rules that hold for every file."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import minimlcourse

ROOT = Path(__file__).parents[2]


def tracked_texts() -> dict[str, str]:
    """Return every text file that git tracks, or would, by its path."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    texts = {}
    for name in filter(None, listing.split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).exists() else b"\0"
        if b"\0" not in content:
            texts[name] = content.decode()
    return texts


# Written so that this file does not match itself.
FORBIDDEN = {
    "a folder of one machine": r"(?<![\w.~-])/(?:home|root|Users|work|opt)/[\w.]|\b[A-Z]:\\Users\b",
    "a host of a package registry": r"(?:pypi|pythonhosted|npmjs|anaconda)\.(?:org|com|io|cloud)\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what):
    pattern = re.compile(FORBIDDEN[what])
    texts = tracked_texts()
    assert "pyproject.toml" in texts, "git lists no files: is this a clone?"
    found = [
        f"{name}: {match.group()!r}"
        for name, text in texts.items()
        for match in [pattern.search(text)]
        if match
    ]
    assert not found, f"{what} is named in " + ", ".join(found)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a folder of one machine", "/" + "home/ada/course"),
        ("a folder of one machine", "see '/" + "Users/ada'"),
        ("a folder of one machine", "C:" + r"\Users\ada"),
        ("a host of a package registry", "https://pypi" + ".org/simple"),
    ],
)
def test_the_rule_recognises(what, text):
    assert re.search(FORBIDDEN[what], text)


def test_readme_links_to_what_there_is():
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    files = {link for link in links if "://" not in link}
    assert not [link for link in files if not (ROOT / link).exists()]
    lessons = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert lessons <= files, "the map of the lessons in README.md misses one"


def test_version_is_the_one_declared():
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["version"]
    assert minimlcourse.__version__ == declared


@pytest.mark.claim("C1")
def test_import_costs_numpy_and_little_more():
    """No room of the package but `classroom` may load more than NumPy and the standard library."""
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, minimlcourse\n"
            "from minimlcourse import autodiff, datasets, functional, metrics, nn, optim\n"
            "from minimlcourse import training\n"
            "print(*{name.partition('.')[0] for name in sys.modules})",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {
        "matplotlib",
        "ipywidgets",
        "anywidget",
        "IPython",
        "tqdm",
        "scipy",
        "torch",
        "sklearn",
    }
    assert not heavy & set(loaded), f"import minimlcourse loads {sorted(heavy & set(loaded))}"
