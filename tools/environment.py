"""Print environment.yml, for conda and Binder: the course's dependencies, from pyproject.toml.

Every one of them has the same name on conda-forge as on the Python package index.
"""

import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def environment(project: dict) -> str:
    """Write the environment of a [project] table: conda installs all of it, pip only links us."""
    requirements = [
        f"python{project['requires-python']}",
        "pip",
        *project["dependencies"],
        *project["optional-dependencies"]["course"],
    ]
    return "\n".join(
        [
            "# Made by `make lock` from pyproject.toml: change that one.",
            "name: minimlcourse",
            "channels:",
            "  - conda-forge",
            "dependencies:",
            *(f"  - {requirement}" for requirement in requirements),
            "  - pip:",
            "      - -e .",
            "",
        ]
    )


if __name__ == "__main__":
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    print(environment(project), end="")
