"""What a student may not read in the feedback: hidden tests and marking schemes."""

from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme
from traitlets import List


class HideTests(ClearHiddenTests, ClearMarkScheme):
    """Take out of a graded notebook what only the teacher may read.

    Autograding puts the teacher's cells back as they are in `solutions/`, hidden tests included,
    and a test that fails leaves a traceback that quotes them. The message of the failure stays: it
    is written for the student.

    Only the teacher's own cells are touched. nbgrader's ClearHiddenTests reads all cells, so that a
    student who writes ``### BEGIN HIDDEN TESTS`` into an answer would get no feedback at all.
    """

    # Given to everything that makes a page; without it here, nbgrader warns.
    display_data_priority = List().tag(config=True)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Clean one cell, in place."""
        if utils.is_task(cell):
            return ClearMarkScheme.preprocess_cell(self, cell, resources, cell_index)
        if utils.is_grade(cell) and not utils.is_solution(cell):
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    output.traceback = [f"{output.ename}: {output.evalue}"]
            return super().preprocess_cell(cell, resources, cell_index)
        return cell, resources
