"""Hold the ledger of claims to the lessons and the tests, and write its appendix.

    python tools/ledger.py

A claim has a lesson that shows it and a test that holds it: where that fails, this says so, and
`claims/README.md` says what the rules are. From a sound ledger it makes the appendix notebook.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from lessons import refresh
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from minimlcourse.classroom.ledger import Claim, read_claims

ROOT = Path(__file__).parents[1]
APPENDIX = "91_ledger.ipynb"

# `make test` leaves these alone: what they hold is not held on every change.
RARELY_RUN = ("browser", "install")

IDENTIFIER = re.compile(r"\b([CEV])([1-9]\d*)(?:[–-]\1([1-9]\d*))?(?!\w)")
# In these, "C1" is a piece of code, of mathematics or of an address.
NOT_PROSE = re.compile(
    r"^```.*?^```|\$\$.*?\$\$|(?<!\\)\$[^$]+\$|`[^`]*`|</?[a-zA-Z][^>\n]*>|\]\([^)]*\)",
    re.DOTALL | re.MULTILINE,
)
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*$")
FENCE = re.compile(r"^\s*```")
BOX = re.compile(r"^> \*\*Errat(?:um|a) (?P<cited>[^*]*)\.\*\*", re.MULTILINE)
BOX_PARTS = ("*What is written:*", "*Why it fails:*", "*What holds:*")


# ---- the lessons


@dataclass
class Piece:
    """A code cell of a lesson, or the text between two headings of one of its text cells."""

    kind: str
    source: str
    headings: tuple[str, ...]


def pieces(lesson: NotebookNode) -> Iterator[Piece]:
    """Cut a lesson at its headings, so that each piece knows the headings it stands under."""
    path: list[tuple[int, str]] = []
    for cell in lesson.cells:
        if cell.cell_type == "code":
            yield Piece("code", cell.source, tuple(text for _, text in path))
            continue
        lines: list[str] = []
        fenced = False
        for line in cell.source.split("\n"):
            fenced ^= bool(FENCE.match(line))
            heading = None if fenced else HEADING.match(line)
            if heading:
                yield Piece("markdown", "\n".join(lines), tuple(text for _, text in path))
                lines = []
                level = len(heading[1])
                path = [part for part in path if part[0] < level] + [(level, heading[2])]
            lines.append(line)
        yield Piece("markdown", "\n".join(lines), tuple(text for _, text in path))


def cited(text: str) -> set[str]:
    """Find the identifiers of claims in a text.

    >>> sorted(cited("the engine (C9–C11), erratum E12, `C1` and $E3$"))
    ['C10', 'C11', 'C9', 'E12']
    """
    found = set()
    for letter, first, last in IDENTIFIER.findall(NOT_PROSE.sub(" ", text)):
        found |= {f"{letter}{number}" for number in range(int(first), int(last or first) + 1)}
    return found


def number_of(lesson: Path) -> str:
    """Return the number of a lesson, with the letter of its page if it has several: "05b"."""
    return lesson.name.partition("_")[0]


def lesson_problems(claims: list[Claim], notebooks: Path) -> Iterator[str]:
    """Compare the ledger with what the lessons cite and show."""
    known = {claim.identifier for claim in claims}
    by_number: dict[str, tuple[str, list[Piece]]] = {}
    for path in sorted(notebooks.glob("*.ipynb")):
        if path.name == APPENDIX:
            continue
        parts = list(pieces(nbformat.read(path, as_version=4)))
        by_number[number_of(path)] = path.name, parts
        texts = [part.source for part in parts if part.kind == "markdown"]
        for identifier in sorted(set().union(*map(cited, texts)) - known):
            yield (
                f"{path.name} cites {identifier}, which is not in the ledger: add it to "
                f"claims/lesson_{number_of(path)}.toml, or set it as code or mathematics if it "
                "means something else"
            )
    for claim in claims:
        if claim.lesson not in by_number:
            yield (
                f"{claim.identifier}: there is no lesson notebooks/{claim.lesson}_….ipynb: correct "
                "`lesson`, or take the claim out until the lesson exists"
            )
        else:
            yield from _claim_problems(claim, *by_number[claim.lesson])


def _claim_problems(claim: Claim, name: str, parts: list[Piece]) -> Iterator[str]:
    section = [part for part in parts if claim.anchor in part.headings]
    if not section:
        yield (
            f"{claim.identifier}: {name} has no heading {claim.anchor!r}: `anchor` is the text of "
            "a heading, letter for letter"
        )
        return
    if not any(
        part.kind == "markdown" and claim.identifier in cited(part.source) for part in section
    ):
        yield (
            f"{claim.identifier}: {name} does not cite it under {claim.anchor!r}: write "
            f"({claim.identifier}) where it is stated, or correct `anchor`"
        )
        return
    if claim.severity == "A" and not _is_shown(claim, section):
        yield (
            f"{claim.identifier}: {name} does not show it under {claim.anchor!r}: an erratum of "
            f"severity A has a box, '> **Erratum {claim.identifier}.** {' … '.join(BOX_PARTS)} …', "
            "and below it, in the same section, the code cell that runs both"
        )


def _is_shown(claim: Claim, section: list[Piece]) -> bool:
    for index, part in enumerate(section):
        for box in BOX.finditer(part.source) if part.kind == "markdown" else ():
            text = " ".join(
                part.source[box.end() :].partition("\n\n")[0].replace("\n>", " ").split()
            )
            places = [text.find(words) for words in BOX_PARTS]
            if (
                claim.identifier in cited(box["cited"])
                and -1 not in places
                and places == sorted(places)
                and any(later.kind == "code" for later in section[index + 1 :])
            ):
                return True
    return False


# ---- the tests


def markers(tests: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Read ``pytest.mark.claim`` out of the tests, without running or importing them.

    That gives the same answer in every worker of a parallel run, and when one file is run alone.

    Returns
    -------
    held : dict of str to list of str
        The tests of each identifier, as "file::test".
    problems : list of str
        Markers that tie nothing.
    """
    held: dict[str, list[str]] = {}
    problems: list[str] = []
    for path in sorted(tests.rglob("*.py")):
        folder = path.relative_to(tests)
        rarely = folder.parts[0] in RARELY_RUN
        collected = folder.name.startswith("test_") and not rarely
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for mark, names in _marks(tree, ()):
            test = "::".join((f"{tests.name}/{folder.as_posix()}", *names))
            place = f"{test}, line {mark.lineno}"
            arguments = mark.args if isinstance(mark, ast.Call) else []
            identifiers = [node.value for node in arguments if isinstance(node, ast.Constant)]
            is_test = all(name.startswith(("test_", "Test")) for name in names)
            if not identifiers or len(identifiers) < len(arguments):
                problems.append(
                    f'{place}: write the identifiers out, @pytest.mark.claim("C18", "E12")'
                )
            elif not collected or not is_test:
                where = "`make test` does not run it" if rarely else "pytest takes it for no test"
                problems.append(f"{place}: is marked as a test, but {where}")
            else:
                for identifier in identifiers:
                    held.setdefault(str(identifier), []).append(test)
    return held, problems


