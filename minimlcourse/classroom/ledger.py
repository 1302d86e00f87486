"""The ledger of claims: what the course states, where it shows it, and a way to search in it."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets

#: The files of the ledger: one for each lesson, beside the package.
CLAIMS = Path(__file__).parents[2] / "claims"

DOCUMENTS = ("report", "slides", "lecture", "homework A", "homework B")
KINDS = ("definition", "theorem", "algorithm", "experiment", "number", "erratum")
SEVERITIES = ("A", "B", "C")

_IDENTIFIER = re.compile(r"[CEV][1-9]\d*")
_ONLY_ERRATA = ("wrong", "severity")


@dataclass(frozen=True)
class Claim:
    """A fact of the course.

    Attributes
    ----------
    identifier : str
        Such as "C18"; "E…" is an error of a source, "V…" what looks like one and is right.
    kind : str
        One of :data:`KINDS`.
    statement : str
        What holds, in a sentence or two that may contain LaTeX.
    source : str
        Document and place, such as "report §2.1.5"; several are separated by semicolons.
    lesson : str
        The lesson that shows it, by its two digits (and the letter of its page, "05b").
    anchor : str
        The heading in that lesson under which it is shown.
    wrong : str
        What is written, if the claim is an erratum; else empty.
    severity : str
        "A", "B" or "C" for an erratum; else empty.
    """

    identifier: str
    kind: str
    statement: str
    source: str
    lesson: str
    anchor: str
    wrong: str = ""
    severity: str = ""

    @property
    def documents(self) -> set[str]:
        """The documents that the claim is about."""
        return {_document(place) for place in self.source.split(";")}

    @property
    def order(self) -> tuple[str, int]:
        """What sorts E9 before E10."""
        return self.identifier[0], int(self.identifier[1:])


def read_claims(folder: Path = CLAIMS) -> list[Claim]:
    """Read the ledger.

    Parameters
    ----------
    folder : Path
        Where the files ``*.toml`` are.

    Returns
    -------
    list of Claim
        Sorted by their identifiers.

    Raises
    ------
    FileNotFoundError
        If there are no such files.
    ValueError
        If one does not follow ``claims/README.md``; the message names file and identifier.
    """
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise FileNotFoundError(f"read_claims: {folder} has no *.toml: the ledger is missing")
    claims: dict[str, Claim] = {}
    files: dict[str, str] = {}
    for path in paths:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path.name}: {error}") from None
        for identifier, table in tables.items():
            if identifier in files:
                raise ValueError(
                    f"{path.name}: [{identifier}] is in {files[identifier]} already: an identifier "
                    "stands in one file, and other lessons cite it"
                )
            files[identifier] = path.name
            claims[identifier] = _claim(f"{path.name}: [{identifier}]", identifier, table)
    return sorted(claims.values(), key=lambda claim: claim.order)


def _claim(place: str, identifier: str, table: Any) -> Claim:
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"{place}: an identifier is C, E or V and a number, such as C18")
    if not isinstance(table, dict):
        raise ValueError(f"{place} is {table!r}, expected a table of fields")
    is_erratum = identifier.startswith("E")
    needed = [field.name for field in fields(Claim) if field.name != "identifier"]
    if not is_erratum:
        needed = [name for name in needed if name not in _ONLY_ERRATA]
    for name in table:
        if name not in needed:
            raise ValueError(f"{place} has a field {name!r}, expected {', '.join(needed)}")
    for name in needed:
        if not isinstance(table.get(name), str) or not table[name].strip():
            raise ValueError(f"{place}: {name} is {table.get(name)!r}, expected some text")
    claim = Claim(identifier, **table)
    if claim.kind not in KINDS:
        raise ValueError(f"{place}: kind is {claim.kind!r}, expected one of {', '.join(KINDS)}")
    if is_erratum != (claim.kind == "erratum"):
        raise ValueError(f"{place}: kind is {claim.kind!r}; E… and no other is an erratum")
    if is_erratum and claim.severity not in SEVERITIES:
        raise ValueError(f"{place}: severity is {claim.severity!r}, expected A, B or C")
    if not re.fullmatch(r"\d\d[a-z]?", claim.lesson):
        raise ValueError(f"{place}: lesson is {claim.lesson!r}, expected two digits, such as '04'")
    if "" in claim.documents:
        raise ValueError(
            f"{place}: source is {claim.source!r}, expected one of {', '.join(DOCUMENTS)}, then "
            "the place, such as 'report §2.1.5'; a semicolon separates several"
        )
    return claim


def _document(place: str) -> str:
    """The document that a place is in; empty if none is named, or no place in it."""
    place = place.strip()
    return next((name for name in DOCUMENTS if place.startswith((f"{name} ", f"{name}, "))), "")


def select(
    claims: Iterable[Claim], *, document: str = "", lesson: str = "", words: str = ""
) -> list[Claim]:
    """Find the claims of a document, of a lesson, that contain some words; empty means any.

    Examples
    --------
    >>> claim = Claim("C3", "definition", "A graph without cycles.", "report §2.1", "04", "Graphs")
    >>> len(select([claim], document="report", words="Cycles graph"))
    1
    >>> select([claim], lesson="10")
    []
    """

    def text(claim: Claim) -> str:
        parts = (claim.identifier, claim.kind, claim.statement, claim.wrong, claim.source)
        return " ".join((*parts, claim.anchor)).casefold()

    return [
        claim
        for claim in claims
        if (not document or document in claim.documents)
        and (not lesson or lesson == claim.lesson)
        and all(word in text(claim) for word in words.casefold().split())
    ]


def as_html(claims: Sequence[Claim]) -> str:
    """The claims as an HTML table, what is wrong before what holds."""
    rows = []
    for claim in claims:
        statement = escape(claim.statement)
        if claim.wrong:
            written = f"<i>What is written:</i> {escape(claim.wrong)}"
            statement = f"{written}<br><i>What holds:</i> {statement}"
        cells = (
            f"<b>{claim.identifier}</b>",
            statement,
            escape(claim.source),
            f"lesson {claim.lesson}, {escape(claim.anchor)}",
        )
        style = "text-align:left;vertical-align:top;padding:0.4em 0.8em;white-space:normal"
        rows.append("".join(f'<td style="{style}">{cell}</td>' for cell in cells))
    return f'<table style="line-height:1.4">{"".join(f"<tr>{row}</tr>" for row in rows)}</table>'


class ClaimSearch:
    """Search in the ledger by lesson, document and words.

    Parameters
    ----------
    claims : sequence of Claim
        What to search in.

    Attributes
    ----------
    lesson, document : ipywidgets.Dropdown
        Their value is empty for all.
    words : ipywidgets.Text
        Every word must occur.
    found : ipywidgets.HTMLMath
        How many there are, and the table of them.

    Examples
    --------
    >>> ClaimSearch([])
    A search in the ledger: run this cell in JupyterLab. The tables below hold all of it.
    """

    def __init__(self, claims: Sequence[Claim]) -> None:
        self._claims = claims
        lessons = sorted({claim.lesson for claim in claims})
        documents = [name for name in DOCUMENTS if any(name in c.documents for c in claims)]
        self.lesson = ipywidgets.Dropdown(
            options=[("all", ""), *((number, number) for number in lessons)], description="lesson"
        )
        self.document = ipywidgets.Dropdown(
            options=[("all", ""), *((name, name) for name in documents)], description="document"
        )
        self.words = ipywidgets.Text(placeholder="broadcast gradient", description="words")
        self.found = ipywidgets.HTMLMath(layout={"max_height": "32em", "overflow": "auto"})
        controls = (self.lesson, self.document, self.words)
        for control in controls:
            control.observe(self._search, names="value")
        self._search()
        row = ipywidgets.HBox(controls, layout={"flex_flow": "row wrap"})
        self._page = ipywidgets.VBox([row, self.found])

    def __repr__(self) -> str:
        """What stands in for the widget on a page that does not run."""
        return (
            "A search in the ledger: run this cell in JupyterLab. The tables below hold all of it."
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """What a notebook shows."""
        return {**self._page._repr_mimebundle_(**kwargs), "text/plain": repr(self)}

    def _search(self, change: object = None) -> None:
        wanted = {name: getattr(self, name).value for name in ("lesson", "document", "words")}
        found = select(self._claims, **wanted)
        told = [f"{name}: {escape(value)}" for name, value in wanted.items() if value]
        count = f"{len(found)} of {len(self._claims)} claims"
        self.found.value = f"<p>{' · '.join([count, *told])}</p>{as_html(found)}"
