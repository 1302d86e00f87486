"""Two steps of nbgrader's autograder: what is handed in is put in order, then run and judged.

A test cell is the teacher's code, taken from the gradebook, and is run here, in nbgrader's own
process; all other cells are run in the sandbox, which never sees a test. So whatever a submission
does to Python, NumPy or `check`, it does to itself.
"""

import ast
import builtins
import contextlib
import io
import re
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from nbgrader.api import Gradebook, Notebook
from nbgrader.nbgraderformat import SCHEMA_VERSION
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float, Int
from traitlets.log import get_logger

import minimlcourse
from minimlcourse.classroom.checks import AnswerError, check, judge

from .remote import Session, clean
from .sandbox import Sandbox, Stopped, why_not_confined

#: What a test may use without an import, whatever the notebook calls by these names.
TRUSTED = {"check": check, "judge": judge, "np": np, "numpy": np, "minimlcourse": minimlcourse}


class Admit(NbGraderPreprocessor):
    """Put back what the gradebook knows of each cell, whatever the submission says of it.

    Then a cell with an unknown or repeated identifier is an ordinary one, a cell that was damaged
    is whole again, and a test that was taken out stands at the end. All other metadata are dropped.
    A submission that is, or has beside it, a link to another file is refused.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Put one notebook in order."""
        folder = Path(resources["metadata"]["path"])
        links = [path.name for path in [folder, *folder.rglob("*")] if path.is_symlink()]
        if links:
            raise ValueError(f"refused: {links[0]} is a link to another file, not the file itself")
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            known = cells_of(gradebook.find_notebook(about["notebook"], about["assignment"]))
        found = set()
        nb.metadata = NotebookNode()
        for cell in reversed(nb.cells):  # of two with one identifier, the later one counts
            said = cell.metadata.get("nbgrader")
            cell.metadata = NotebookNode()
            name = said.get("grade_id") if isinstance(said, dict) else None
            if isinstance(name, str) and name in known and name not in found:
                found.add(name)
                cell.metadata.nbgrader = NotebookNode(known[name]["metadata"])
                if known[name]["metadata"]["locked"]:  # or nbgrader warns of each hidden test
                    cell.source = known[name]["source"]
            elif said:
                self.log.warning("The submission calls a cell %r: taken for an ordinary one", name)
        for name in known.keys() - found:
            self.log.warning("The submission has no cell %r", name)
            if known[name]["is_test"]:
                metadata = {"nbgrader": known[name]["metadata"]}
                nb.cells.append(new_code_cell(known[name]["source"], metadata=metadata))
        return nb, resources


def leave_out_pipes(notebooks: list[str], **_: Any) -> None:
    """Take what is no file from the notebooks to be marked: reading a pipe would never end."""
    for path in [path for path in notebooks if not Path(path).is_file()]:
        get_logger().error("refused: %s is not a file", path)
        notebooks.remove(path)


