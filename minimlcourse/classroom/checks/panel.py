"""Points so far: a panel in the notebook, and a file beside it that outlives the session."""

import json
import os
import tempfile
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from IPython import get_ipython
from IPython.display import DisplayHandle

from minimlcourse.classroom.checks.exercise import Exercise, Verdict
from minimlcourse.classroom.style import COLORS

__all__ = ["FILE", "Panel", "load", "record"]

#: In the folder of the notebook.
FILE = "progress.json"


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """What is recorded in a folder, by exercise: whether it is solved, and the number of tries.

    A file that cannot be read counts as empty: points are earned again by running the notebook.
    """
    try:
        entries = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {
            str(key): {"solved": bool(entry["solved"]), "tries": int(entry["tries"])}
            for key, entry in entries.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def record(verdict: Verdict, folder: Path) -> None:
    """Write a verdict down, whole or not at all.

    An exercise counts as solved if the last answer to it was right. One that is not answered is
    not a try. A folder that cannot be written to keeps no record.
    """
    entries = load(folder)
    identifier = verdict.exercise.identifier
    tries = entries.get(identifier, {"tries": 0})["tries"]
    entries[identifier] = {"solved": verdict.passed, "tries": tries + verdict.answered}
    text = json.dumps(dict(sorted(entries.items(), key=lambda entry: order(entry[0]))), indent=1)
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=FILE)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(temporary, folder / FILE)
    except OSError:
        return


def order(identifier: str) -> tuple[int, ...]:
    """The key that puts 05.10 after 05.9."""
    return tuple(int(part) for part in identifier.split("."))


class Panel:
    """The exercises of a notebook with their points, and which are solved.

    Parameters
    ----------
    exercises : iterable of Exercise
    folder : Path
        Where the record lies.

    Attributes
    ----------
    value : str
        What is shown, as HTML.
    """

    _latest: "ClassVar[Panel | None]" = None

    def __init__(self, exercises: Iterable[Exercise], folder: Path) -> None:
        self._exercises = sorted(exercises, key=lambda exercise: order(exercise.identifier))
        self._folder = folder
        self._handle = DisplayHandle()
        self._shown_on = ""
        self.refresh()

    def refresh(self) -> None:
        """Read the record again, and show it where the panel is shown."""
        entries = load(self._folder)
        solved = {key for key, entry in entries.items() if entry["solved"]}
        points = sum(e.points for e in self._exercises if e.identifier in solved)
        total = sum(e.points for e in self._exercises)
        self._summary = f"{points} of {total} points"
        rows = "".join(self._row(exercise, entries) for exercise in self._exercises)
        self.value = (
            f"<b>{self._summary}</b>"
            f'<progress value="{points}" max="{total}" style="width:16em;margin-left:1em"'
            f' aria-label="{self._summary}"></progress>'
            f'<table style="margin:.5em 0;line-height:1.4">{rows}</table>'
        )
        if not (here := page()):
            return
        if here == self._shown_on:
            self._handle.update(self._data(), raw=True)
        elif self is Panel._latest:  # shown, and then the page was loaded again
            self._ipython_display_()

    def _row(self, exercise: Exercise, entries: dict[str, dict[str, Any]]) -> str:
        entry = entries.get(exercise.identifier, {"solved": False, "tries": 0})
        tries = entry["tries"]
        if entry["solved"]:
            state, color = "solved", COLORS["green"]
        elif tries:
            state, color = "not yet", COLORS["vermilion"]
        else:
            state, color = "to do", COLORS["grey"]
        count = f"{tries} tr{'y' if tries == 1 else 'ies'}" if tries else ""
        cells = (
            _cell(exercise.identifier),
            _cell(exercise.title),
            _cell(f"{exercise.points} p"),
            _cell(state, f"border-left:4px solid {color};"),
            _cell(count),
        )
        return f"<tr>{''.join(cells)}</tr>"

    def _data(self) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.value}

    def _ipython_display_(self) -> None:
        """Show it as HTML: of a widget, a saved notebook keeps nothing that it could show again.

        A teacher marks a notebook where there is no record: no panel is better than one of zeros.
        """
        if os.environ.get("NBGRADER_EXECUTION"):
            return
        Panel._latest = self
        self._shown_on = page()
        self._handle.display(self._data(), raw=True)

    def __repr__(self) -> str:
        """What stands where there is no HTML."""
        return f"The progress panel: {self._summary}."


def _cell(text: str, style: str = "") -> str:
    return f'<td style="{style}text-align:left;padding:.15em 1em">{escape(text)}</td>'


def page() -> str:
    """Which page of a browser asked for what runs; nothing where it is none.

    It is another one when the notebook has been loaded again, though its kernel goes on. Outputs of
    the page before cannot be changed.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    request = (kernel and kernel.get_parent()) or {}
    return str(request.get("header", {}).get("session", ""))
