"""What a student may not read in the feedback, and what may not run in the browser of a reader."""

import html
import re
from typing import Any

import bleach
import jinja2
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
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


#: What a text may be made of: Markdown's own elements, and those of our hints.
TAGS = frozenset(
    "a abbr b blockquote br code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 "
    "hr i img kbd li ol p pre s small span strong sub summary sup table tbody td th thead tr "
    "ul".split()
)
PROTOCOLS = ("http", "https", "mailto", "data")  # the last one for pictures alone
# bleach takes `javascript:1` for a machine and its port.
LINK = re.compile(r"https?:|mailto:|[^:]*\Z")


@jinja2.pass_context
def safe_markdown(context: jinja2.runtime.Context, source: str) -> str:
    """Make HTML from Markdown, without what would run in the browser of whoever reads it.

    That reader is also the teacher, in the Formgrader, whose pages may start programs. nbconvert's
    own filter of the name ``markdown2html``, which this replaces, lets every script through.
    """
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = IPythonRenderer(escape=False, attachments=attachments)
    page = MarkdownWithMath(renderer=renderer).render(source)
    return bleach.clean(page, tags=TAGS, attributes=_may_stand, protocols=PROTOCOLS)


def _may_stand(tag: str, attribute: str, value: str) -> bool:
    """Whether an attribute may stay."""
    if tag == "img" and attribute == "src":
        return value.startswith("data:image/")  # another one would tell its server who reads
    if tag == "a" and attribute == "href":
        return bool(LINK.match(html.unescape(value)))
    return attribute in ("class", "id", "title", "alt", "align", "colspan", "rowspan", "width")
