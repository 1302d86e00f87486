"""A class with many attackers is graded by nbgrader: everyone gets the marks that are deserved."""

import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import psutil
import pytest
from course import NAME, POINTS, SECRETS, Course, copy_of
from grader.sandbox import why_not_confined
from submissions import HONEST, REFUSED, attackers

pytestmark = pytest.mark.skipif(
    bool(why_not_confined()), reason=f"submissions are not confined here: {why_not_confined()}"
)

STUDENTS = {**HONEST, **attackers(0)}


@dataclass
class Graded:
    """The class after grading."""

    course: Course
    honest: Course
    log: str
    before: dict
    after: dict
    connections: int
    processes: set
    scratch: set


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grade the whole class, and beside it the honest ones alone."""
    course = Course(tmp_path_factory.mktemp("grading") / "class")
    honest = copy_of(course, course.folder.parent / "honest")
    with socket.create_server(("127.0.0.1", 0)) as server:
        everyone = {**HONEST, **attackers(server.getsockname()[1])}
        for name, student in everyone.items():
            course.hand_in(name, student.make)
        for name, student in HONEST.items():
            honest.hand_in(name, student.make)
        before, old = course.files(), sandboxes()
        with ThreadPoolExecutor() as both:
            logs = both.map(lambda one: one.run("autograde", NAME), (course, honest))
            log = next(logs)
        server.setblocking(False)
        connections = 0
        try:
            server.accept()
            connections = 1
        except BlockingIOError:
            pass
    left = {
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if is_left_over(process.info["cmdline"] or [])
    }
    after = course.files()
    scratch = sandboxes() - old
    course.run("generate_feedback", NAME)
    return Graded(course, honest, log, before, after, connections, left, scratch)


def is_left_over(command):
    """Whether this is a sandbox, or what a submission has started in one."""
    is_sandbox = command[1:2] == ["-s"] and command[2].endswith("grader/worker.py")
    return is_sandbox or any("98765" in argument for argument in command)


def sandboxes():
    return set(Path(tempfile.gettempdir()).glob("grading-*"))


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.mark.parametrize("name", STUDENTS)
def test_marks_are_those_deserved(graded, name):
    student = STUDENTS[name]
    if student.marks is REFUSED:
        assert f"error processing assignment '{NAME}' for student '{name}'" in graded.log
        assert set(graded.course.marks(name).values()) <= {None}
    elif name == "missing":
        assert f"submitted/missing/{NAME}/*.ipynb'" in graded.log
    else:
        told = "\n".join(map(str, outputs(graded.course.graded(name))))
        assert graded.course.marks(name) == student.marks, told
        assert all(text in told for text in student.told), told


def test_the_honest_are_graded_as_if_they_were_alone(graded):
    together, alone = graded.course.exported(), graded.honest.exported()
    assert alone == {name: together[name] for name in HONEST}
    for name, student in HONEST.items():
        assert together[name] == sum(student.marks.values())
        assert outputs(graded.course.graded(name)) == outputs(graded.honest.graded(name))


def test_nobody_has_more_points_than_there_are(graded):
    assert max(graded.course.exported().values()) <= sum(POINTS.values())


class Reader(HTMLParser):
    """What of a page would do something of a submission's own: its elements and attributes."""

    def __init__(self):
        super().__init__()
        self.inside, self.found = "", []

    def handle_starttag(self, tag, attributes):
        self.inside = tag
        self.found += [(tag, *pair) for pair in attributes if "pwned" in (pair[1] or "")]

    def handle_data(self, data):
        if self.inside == "script" and "pwned" in data:
            self.found.append(data)


def runs_in_a_browser(page):
    """Return what is left of what students have smuggled in, but names and the data of pictures."""
    reader = Reader()
    reader.feed(page)
    return [
        one
        for one in reader.found
        if one[1] not in ("class", "id") and one[:2] != ("img", "src")  # pictures run nothing
    ]


@pytest.mark.parametrize("name", [name for name in STUDENTS if STUDENTS[name].marks])
def test_feedback_tells_no_secret_and_runs_no_script(graded, name):
    page = graded.course.feedback(name)
    assert not [secret for secret in SECRETS if secret in page]
    assert "LOOT" not in "".join(str(one) for one in outputs(graded.course.graded(name)))
    assert runs_in_a_browser(page) == []
    assert len(page) < 3_000_000


@pytest.mark.parametrize("name", [name for name in STUDENTS if STUDENTS[name].marks])
def test_a_failed_test_shows_its_message_and_no_more(graded, name):
    """Neither the test's source nor what it computed with."""
    for cell in graded.course.graded(name).cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") in POINTS:
            for output in cell.outputs:
                assert output.output_type == "error"
                assert output.traceback == [f"{output.ename}: {output.evalue}"]
                assert len(output.evalue) < 5000


def test_no_file_is_changed_or_left_behind(graded):
    assert graded.after == graded.before
    assert not [path for path in graded.course.folder.rglob("*vandal*") if path.is_file()]
    assert graded.scratch == set()


def test_no_process_is_left_behind(graded):
    assert graded.processes == set()


def test_no_connection_is_made(graded):
    assert graded.connections == 0


def test_those_who_are_not_refused_are_all_in_the_gradebook(graded):
    assert graded.course.exported().keys() >= {n for n in STUDENTS if STUDENTS[n].marks}
