"""Grading without trust: submissions run in a sandbox and are judged outside of it.

`sandbox` holds the process in which a submission runs, `worker` is what runs in there, `wire` the
plain data that pass between the two, `remote` the student's functions as a test sees them, and
`judging` the two preprocessors that nbgrader is given.
"""

from .judging import Admit, Judge

__all__ = ["Admit", "Judge"]