class Judge(NbGraderPreprocessor):
    """Run a notebook in a sandbox and judge its answers here."""

    cell_seconds = Float(60, help="time for a cell, and for all answers to a test").tag(config=True)
    total_seconds = Float(600, help="time for one notebook").tag(config=True)
    memory_bytes = Int(4 << 30, help="memory for one notebook").tag(config=True)
    output_characters = Int(20_000, help="how much of a cell's output is kept").tag(config=True)
    output_bytes = Int(2_000_000, help="how much of a cell's pictures is kept").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Run and judge one notebook."""
        if why_not_confined():
            self.log.warning("Submissions can read your files: %s", why_not_confined())
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            known = cells_of(gradebook.find_notebook(about["notebook"], about["assignment"]))
        folder = Path(resources["metadata"]["path"])
        with Sandbox(folder, self.total_seconds, self.memory_bytes) as sandbox:
            for count, cell in enumerate((c for c in nb.cells if c.cell_type == "code"), start=1):
                cell.execution_count = count
                name = cell.metadata.get("nbgrader", {}).get("grade_id")
                if name in known and known[name]["is_test"]:
                    cell.outputs = self._judge(known[name]["source"], sandbox)
                else:
                    cell.outputs = self._run(cell, sandbox)
        return nb, resources

    def _run(self, cell: NotebookNode, sandbox: Sandbox) -> list[NotebookNode]:
        request = {"do": "run", "source": cell.source, "seconds": self.cell_seconds}
        try:
            outputs = sandbox.ask(request, self.cell_seconds).get("outputs")
        except Stopped as error:
            return [failure("NotebookStopped", f"This notebook was stopped: {error}.")]
        return self._keep(outputs if isinstance(outputs, list) else [])

    def _judge(self, source: str, sandbox: Sandbox) -> list[NotebookNode]:
        """Nothing if the test passes; else one error, with a message and no more."""
        try:
            with Session(sandbox, self.cell_seconds) as session:
                run_test(source, session)
        except Stopped as error:
            said = f"Not judged, since the notebook was stopped before: {error}."
            return [failure("NotebookStopped", said)]
        except AnswerError as error:
            return [failure("AnswerError", str(error))]
        except AssertionError as error:
            return [failure("AssertionError", str(error) or "A test did not pass.")]
        except NameError as error:
            return [failure("NameError", f"{error.name} is not defined.")]
        except Exception as error:  # a test that did not foresee this answer, or is itself wrong
            self.log.error("A test failed in an unforeseen way:\n%s", traceback.format_exc())
            said = f"The test could not use this answer ({type(error).__name__})."
            return [failure("AssertionError", said)]
        return []

    def _keep(self, outputs: list[Any]) -> list[NotebookNode]:
        """What may be shown of a cell's outputs: text and pictures, and not too much of them.

        HTML and JavaScript are left out, since they would run in the teacher's browser.
        """
        kept: list[NotebookNode] = []
        room, picture_room = self.output_characters, self.output_bytes
        for output in outputs[:1000]:
            match output:
                case {"output_type": "stream", "name": "stdout" | "stderr" as name, "text": text}:
                    shown = new_output("stream", name=name, text=clean(str(text), room))
                    room -= len(shown.text)
                case {"output_type": "error", "ename": name, "evalue": text, "traceback": trace}:
                    lines = "\n".join(map(str, trace)) if isinstance(trace, list) else ""
                    shown = failure(clean(str(name), 60), str(text))
                    shown.traceback = [clean(lines, room)]
                    room -= len(lines)
                case {"output_type": "display_data" | "execute_result", "data": dict(data)}:
                    text = clean(str(data.get("text/plain", "")), room)
                    shown = new_output("display_data", data={"text/plain": text})
                    picture = str(data.get("image/png", ""))
                    if len(picture) <= picture_room and is_png(picture):
                        shown.data["image/png"] = picture
                        picture_room -= len(picture)
                    room -= len(text)
                case _:
                    continue
            kept.append(shown)
            if room <= 0:
                kept.append(new_output("stream", name="stdout", text="[the rest is left out]\n"))
                break
        return kept


def cells_of(notebook: Notebook) -> dict[str, dict[str, Any]]:
    """What the gradebook knows of the cells of an assignment's notebook, by their identifiers."""
    points = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
    graded = {cell.name for cell in notebook.grade_cells}
    solutions = {cell.name for cell in notebook.solution_cells}
    tasks = {cell.name for cell in notebook.task_cells}
    known = {}
    for cell in notebook.source_cells:
        name = cell.name
        metadata = {
            "grade_id": name,
            "grade": name in graded,
            "solution": name in solutions,
            "task": name in tasks,
            "locked": cell.locked,
            "cell_type": cell.cell_type,
            "checksum": cell.checksum,
            "schema_version": SCHEMA_VERSION,
        }
        if name in points:
            metadata["points"] = points[name]
        is_test = name in graded and name not in solutions and cell.cell_type == "code"
        known[name] = {"metadata": metadata, "source": cell.source, "is_test": is_test}
    return known


def run_test(source: str, session: Session) -> None:
    """Run a teacher's test, with the names that it does not define taken from the submission."""
    read = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    wanted = sorted(read - TRUSTED.keys() - set(dir(builtins)))
    names = {**session.names(wanted), **TRUSTED, "__name__": "__main__"}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        exec(compile(source, "<test>", "exec"), names)


def failure(name: str, message: str) -> NotebookNode:
    """An error as the output of a cell."""
    message = clean(message, 4000)
    return new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])


def is_png(text: str) -> bool:
    """Whether this is a picture in the letters of base64, and nothing else."""
    return text.startswith("iVBORw0KGgo") and bool(re.fullmatch(r"[A-Za-z0-9+/\n]*=*\n?", text))
