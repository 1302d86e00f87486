"""What runs inside the sandbox, with the submission's cells in the same process.

It believes nothing to be secret here, and nothing that it says is believed: a submission may change
any of it, and so change what its own answers are, and no more.
"""

import builtins
import contextlib
import importlib
import io
import os
import resource
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import wire
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from minimlcourse import Tensor
from minimlcourse.classroom.checks.calling import AnswerError, call, is_stub

LIMIT = 1 << 26  # of one message, in bytes
MOST_TEXT = 1_000_000  # characters of output that are kept of a cell

outputs: list[dict[str, Any]] = []  # of the cell that runs


class TimeLimit(BaseException):
    """A cell, or a function that a test calls, takes too long."""


class Stream(io.TextIOBase):
    """What a cell prints goes to its outputs, up to a limit."""

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, text: str) -> int:
        if not text:
            return 0
        room = MOST_TEXT - sum(len(output.get("text", "")) for output in outputs[-1000:])
        if room > 0 and len(outputs) < 1000:
            if outputs and outputs[-1].get("name") == self.name:
                outputs[-1]["text"] += text[:room]
            else:
                outputs.append({"output_type": "stream", "name": self.name, "text": text[:room]})
        return len(text)


class Publisher(DisplayPublisher):
    """A figure that a cell shows goes to its outputs."""

    def publish(self, data: dict[str, Any], *arguments: Any, **options: Any) -> None:
        outputs.append({"output_type": "display_data", "data": data})


class Hook(DisplayHook):
    """The value of a cell's last line goes to its outputs."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        outputs.append({"output_type": "execute_result", "data": format_dict})


class Shell(InteractiveShell):
    """IPython without a terminal, a kernel or a memory."""

    displayhook_class = Type(Hook)
    display_pub_class = Type(Publisher)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        outputs.append(
            {
                "output_type": "error",
                "ename": etype.__name__,
                "evalue": str(evalue),
                "traceback": stb,
            }
        )

    def ask_exit(self) -> None:
        pass


@contextlib.contextmanager
def time_limit(seconds: float):
    """Raise TimeLimit after so many seconds, and again each second to whoever swallows it."""

    def ring(*_: Any) -> None:
        raise TimeLimit(f"more than {seconds:.0f} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run(shell: Shell, source: str, seconds: float) -> list[dict[str, Any]]:
    """Run a cell and return its outputs."""
    outputs.clear()
    process = os.getpid()
    try:
        with time_limit(seconds):
            shell.run_cell(source)
    except BaseException as error:  # the clock rang while IPython, not the cell, was at work
        shell._showtraceback(type(error), error, [])
    if os.getpid() != process:  # a copy that the cell has made of this process
        os._exit(0)
    return outputs


def serve_test(channel: socket.socket, shell: Shell, seconds: float) -> None:
    """Answer one test in a process of its own, so that what it does is gone with it."""
    try:
        child = os.fork()
    except OSError:  # the notebook has used up its processes
        wire.send(channel, {"ended": True})
        return
    if child == 0:
        os.setsid()
        try:
            wire.send(channel, {"ready": True})
            Test(channel, shell.user_ns).serve(seconds)
        finally:
            os._exit(0)
    end = time.monotonic() + seconds + 2
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.003)
    wire.send(channel, {"ended": True})


class Test:
    """The names of the notebook as a test may ask for them."""

    def __init__(self, channel: socket.socket, names: dict[str, Any]) -> None:
        self.channel = channel
        self.names = names
        self.functions: list[Any] = []

    def serve(self, seconds: float) -> None:
        with time_limit(seconds):
            while True:
                request = wire.receive(self.channel, LIMIT)
                if request["do"] == "end":
                    return
                wire.send(self.channel, self.answer(request))

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            if request["do"] == "names":
                known = [name for name in request["names"] if name in self.names]
                return {"values": {name: self.describe(self.names[name]) for name in known}}
            arguments = [self.decode(argument) for argument in request["arguments"]]
            return {"value": self.encode(call(self.functions[request["function"]], arguments))}
        except AnswerError as error:
            return {"error": [error.kind, error.message, error.line]}
        except BaseException as error:
            return {"error": [type(error).__name__, str(error), ""]}

    def describe(self, value: Any) -> Any:
        try:
            return self.encode(value)
        except Exception:  # one strange value is no reason to withhold the others
            return {"object": type(value).__name__}

    def encode(self, value: Any) -> Any:
        return wire.encode(value, self.encode_other)

    def encode_other(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Tensor):
            return {"tensor": self.encode(value.numpy())}
        if not callable(value):
            return {"object": type(value).__name__}
        self.functions.append(value)
        name = getattr(value, "__name__", type(value).__name__)
        return {"function": len(self.functions) - 1, "name": name, "stub": is_stub(value)}

    def decode(self, data: Any) -> Any:
        return wire.decode(data, self.decode_other)

    def decode_other(self, data: dict[str, Any]) -> Any:
        match data:
            case {"tensor": array}:
                return Tensor(self.decode(array))
            case {"function": int(number)}:
                return self.functions[number]
            case {"module": module, "name": name}:
                return getattr(importlib.import_module(module), name)
            case {"generator": state}:
                rng = np.random.default_rng()
                rng.bit_generator.state = {
                    **state,
                    "state": {k: int(v) for k, v in state["state"].items()},
                }
                return rng
        raise ValueError("not plain data")


def no_input(prompt: str = "") -> str:
    """Stand for input()."""
    raise RuntimeError("nobody is there to answer input() while a notebook is graded")


def prepare(settings: dict[str, Any]) -> None:
    """Limit this process, leave the teacher's account if that is root, and go to the files."""
    for name, value in settings["limits"].items():
        with contextlib.suppress(ValueError, OSError, AttributeError):  # not every system has each
            resource.setrlimit(getattr(resource, name), (value, value))
    shutil.copytree(settings["files"], settings["home"], dirs_exist_ok=True)
    os.chdir(settings["home"])
    if settings["user"] is not None:
        for path in [Path(), *Path().rglob("*")]:
            os.chown(path, settings["user"], settings["user"])
        os.setgroups([])
        os.setgid(settings["user"])
        os.setuid(settings["user"])


def main() -> None:
    """Serve whoever holds the other end of standard input."""
    channel = socket.socket(fileno=os.dup(0))
    prepare(wire.receive(channel, LIMIT))
    config = Config()
    config.HistoryManager.enabled = False
    shell = Shell.instance(config=config)
    builtins.input = no_input
    sys.path[0] = ""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # so far, complaints went to whoever started the sandbox
        os.dup2(nowhere, descriptor)
    sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")
    wire.send(channel, {"ready": True})
    while True:
        request = wire.receive(channel, LIMIT)
        if request["do"] == "run":
            wire.send(channel, {"outputs": run(shell, request["source"], request["seconds"])})
        elif request["do"] == "test":
            serve_test(channel, shell, request["seconds"])
        # all else was for a test whose process is no more, and it has been told so


if __name__ == "__main__":
    main()
