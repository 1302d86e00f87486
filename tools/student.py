"""Pack what a student gets: lessons, exercises, the package and its data, and what runs them.

    python tools/student.py

From the same files come the same bytes. In a clone, only what git tracks is packed; what is not
named below stays out, so that a new file is not handed out by accident.
"""

import fnmatch
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from exercises import ROOT, differences, leaks, names_in, released

BUNDLE = ROOT / "dist" / "minimlcourse-student.zip"
TOP = "minimlcourse/"

# "*" stands for any part of a path, folders included.
SHIPPED = (
    *("minimlcourse/*", "notebooks/*", "exercises/*", "claims/*"),
    *("README.md", "LICENSE*", "Makefile", "pyproject.toml", "environment.yml"),
    *("requirements.lock", "requirements-dev.lock"),
    *("docs/*.png", "benchmarks/RESULTS.md"),
    *("tools/find-python", "tools/uv_as_pip.py", "tools/jupyterlab/*"),
    # Of the tests, those of what is installed: no house rules, and no answers to exercises.
    *("tests/conftest.py", "tests/engine/*", "tests/test_nn.py", "tests/test_init.py"),
    *("tests/test_optim.py", "tests/test_training.py", "tests/test_metrics.py"),
    *("tests/test_datasets.py", "tests/test_idx.py", "tests/test_classroom.py"),
    *("tests/test_torch_vectors.py", "tests/torch_vectors/*"),
)

# What only a contributor can use: from the first heading up to the second.
CUT = {
    "Makefile": ("# ---- for contributors and teachers", "# ---- the environment"),
    "README.md": ("## For contributors", "## Licences"),
}


def shipped(root: Path = ROOT) -> dict[str, bytes]:
    """Choose the files of the bundle.

    Returns
    -------
    dict of str to bytes
        The files by their path in the course.
    """
    names = tracked(root) if (root / ".git").exists() else names_in(root)
    chosen = {
        name: (root / name).read_bytes()
        for name in sorted(names)
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in SHIPPED)
    }
    for name, (start, end) in CUT.items():
        text = chosen[name].decode()
        shorter, cuts = re.subn(
            rf"^{re.escape(start)}.*?(?=^{re.escape(end)})", "", text, flags=re.M | re.S
        )
        if cuts != 1:
            raise ValueError(f"{name}: {start!r} … {end!r} should stand there once; cut {cuts}")
        chosen[name] = shorter.encode()
    return chosen


def tracked(root: Path) -> list[str]:
    """List what git tracks and the folder still has."""
    command = ["git", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [name for name in listing.split("\0") if (root / name).is_file()]


def pack(files: dict[str, bytes], bundle: Path) -> None:
    """Write a zip that depends on nothing but its files."""
    bundle.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(TOP + name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whatever this machine is
            entry.external_attr = (0o755 if content.startswith(b"#!") else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def main() -> int:
    """Write the bundle, unless it would give a solution away."""
    files = shipped()
    exercises = {
        name.removeprefix("exercises/"): content
        for name, content in files.items()
        if name.startswith("exercises/")
    }
    if wrong := differences(released(), exercises):
        print(*wrong, "`make exercises` makes them, and git must track them.", sep="\n")
        return 1
    if wrong := leaks(files):
        print(*wrong, sep="\n")
        return 1
    pack(files, BUNDLE)
    size = BUNDLE.stat().st_size / 1e6
    print(f"{BUNDLE.relative_to(ROOT)}: {len(files)} files, {size:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