def _marks(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[ast.expr, tuple[str, ...]]]:
    """Find each use of ``pytest.mark.claim``, with the functions and classes that it is in."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        names = (*names, node.name)
    mark = node.func if isinstance(node, ast.Call) else node
    if isinstance(mark, ast.Attribute) and mark.attr == "claim":
        yield node, names
        return
    for child in ast.iter_child_nodes(node):
        yield from _marks(child, names)


def marker_problems(claims: list[Claim], tests: Path) -> Iterator[str]:
    """Compare the ledger with the markers of the tests."""
    held, problems = markers(tests)
    yield from problems
    for claim in claims:
        if claim.identifier not in held:
            yield (
                f"{claim.identifier}: no test holds it: mark one that fails when it is false, "
                f'@pytest.mark.claim("{claim.identifier}")'
            )
    for identifier in sorted(held.keys() - {claim.identifier for claim in claims}):
        yield (
            f"{', '.join(held[identifier])}: marked with {identifier}, which is not in the ledger: "
            "add it under claims/, or correct the marker"
        )


def check(root: Path = ROOT) -> list[str]:
    """List what is wrong with the ledger, each with its place and what to do."""
    try:
        claims = read_claims(root / "claims")
    except ValueError as error:
        return [f"claims/{error}"]
    return [*lesson_problems(claims, root / "notebooks"), *marker_problems(claims, root / "tests")]


# ---- the appendix


def is_stale(root: Path = ROOT) -> bool:
    """Whether the appendix says something else than a sound ledger, its lessons and its tests."""

    def sources(notebook: NotebookNode) -> list[tuple[str, str]]:
        return [(cell.cell_type, cell.source) for cell in notebook.cells]

    path = root / "notebooks" / APPENDIX
    return not path.exists() or (
        sources(nbformat.read(path, as_version=4)) != sources(appendix(root))
    )


INTRODUCTION = """\
# 91 · Appendix: the ledger of claims

