"""Begin a lesson: copy tools/lesson_template.ipynb, which shows every part that a lesson has.

    python tools/new_lesson.py 05_backpropagation

`make lesson` does this.
"""

import re
import sys
from pathlib import Path

import nbformat

TEMPLATE = Path(__file__).parent / "lesson_template.ipynb"
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def new_lesson(name: str, folder: Path) -> Path:
    """Write a lesson that runs, to be replaced part by part.

    Parameters
    ----------
    name : str
        Two digits and words, such as "05_backpropagation": they become file and title.
    folder : Path
        Where the lessons are.

    Returns
    -------
    Path
        The new file.

    Raises
    ------
    ValueError
        If the name is of another form.
    FileExistsError
        If there is a lesson of that number.
    """
    if not re.fullmatch(r"\d\d[a-z]?(_[a-z0-9]+)+", name):
        raise ValueError(
            f"NAME is {name!r}, expected two digits and words in lower case, joined by "
            "underscores, such as 05_backpropagation"
        )
    number, _, words = name.partition("_")
    for taken in folder.glob(f"{number}_*.ipynb"):
        raise FileExistsError(f"lesson {number} is there already: notebooks/{taken.name}")
    lesson = nbformat.read(TEMPLATE, as_version=4)
    title = words.replace("_", " ").capitalize()
    lesson.cells[0].source = lesson.cells[0].source.replace("NN · Title", f"{number} · {title}")
    for index, cell in enumerate(lesson.cells):
        cell["id"] = f"{words.replace('_', '-')[:50]}-{index:02}"
    path = folder / f"{name}.ipynb"
    nbformat.write(lesson, path)
    return path


def main() -> int:
    """Carry out the command line."""
    try:
        path = new_lesson(" ".join(sys.argv[1:]), NOTEBOOKS)
    except (ValueError, FileExistsError) as error:
        print(f"make lesson: {error}", file=sys.stderr)
        return 1
    print(
        f"notebooks/{path.name} is there, and runs. Now:\n"
        "  1. link it in the map of README.md;\n"
        "  2. replace its parts by yours, with `make lab`;\n"
        f"  3. write its claims into claims/lesson_{path.name.partition('_')[0]}.toml;\n"
        f"  4. make outputs LESSONS=notebooks/{path.name}, make ledger, make test.\n"
        "docs/contributing.md says more."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
