"""What makes the folder a course of nbgrader: docs/teaching.md shows the way to marks."""

import os
import sys
import warnings
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbgrader import preprocessors
from sqlalchemy.exc import SAWarning

# What nbgrader needs, it finds wherever it is started, in an activated environment or not: our own
# tools, and the programs beside it that it calls by name.
sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
from feedback import HideTests, safe_markdown
from grader import Admit, Judge, leave_out_pipes

warnings.simplefilter("ignore", SAWarning)  # nbgrader's own, a screenful for each new submission

c = get_config()  # noqa: F821  (nbgrader defines it)

# ---- the folders

c.CourseDirectory.course_id = "minimlcourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.ignore.append("progress.json")  # what somebody has solved, in any folder

# ---- from a solution to an exercise

# A whole statement: an exercise that nobody has touched runs without an error.
c.ClearSolutions.code_stub = {"python": "# your answer here\npass"}
c.ClearSolutions.text_stub = "*Your answer here, in place of this line.*"
# `exercises/` is kept in git, so it is always there: making it again is how the gradebook learns of
# an assignment, and changes no byte (`make exercises` makes the same).
c.GenerateAssignment.force = True

# ---- how a submission is run

# tools/grader: a submission is put in order before nbgrader reads it (in place of DeduplicateIds,
# after which one damaged cell stops the batch), then runs in a sandbox and is judged outside of it.
c.Autograde.pre_convert_hook = leave_out_pipes
c.Autograde.sanitize_preprocessors = [
    preprocessors.ClearOutput,
    Admit,
    preprocessors.OverwriteKernelspec,
    preprocessors.OverwriteCells,
    preprocessors.CheckCellMetadata,
]
RUN = Judge
c.Autograde.autograde_preprocessors = [
    RUN,
    preprocessors.IgnorePattern,
    ClearMetadataPreprocessor,
    preprocessors.LimitOutput,
    preprocessors.SaveAutoGrades,
    preprocessors.AssignLatePenalties,
    preprocessors.CheckCellMetadata,
]

# ---- what a student gets back

# nbgrader's own list would show the hidden tests.
c.GenerateFeedback.preprocessors = [
    preprocessors.GetGrades,
    HideTests,
    CSSHTMLHeaderPreprocessor,
]

# Nor what would run in a browser, the teacher's among them: the Formgrader reads this, too.
c.HTMLExporter.filters = {"markdown2html": safe_markdown}
