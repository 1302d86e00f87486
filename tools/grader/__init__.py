"""Grading without trust: submissions run in a sandbox and are judged outside of it.

`sandbox` holds the process in which a submission runs, `worker` is what runs in there, `wire` the
plain data that pass between the two, `remote` the student's functions as a test sees them, and
`judging` what nbgrader is given.
"""

from .judging import Admit, Judge, leave_out_pipes

__all__ = ["Admit", "Judge", "leave_out_pipes"]
