"""Run the lessons and store their outputs, or say what is wrong with a lesson's file.

    python tools/lessons.py refresh notebooks/*.ipynb
    python tools/lessons.py lint notebooks/*.ipynb

`refresh` stores nothing that changes from run to run or from machine to machine, so that refreshing
an unchanged lesson changes no byte of it. `lint` knows the rules that running it cannot check.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

MAX_CODE_LINES = 25
MAX_WORDS = 200
MAX_BYTES = 1_500_000
MAX_OUTPUT_BYTES = 500_000
SECONDS_PER_CELL = 120

WIDGET = "application/vnd.jupyter.widget-view+json"
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
MACHINE_PATH = re.compile(
    r"(?<![\w.~-])/(?:home|root|Users|work|tmp|private|var|opt)/[\w.]|\b[A-Z]:\\Users"
)


def refresh(path: Path) -> None:
    """Run a lesson in a fresh kernel, from its own folder, and store its outputs."""
    lesson = nbformat.read(path, as_version=4)
    NotebookClient(
        lesson,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],  # else each kernel tells how it is reached
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    forget_the_run(lesson)
    nbformat.write(lesson, path)


def forget_the_run(lesson: NotebookNode) -> None:
    """Drop what tells of this run or this machine alone.

    That is the kernel's exact version, and the identity of each live widget: a page that does not
    run shows the text or figure beside it instead.
    """
    lesson.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for cell in lesson.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)


def lint(path: Path) -> list[str]:
    """List what is wrong with a lesson's file, each with its place and reason."""
    size = path.stat().st_size
    problems = []
    if size > MAX_BYTES:
        problems.append(
            f"{size:,} bytes: at most {MAX_BYTES:,}, or it is slow to load and to review"
        )
    try:
        lesson = nbformat.read(path, as_version=4)
        nbformat.validate(lesson)
    except Exception as error:
        return [*problems, f"not a valid notebook: {error}"]
    if re.match(
        r"[0-8]\d[a-z]?_", path.name
    ):  # the appendices, from 90 on, have a shape of their own
        problems += _lint_frame(lesson)
    return problems + list(_lint_page(lesson))


OPENING = ("After this page", "**You need**", "**It takes**", "**It walks through**")
CLOSING = ("## Summary", "**To read.**", "**Next.**")


def _lint_frame(lesson: NotebookNode) -> Iterator[str]:
    for index, parts in ((0, OPENING), (-1, CLOSING)):
        text = lesson.cells[index].source if lesson.cells else ""
        if absent := [part for part in parts if part not in text]:
            which = "first" if index == 0 else "last"
            yield f"the {which} cell lacks {', '.join(absent)}: all lessons open and close alike"
    for index, cell in enumerate(lesson.cells):
        prose = re.sub(r"^\|.*$", "", cell.source, flags=re.M)  # a table is looked up, not read
        if cell.cell_type == "markdown" and (words := len(prose.split())) > MAX_WORDS:
            yield f"cell {index}: {words} words: more than {MAX_WORDS} are two ideas, so two cells"


def _lint_page(lesson: NotebookNode) -> Iterator[str]:
    first = lesson.cells[0] if lesson.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "cell 0: a lesson opens with a text cell whose first line is its title, '# …'"
    if "widgets" in lesson.metadata:
        yield "metadata.widgets: changes with every run; `make outputs` drops it"

    count = 0
    for index, cell in enumerate(lesson.cells):
        if cell.cell_type == "code":
            count += 1
            problems = _lint_code(cell, count)
        else:
            problems = _lint_figures(cell.source)
        if MACHINE_PATH.search(cell.source):
            problems = [*problems, "names a folder of one machine"]
        yield from (f"cell {index}: {problem}" for problem in problems)


def _lint_code(cell: NotebookNode, count: int) -> Iterator[str]:
    if (lines := cell.source.count("\n") + 1) > MAX_CODE_LINES:
        yield f"{lines} lines of code: more than {MAX_CODE_LINES} belong in the package, under test"
    if cell.source.rstrip().endswith(";"):
        yield "ends with ';', which the test of the outputs does not honour: end with plt.show()"
    if cell.execution_count != count:
        yield (
            f"has execution count {cell.execution_count}, not {count}: the lesson was not run once "
            "from top to bottom, and outputs without a count are compared with nothing; run "
            "`make outputs`"
        )
    if "execution" in cell.metadata:
        yield "metadata.execution: changes with every run; `make outputs` drops it"
    for output in cell.outputs:
        yield from _lint_output(cell, output)


def _lint_output(cell: NotebookNode, output: NotebookNode) -> Iterator[str]:
    if output.output_type == "error":
        # A cell that fails on purpose carries the tag by which nbval and JupyterLab know it.
        if "raises-exception" not in cell.metadata.get("tags", []):
            yield f"stores an error, {output.ename}: {output.evalue}"
        return
    if output.output_type == "stream":
        if output.name == "stderr":
            yield f"stores a warning or message on stderr: {output.text[:80]!r}"
        texts = [output.text]
    else:
        texts = [text for kind, text in output.data.items() if kind.startswith("text/")]
        if others := [kind for kind in output.data if kind in ("image/svg+xml", "image/jpeg")]:
            yield f"stores {others[0]}: show(figure, alt=...) stores a PNG with alternative text"
        if (size := sum(len(str(data)) for data in output.data.values())) > MAX_OUTPUT_BYTES:
            yield f"an output of {size:,} bytes: at most {MAX_OUTPUT_BYTES:,}; draw it smaller"
        if "image/png" in output.data and not alternative_text(cell, output):
            yield "shows a figure without alternative text (tools/lessons.py says where it goes)"
        if WIDGET in output.data:
            yield "stores the identity of a live widget: run `make outputs`"
        yield from _lint_figures(output.data.get("text/html", ""))
    if any(ADDRESS.search(text) for text in texts):
        yield "prints an address in memory, which changes with every run"
    if any(MACHINE_PATH.search(text) for text in texts):
        yield "prints a folder of one machine"


def alternative_text(cell: NotebookNode, output: NotebookNode) -> str:
    """Return what a figure says to a reader who does not see it.

    It is in the metadata of the output, ``{"image/png": {"alt": "…"}}``, where nbconvert's classic
    template looks for it, or in those of its cell, ``{"alt": "…"}``. ``classroom.show`` writes it
    there, and once more as hidden text for JupyterLab, which looks in neither place.
    """
    return output.metadata.get("image/png", {}).get("alt", "") or cell.metadata.get("alt", "")


def _lint_figures(text: str) -> Iterator[str]:
    if re.search(r"!\[\s*\]\(", text) or re.search(r"<img(?![^>]*\balt=[\"'][^\"'])", text):
        yield "shows an image without alternative text"


def main() -> int:
    """Carry out the command line."""
    command, *paths = sys.argv[1:]
    failed = False
    for path in map(Path, paths):
        if command == "refresh":
            print(path, flush=True)
            refresh(path)
        for problem in lint(path):
            print(f"{path}: {problem}")
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
