"""All that passes between a submission and its judge: plain data, written as text.

What comes from a submission is read by `decode`, which makes nothing but numbers, text, arrays and
lists of these, whatever the sender intends: no pickle, no class, no code.
"""

import base64
import json
import math
import re
import socket
from collections.abc import Callable
from typing import Any

import numpy as np

_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c(8|16)|U\d{1,4})")


def encode(value: Any, other: Callable[[Any], dict[str, Any]]) -> Any:
    """Write a value as JSON can hold it; `other` writes what is not plain."""
    if isinstance(value, (np.ndarray, np.generic)) and _DTYPE.fullmatch(value.dtype.str):
        return {
            "array": base64.b64encode(value.tobytes()).decode(),
            "dtype": value.dtype.str,
            "shape": value.shape,
            "scalar": isinstance(value, np.generic),
        }
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if value is ...:
        return {"ellipsis": True}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [encode(part, other) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(k, other), encode(v, other)] for k, v in value.items()]}
    return other(value)


def decode(data: Any, other: Callable[[dict[str, Any]], Any]) -> Any:
    """Read what `encode` has written.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is anything else, or an integer of more than 64 bits, which NumPy would take for an
        object and a test might compute with for ever.
    """
    if type(data) is int and not -(2**63) <= data < 2**64:
        raise ValueError("an integer of more than 64 bits")
    if data is None or type(data) in (bool, int, float, str):
        return data
    match data:
        case {"array": str(text), "dtype": str(dtype), "shape": list(shape)}:
            if not _DTYPE.fullmatch(dtype) or not all(type(n) is int and n >= 0 for n in shape):
                raise ValueError("not an array")
            content = base64.b64decode(text, validate=True)
            if len(content) != np.dtype(dtype).itemsize * math.prod(shape):
                raise ValueError("an array of another size than it says")
            array = np.ndarray(shape, dtype, bytearray(content))
            return array[()] if data.get("scalar") else array
        case {"bytes": str(text)}:
            return base64.b64decode(text, validate=True)
        case {"ellipsis": True}:
            return ...
        case {"list": list(parts)}:
            return [decode(part, other) for part in parts]
        case {"tuple": list(parts)}:
            return tuple(decode(part, other) for part in parts)
        case {"dict": list(pairs)}:
            return {decode(key, other): decode(value, other) for key, value in pairs}
        case dict():
            return other(data)
    raise ValueError("not plain data")


def send(channel: socket.socket, message: Any) -> None:
    """Send one message: its length, then JSON."""
    content = json.dumps(message).encode()
    channel.sendall(len(content).to_bytes(8, "big") + content)


def receive(channel: socket.socket, limit: int, tick: Callable[[], None] = lambda: None) -> Any:
    """Wait for one message.

    Parameters
    ----------
    channel : socket
    limit : int
        The largest message that is read, in bytes.
    tick : callable
        Called again and again while waiting (as often as the channel's timeout says, at least);
        an exception that it raises ends the waiting.

    Raises
    ------
    EOFError
        If the other end is gone.
    ValueError, RecursionError
        If this is not a message.
    """
    size = int.from_bytes(_read(channel, 8, tick), "big")
    if size > limit:
        raise ValueError(f"a message of {size} bytes, {limit} are allowed")
    return json.loads(_read(channel, size, tick))


def _read(channel: socket.socket, size: int, tick: Callable[[], None]) -> bytes:
    content = bytearray()
    while len(content) < size:
        tick()
        try:
            part = channel.recv(min(size - len(content), 1 << 20))
        except TimeoutError:
            continue
        if not part:
            raise EOFError
        content += part
    return bytes(content)
