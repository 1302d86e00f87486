"""What holds of a sandbox, with bubblewrap and without."""

import time

import numpy as np
import psutil
import pytest
from grader import sandbox as module
from grader.judging import run_test
from grader.remote import Session
from grader.sandbox import Sandbox, Stopped

from minimlcourse import Tensor
from minimlcourse.classroom.checks import AnswerError

MEMORY = 1 << 30


@pytest.fixture(params=["confined", "limits alone"])
def sandbox(request, tmp_path, monkeypatch):
    if request.param == "limits alone":
        monkeypatch.setattr(module, "why_not_confined", lambda: "as if it were not installed")
    elif module.why_not_confined():
        pytest.skip(module.why_not_confined())
    (tmp_path / "data.txt").write_text("42")
    (tmp_path / "notebook.ipynb").write_text("not to be seen")
    (tmp_path / "link").symlink_to("/etc/hostname")
    with Sandbox(tmp_path, total_seconds=40, memory_bytes=MEMORY) as one:
        yield one


def run(sandbox, source, seconds=5.0):
    """What a cell prints, or the name of its error."""
    outputs = sandbox.ask({"do": "run", "source": source, "seconds": seconds}, seconds)["outputs"]
    return "".join(output.get("text") or output.get("ename", "") for output in outputs).strip()


def test_a_submission_has_its_own_files_and_no_others_of_the_teacher(sandbox, monkeypatch):
    assert run(sandbox, "import os; print(sorted(os.listdir()), open('data.txt').read())") == (
        "['data.txt'] 42"
    )
    assert "PYTEST_CURRENT_TEST" not in run(sandbox, "print(dict(os.environ))")
    assert run(sandbox, "open('new.txt', 'w').write('yes'); print(open('new.txt').read())") == "yes"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("bytearray(1 << 34)", "MemoryError"),
        ("open('big', 'wb').truncate(1 << 34)", "OSError"),
        ("while True: pass", "TimeLimit"),
        ("input()", "RuntimeError"),
        ("[open('data.txt') for _ in range(1000)]", "OSError"),
    ],
)
def test_limits(sandbox, source, error):
    assert run(sandbox, source, seconds=1) == error
    assert run(sandbox, "print('goes on')") == "goes on"


def sleepers():
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "98764"]]


def test_all_processes_end_with_it(sandbox):
    code = (
        "from subprocess import Popen\nPopen(['sleep', '98764'], start_new_session=True)\nprint(1)"
    )
    assert run(sandbox, code, seconds=30) == "1"
    end = time.monotonic() + 10  # a busy machine may take a while to start it
    while not sleepers() and time.monotonic() < end:
        time.sleep(0.05)
    assert sleepers()
    sandbox.close()
    assert not sleepers()


def test_what_is_stopped_stays_so(sandbox):
    with pytest.raises(Stopped, match="its process ended"):
        run(sandbox, "import os\nos._exit(0)")
    with pytest.raises(Stopped, match="its process ended"):
        run(sandbox, "print('again')")


def test_time_for_all_is_limited(sandbox):
    sandbox.end = time.monotonic() + 1
    with pytest.raises(Stopped, match="all of the time"):
        run(sandbox, "import time\ntime.sleep(30)", seconds=30)


ANSWERS = """
import numpy as np
from minimlcourse import Tensor
seen = []
number, names, array, unset = 3, {"a": (1.5, None)}, np.arange(6.0).reshape(2, 3), ...
def double(x):
    seen.append(x)
    return 2 * x
def count(): return len(seen)
def apply(f, x): return f(x)
def power(n): return lambda x: x**n
def draw(rng): return rng.normal(size=3)
def stub(x):
    "Nothing yet."
    ...
def wrong(x):
    y = x + 1
    return y / 0
def change(x): x[0] = 7
def leave(): raise SystemExit
class Thing: pass
thing = Thing()
loop = []; loop.append(loop)
"""


def test_a_test_uses_the_names_of_the_notebook(sandbox):
    run(sandbox, ANSWERS)
    source = """
assert number == 3 and names == {"a": (1.5, None)} and unset is ...
assert array.shape == (2, 3) and array.dtype == float
assert np.array_equal(double(array), 2 * array) and double(np.float32(2)) == 4
assert isinstance(double(Tensor([1.0])), Tensor)
assert count() == 3
assert apply(np.tanh, 0.5) == np.tanh(0.5) and apply(np.max, array) == 5
assert apply(double, 4) == 8 and power(3)(2) == 8
assert np.array_equal(draw(np.random.default_rng(5)), np.random.default_rng(5).normal(size=3))
assert stub.__code__.co_name == "_unanswered"
assert type(thing).__name__ == "Thing" and repr(thing) == "<Thing>"
"""
    for _ in range(2):  # the second test finds nothing that the first one has left
        with Session(sandbox, 5) as session:
            run_test("from minimlcourse import Tensor\n" + source, session)
    assert run(sandbox, "print(len(seen))") == "0"


def test_what_an_answer_raises_is_told(sandbox):
    run(sandbox, ANSWERS)
    with Session(sandbox, 5) as session:
        names = session.names(["wrong", "change", "leave", "loop_of", "double"])
        assert names.keys() == {"wrong", "change", "leave", "double"}
        with pytest.raises(AnswerError) as error:
            names["wrong"](1)
        assert (error.value.kind, error.value.line) == ("ZeroDivisionError", "return y / 0")
        with pytest.raises(AnswerError, match="in place"):
            names["change"](np.zeros(2))
        with pytest.raises(AnswerError, match="SystemExit"):
            names["leave"]()
        with pytest.raises(TypeError, match="it is not plain data"):
            names["double"](object())
        assert names["double"](2) == 4
        assert type(session.names(["loop"])["loop"]).__name__ == "list"
    with Session(sandbox, 5) as session, pytest.raises(NameError, match="nowhere"):
        run_test("nowhere(3)", session)


def test_a_test_that_is_not_answered_in_time_ends_alone(sandbox):
    run(sandbox, "def slow():\n    while True: pass\ndef quick(): return 1")
    run(sandbox, "def stubborn():\n  while True:\n    try: slow()\n    except BaseException: pass")
    for name, reason in (("slow", "TimeLimit"), ("stubborn", "Ended")):
        with Session(sandbox, 1) as session, pytest.raises(AnswerError, match=reason):
            run_test(f"{name}()", session)
        with Session(sandbox, 1) as session:
            run_test("assert quick() == 1", session)


def test_tensors_come_as_tensors(sandbox):
    run(sandbox, ANSWERS)
    with Session(sandbox, 5) as session:
        value = session.names(["double"])["double"](Tensor([1.0, 2.0]))
    assert isinstance(value, Tensor)
    assert value.numpy().tolist() == [2.0, 4.0]
