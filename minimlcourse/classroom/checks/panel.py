"""Points so far: a panel in the notebook, and a file beside it that outlives the session."""

import json
import os
import tempfile
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from minimlcourse.classroom.checks.exercise import Exercise, Verdict

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


class Panel(widgets.HTML):  # type: ignore[misc]  # ipywidgets has no types
    """The exercises of a notebook with their points, and which are solved.

    Parameters
    ----------
    exercises : iterable of Exercise
    folder : Path
        Where the record lies.
    """

    def __init__(self, exercises: Iterable[Exercise], folder: Path) -> None:
        super().__init__()
        self._exercises = sorted(exercises, key=lambda exercise: order(exercise.identifier))
        self._folder = folder
        self.refresh()

    def refresh(self) -> None:
        """Read the record again."""
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
            f'<table style="line-height:1.4">{rows}</table>'
        )

    def _row(self, exercise: Exercise, entries: dict[str, dict[str, Any]]) -> str:
        entry = entries.get(exercise.identifier, {"solved": False, "tries": 0})
        tries = entry["tries"]
        state = "solved" if entry["solved"] else "to do" if not tries else "not yet"
        count = f"{tries} tr{'y' if tries == 1 else 'ies'}" if tries else ""
        weight = "normal" if entry["solved"] else "bold"
        cells = (exercise.identifier, exercise.title, f"{exercise.points} p", state, count)
        return (
            f'<tr style="font-weight:{weight}">'
            + "".join(f'<td style="padding-right:1.5em">{escape(cell)}</td>' for cell in cells)
            + "</tr>"
        )

    def __repr__(self) -> str:
        """What stands on a page that does not run."""
        return f"The progress panel: {self._summary}."
