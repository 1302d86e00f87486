"""Make the exercises from their solutions, or say what is wrong with a solution.

    python tools/exercises.py

`solutions/NN_topic/*.ipynb` is the source. nbgrader turns it into `exercises/NN_topic/*.ipynb`,
as nbgrader_config.py says, without answers, hidden tests and marking schemes. What has no source
any more is removed.
"""

import ast
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from lessons import MACHINE_PATH
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.nbgraderformat import MetadataValidator
from traitlets.config import PyFileConfigLoader

ROOT = Path(__file__).resolve().parents[1]

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

# What students may read in any case: a line that stands there, too, gives nothing away.
PUBLIC = ("minimlcourse/", "notebooks/")

MARK = re.compile(r"\b(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)\b")
# Lines that many programs share.
FRAME = re.compile(r"#|@|(import|from|def|class|else|try|finally|pass)\b|return \w+$|[^\w]*$")
SHORTEST = 8
# A line this long is looked for inside other lines, too.
LONG = 20


# ---- from solutions to exercises


def released(root: Path = ROOT) -> dict[str, bytes]:
    """Make what belongs into `exercises/`, by nbgrader, without a gradebook.

    Returns
    -------
    dict of str to bytes
        The files by their path in `exercises/`.
    """
    if not any(root.glob("solutions/*/*.ipynb")):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        config = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
        config.CourseDirectory.root = str(root)
        config.CourseDirectory.release_directory = folder
        config.CourseDirectory.assignment_id = "*"
        # What `nbgrader generate_assignment --no-db` means.
        config.SaveCells.enabled = False
        config.GenerateAssignment.no_database = True
        GenerateAssignment(coursedir=CourseDirectory(config=config), config=config).start()
        return files_in(Path(folder))


