"""pyproject.toml is the one place of dependencies: the lock files and environment.yml follow it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from environment import environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

# What each lock file pins: the dependencies of the package, and those of these extras.
LOCKED = {
    "requirements.lock": ["course"],
    "requirements-dev.lock": ["course", "instructor", "dev"],
}


def declared(extras: list[str]) -> dict[str, SpecifierSet]:
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    requirements = map(Requirement, lines)
    return {
        canonicalize_name(requirement.name): requirement.specifier for requirement in requirements
    }


def pinned(lock: str) -> list[tuple[str, str, list[str]]]:
    """Read a lock file as (name, version, hashes), a line for each platform that differs."""
    text = re.sub(r"^\s*#.*\n?", "", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)
    pins = []
    for line in text.replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        parsed = Requirement(requirement)
        (specifier,) = parsed.specifier
        assert specifier.operator == "==", f"{lock}: {requirement} is not pinned"
        pins.append((canonicalize_name(parsed.name), specifier.version, hashes))
    return pins


@pytest.mark.parametrize("lock", LOCKED)
def test_lock_follows_the_declaration(lock):
    versions: dict[str, list[str]] = {}
    for name, version, _ in pinned(lock):
        versions.setdefault(name, []).append(version)
    for name, allowed in declared(LOCKED[lock]).items():
        assert name in versions, f"{lock} does not pin {name}: run `make lock`"
        for version in versions[name]:
            assert version in allowed, (
                f"{lock} pins {name} {version}, not {allowed}: run `make lock`"
            )


@pytest.mark.parametrize("lock", LOCKED)
def test_lock_pins_each_package_by_its_hashes_and_names_no_host(lock):
    pins = pinned(lock)
    assert len(pins) > 50
    for name, _, hashes in pins:
        assert hashes, f"{lock}: {name} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), name
    assert "://" not in (ROOT / lock).read_text(encoding="utf-8")
    assert "torch" not in {name for name, _, _ in pins}, "PyTorch is too large for a course"


def test_contributors_have_the_versions_that_students_have():
    dev = {pin[:2] for pin in pinned("requirements-dev.lock")}
    assert {pin[:2] for pin in pinned("requirements.lock")} <= dev


def test_conda_environment_is_the_one_declared():
    written = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = [line for line in written["dependencies"] if isinstance(line, str)]
    requirements = {
        requirement.name: requirement.specifier for requirement in map(Requirement, conda)
    }
    assert requirements.pop("python") == SpecifierSet(PROJECT["requires-python"])
    assert requirements.pop("pip") == SpecifierSet()
    assert requirements == declared(["course"]), "environment.yml is stale: run `make lock`"
    # pip is left with the package itself.
    assert written["dependencies"][-1] == {"pip": ["-e ."]}
    assert written["channels"] == ["conda-forge"]


def test_a_change_of_the_declaration_reaches_the_conda_environment():
    changed = {**PROJECT, "dependencies": ["numpy>=9.9"]}
    assert "numpy>=9.9" in yaml.safe_load(environment(changed))["dependencies"]