After this page you will be able to

- find where the course shows a statement, a formula or an error of one of its sources;
- find the tests that fail if it is false: they are marked with its identifier.

**You need** nothing: it is a page to look things up in.
**It takes** as long as you like.
**It walks through** all that the lessons cite by an identifier: C for what a document teaches, asks
or measures, E for an error (*erratum*) in one, V for what looks wrong in one and is right."""

SEARCH_TEXT = """\
## Search

Choose a lesson or a document, or type words. Without a kernel, read on: the tables hold all."""

SEARCH = """\
from minimlcourse.classroom.ledger import ClaimSearch, read_claims

ClaimSearch(read_claims())"""

SUMMARY = """\
## Summary

- Whatever a lesson takes from a source has an identifier, a lesson and a test.
- An error of a source is written down with what is written and what holds.
- A test marked with the identifier fails when the claim is false.

**To read.** `claims/README.md` says how a claim is added, and what is refused.

**Next.** Back to [the map of the lessons](00_welcome.ipynb)."""


def appendix(root: Path) -> NotebookNode:
    """Make the appendix notebook, not yet run."""
    claims = read_claims(root / "claims")
    held, _ = markers(root / "tests")
    cells = [
        new_markdown_cell(INTRODUCTION),
        new_markdown_cell(SEARCH_TEXT),
        new_code_cell(SEARCH),
    ]
    for number in sorted({claim.lesson for claim in claims}):
        (path,) = (root / "notebooks").glob(f"{number}_*.ipynb")
        rows = [
            _row(claim, path.name, held[claim.identifier])
            for claim in claims
            if claim.lesson == number
        ]
        head = "| | statement | source | shown in |\n|---|---|---|---|"
        cells.append(new_markdown_cell("\n".join([f"## Lesson {number}", "", head, *rows])))
    cells.append(new_markdown_cell(SUMMARY))
    for index, cell in enumerate(cells):
        cell["id"] = f"ledger-{index:02}"
    return new_notebook(cells=cells)


def _row(claim: Claim, lesson: str, tests: list[str]) -> str:
    statement = claim.statement
    if claim.wrong:
        statement = f"*What is written:* {claim.wrong} *What holds:* {statement}"
    # JupyterLab and GitHub turn a heading into an address in this way, but for rare characters.
    address = claim.anchor.replace(" ", "-").replace("(", "%28").replace(")", "%29")
    shown = f"[{_in_a_table(claim.anchor)}]({lesson}#{address})"
    files = Counter(test.partition("::")[0] for test in tests)
    held = ", ".join(f"[{Path(file).name}](../{file}) ({n})" for file, n in files.items())
    return (
        f"| **{claim.identifier}** | {_in_a_table(statement)} *Held by:* {held}. "
        f"| {_in_a_table(claim.source)} | {shown} |"
    )


def _in_a_table(text: str) -> str:
    """Keep a bar from ending the column: in mathematics by its name, elsewhere by a backslash."""
    text = " ".join(text.split())

    def name_bars(formula: re.Match[str]) -> str:
        return formula[0].replace(r"\|", r"\Vert ").replace("|", r"\vert ")

    parts = re.split(r"(\$[^$]+\$)", text)
    return "".join(
        re.sub(r"\$.*\$", name_bars, part) if part.startswith("$") else part.replace("|", r"\|")
        for part in parts
    )


def main() -> int:
    """Carry out the command line."""
    problems = check()
    if not problems:
        path = ROOT / "notebooks" / APPENDIX
        nbformat.write(appendix(ROOT), path)
        refresh(path)
    for problem in problems:
        print(problem)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