def files_in(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder, by their path in it."""
    return {name: (folder / name).read_bytes() for name in names_in(folder)}


def names_in(folder: Path) -> list[str]:
    """List the files of a folder, without those that running a notebook leaves there."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(path.as_posix() for path in paths if not any(map(_is_left_over, path.parts)))


def _is_left_over(part: str) -> bool:
    return part.startswith(".") or part in ("__pycache__", "progress.json")


def differences(made: Mapping[str, bytes], stored: Mapping[str, bytes]) -> list[str]:
    """Say how `exercises/` is not what the solutions give."""
    return [
        *(f"exercises/{name}: has no source in solutions/" for name in stored if name not in made),
        *(f"exercises/{name}: is missing" for name in made if name not in stored),
        *(
            f"exercises/{name}: is not what solutions/{name} gives"
            for name in made
            if name in stored and made[name] != stored[name]
        ),
    ]


def write(made: Mapping[str, bytes], folder: Path) -> None:
    """Bring `exercises/` up to date, touching only what differs."""
    stored = files_in(folder)
    for name in stored.keys() - made.keys():
        (folder / name).unlink()
    for name, content in made.items():
        if stored.get(name) != content:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


# ---- what is wrong with a solution


def points_of(identifier: str) -> int:
    """Return the points of an exercise, which the package knows."""
    from minimlcourse.classroom.checks import exercise

    return exercise(identifier).points


def problems(root: Path = ROOT, points: Callable[[str], int] = points_of) -> Iterator[str]:
    """List what is wrong with the sources, each with its place and reason."""
    home: dict[str, str] = {}
    for path in sorted(root.glob("solutions/*/*.ipynb")):
        name = path.relative_to(root).as_posix()
        try:
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
            MetadataValidator().validate_nb(notebook)
        except Exception as error:
            yield f"{name}: not a notebook that nbgrader can use: {error}"
            continue
        yield from (f"{name}: {problem}" for problem in lint(notebook, points))
        for identifier in (found for cell in notebook.cells for found in checked(cell)):
            if home.setdefault(identifier, name) != name:
                yield f"{name}: exercise {identifier} is checked in {home[identifier]}, too"


def lint(notebook: NotebookNode, points: Callable[[str], int] = points_of) -> list[str]:
    """List what is wrong with one source."""
    problems = list(_lint_notebook(notebook))
    for index, cell in enumerate(notebook.cells):
        found = _lint_code(cell, points) if cell.cell_type == "code" else _lint_text(cell)
        problems += [f"cell {index}: {problem}" for problem in (*_lint_cell(cell), *found)]
    return problems


def _lint_notebook(notebook: NotebookNode) -> Iterator[str]:
    if notebook.nbformat_minor < 5:
        yield "its format is older than 4.5, so that its cells have no stable id"
    if notebook.metadata != METADATA:
        yield (
            "its metadata tell of one machine, or more than the kernel: they should be "
            f"{json.dumps(METADATA)}"
        )
    asked = Counter(identifier for cell in notebook.cells for identifier in checked(cell))
    for identifier in [identifier for identifier, cells in asked.items() if cells > 1]:
        yield f"exercise {identifier} is checked in more than one cell"
    if not asked:
        yield "no cell checks an exercise"


def _lint_cell(cell: NotebookNode) -> Iterator[str]:
    if MACHINE_PATH.search(cell.source):
        yield "names a folder of one machine"
    if "attachments" in cell:
        yield "has an attachment, which nbgrader hands out with the exercise: link to a file"
    if extra := cell.metadata.keys() - {"nbgrader", "tags"}:
        yield f"has metadata that are handed out with the exercise: {', '.join(sorted(extra))}"
    for region in dict.fromkeys(region for _, region in MARK.findall(cell.source)):
        edges = [edge for edge, other in MARK.findall(cell.source) if other == region]
        if edges != ["BEGIN", "END"] * (len(edges) // 2):
            yield f"BEGIN {region} and END {region} do not come in pairs"


def _lint_text(cell: NotebookNode) -> Iterator[str]:
    by_hand = utils.is_grade(cell) or utils.is_task(cell)
    if by_hand and not cell.metadata.nbgrader.get("points", 0) > 0:
        yield "is marked by hand, for no points"


def _lint_code(cell: NotebookNode, points: Callable[[str], int]) -> Iterator[str]:
    if cell.outputs or cell.execution_count is not None:
        yield "stores an output or a count of a run: clear them"
    if parsed(cell.source) is None:
        yield "is not Python"
        return
    identifiers = checked(cell)
    is_test = utils.is_grade(cell) and not utils.is_solution(cell)
    if is_test and len(identifiers) != 1:
        yield f"checks {len(identifiers)} exercises: a test cell judges one"
    elif is_test:
        (identifier,) = identifiers
        try:
            worth = points(identifier)
        except Exception as error:
            yield f"exercise {identifier} is not known: {error}"
            return
        if len(checks(visible(cell.source))) != 1:
            yield 'has not exactly one check("id", answer) outside its hidden tests'
        if cell.metadata.nbgrader.points != worth:
            yield (
                f"gives {cell.metadata.nbgrader.points} points for exercise {identifier}, "
                f"which is worth {worth}"
            )
    elif identifiers:
        yield (
            f"checks exercise {identifiers[0]}, and is no test cell: nbgrader's metadata are "
            "missing (Autograded tests)"
        )


def checked(cell: NotebookNode) -> list[str]:
    """Return the identifiers of the exercises that a cell checks, each once."""
    found = checks(cell.source) if cell.cell_type == "code" else []
    return list(dict.fromkeys(ast.unparse(call.args[0]).strip("'") for call in found))


def checks(source: str) -> list[ast.Call]:
    """Find the calls `check("05.7", answer)` in the code of a cell."""
    return [
        node
        for node in ast.walk(parsed(source) or ast.Module([], []))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "check"
        and node.args
    ]


def parsed(source: str) -> ast.Module | None:
    """Read code as IPython does, or return None if it is not Python."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return None


# ---- what must not be handed out


def secrets(notebook: NotebookNode) -> Iterator[str]:
    """Find the lines that only the source may have, in one spacing.

    That is what stands between BEGIN and END, and all of an answer that marks no part of it as the
    solution; without lines that give nothing away, such as an import or a comment.
    """
    for cell in notebook.cells:
        is_bare = utils.is_solution(cell) and "BEGIN SOLUTION" not in cell.source
        for line, is_hidden in split(cell.source):
            line = _one_spacing(line)
            is_frame = cell.cell_type == "code" and FRAME.match(line)
            if (is_hidden or is_bare) and len(line) >= SHORTEST and not is_frame:
                yield line


def split(source: str) -> Iterator[tuple[str, bool]]:
    """Tell of each line whether it stands between BEGIN and END; these are left out."""
    inside = 0
    for line in source.splitlines():
        if mark := MARK.search(line):
            inside += 1 if mark[1] == "BEGIN" else -1
        else:
            yield line, inside > 0


def visible(source: str) -> str:
    """Return what of a cell stands outside BEGIN and END."""
    return "\n".join(line for line, is_hidden in split(source) if not is_hidden)


def leaks(files: Mapping[str, bytes], root: Path = ROOT) -> list[str]:
    """Find the lines of `solutions/` that stand in files to be handed out.

    Everything that a notebook stores is searched: text, outputs, metadata. The package and the
    lessons are not: what stands there is known, and so no secret.
    """
    secret = {
        line: path.relative_to(root).as_posix()
        for path in sorted(root.glob("solutions/*/*.ipynb"))
        for line in secrets(nbformat.read(path, as_version=4))
    }
    public = {line for folder in PUBLIC for line in _lines(files_in(root / folder))}
    found = []
    for name, content in files.items():
        if name.startswith(PUBLIC):
            continue
        lines = set(_lines({name: content}))
        text = "\n".join(lines)
        found += [
            f"{name}: has a line of {source}: {line!r}"
            for line, source in secret.items()
            if line not in public and (line in lines or (len(line) >= LONG and line in text))
        ]
    return found


def _lines(files: Mapping[str, bytes]) -> Iterator[str]:
    for name, content in files.items():
        if b"\0" in content:
            continue
        text = content.decode("utf-8", errors="replace")
        for string in _strings(json.loads(text)) if name.endswith(".ipynb") else [text]:
            yield from map(_one_spacing, string.splitlines())


def _strings(value: object) -> Iterator[str]:
    """Find every string in what was JSON, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _one_spacing(line: str) -> str:
    return " ".join(line.split())


# ---- the command line


def main(root: Path = ROOT, points: Callable[[str], int] = points_of) -> int:
    """Write `exercises/` again, unless something is wrong."""
    wrong = list(problems(root, points))
    if not wrong:
        made = released(root)
        wrong = leaks({f"exercises/{name}": content for name, content in made.items()}, root)
    if wrong:
        print(*wrong, sep="\n")
        return 1
    write(made, root / "exercises")
    return 0


if __name__ == "__main__":
    sys.exit(main())
