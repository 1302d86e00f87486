"""The names of a submission, as a test in the judge's own process may use them.

A function of the student is a `RemoteFunction` here: calling it sends plain data into the sandbox
and brings plain data back. Nothing of the student's code is ever run on this side.
"""

import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from minimlcourse import Tensor
from minimlcourse.classroom.checks import AnswerError

from . import wire
from .sandbox import Sandbox, Stopped


class Session:
    """One test's view of the notebook: a copy of its process, which ends with the test."""

    def __init__(self, sandbox: Sandbox, seconds: float) -> None:
        self.sandbox = sandbox
        self.seconds = seconds
        self.ended = False

    def __enter__(self) -> "Session":
        if not self.sandbox.ask({"do": "test", "seconds": self.seconds}, self.seconds).get("ready"):
            self.ended = True
        return self

    def __exit__(self, *_: object) -> None:
        if not self.ended and not self.sandbox.stopped:
            try:
                self.sandbox.ask({"do": "end"}, self.seconds)
            except Stopped:
                pass  # the next cell is told

    def names(self, wanted: Sequence[str]) -> dict[str, Any]:
        """The values of those of these names that the notebook has."""
        values = self._ask({"do": "names", "names": wanted}).get("values")
        if not isinstance(values, dict):
            raise AnswerError("Ended", "the notebook's process does not answer as it should")
        return {name: self._decode(values[name]) for name in wanted if name in values}

    def call(self, function: int, arguments: tuple[Any, ...]) -> Any:
        """Call a function of the student, by its number."""
        data = [wire.encode(argument, self._encode_other) for argument in arguments]
        reply = self._ask({"do": "call", "function": function, "arguments": data})
        match reply:
            case {"error": [str(kind), str(message), str(line)]}:
                raise AnswerError(clean(kind, 60), clean(message, 600), clean(line, 200))
            case {"value": value}:
                return self._decode(value)
        raise AnswerError("Ended", "the notebook's process does not answer as it should")

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.ended:
            raise AnswerError("Ended", "it has ended its own process, or was killed")
        try:
            reply = self.sandbox.ask(request, self.seconds)
        except Stopped as error:
            raise AnswerError("Ended", str(error)) from None
        if reply.get("ended"):
            self.ended = True
            raise AnswerError(
                "Ended", f"it ended its own process, or took more than {self.seconds:.0f} s"
            )
        return reply

    def _decode(self, data: Any) -> Any:
        try:
            return wire.decode(data, self._decode_other)
        except (ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
            raise AnswerError(
                "NotPlainData", f"what it returns cannot be judged: {clean(str(error), 200)}"
            ) from None

    def _decode_other(self, data: dict[str, Any]) -> Any:
        match data:
            case {"function": int(), "stub": True}:
                return _unanswered
            case {"function": int(number), "name": str(name)}:
                return RemoteFunction(self, number, _name(name))
            case {"tensor": array}:
                return Tensor(self._decode(array))
            case {"object": str(name)}:
                name = _name(name)
                return type(name, (), {"__repr__": lambda self: f"<{name}>"})()
        raise ValueError("not plain data")

    def _encode_other(self, value: Any) -> dict[str, Any]:
        if isinstance(value, RemoteFunction):
            return {"function": value.number}
        if isinstance(value, Tensor):
            return {"tensor": wire.encode(value.numpy(), self._encode_other)}
        if isinstance(value, np.random.Generator):
            state = value.bit_generator.state
            numbers = {key: str(number) for key, number in state["state"].items()}
            return {"generator": {**state, "state": numbers}}
        module = getattr(value, "__module__", "numpy")  # a ufunc does not say where it is from
        name = getattr(value, "__name__", "")
        if getattr(sys.modules.get(module), name, None) is value:
            return {"module": module, "name": name}
        raise TypeError(f"a test cannot give {value!r} to an answer: it is not plain data")


class RemoteFunction:
    """A function of the student."""

    def __init__(self, session: Session, number: int, name: str) -> None:
        self.session = session
        self.number = number
        self.__name__ = name

    def __call__(self, *arguments: Any) -> Any:
        return self.session.call(self.number, arguments)


def _unanswered(*arguments: Any) -> None:
    """Stand for a function that the student has left as it was."""


def clean(text: str, length: int) -> str:
    """Text that any file can hold."""
    text = text.encode(errors="replace").decode()
    return text if len(text) <= length else text[:length] + " …"


def _name(name: str) -> str:
    return "".join(re.findall(r"\w", name))[:40] or "object"
