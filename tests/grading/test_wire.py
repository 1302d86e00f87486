"""Plain data go through unchanged; all else is refused."""

import json
import socket
import string

import numpy as np
import pytest
from grader import wire
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text() | st.binary()
    | arrays.arrays(st.sampled_from(["f8", "f4", "i8", "u1", "?", "c16"]), arrays.array_shapes()),
    lambda part: st.lists(part)
    | st.lists(part).map(tuple)
    | st.dictionaries(st.text() | st.integers(0, 9), part),
    max_leaves=8,
)  # fmt: skip


def refuse(value):
    raise ValueError


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b or a != a


@given(plain)
def test_plain_data_go_through(value):
    text = json.dumps(wire.encode(value, refuse))
    assert same(wire.decode(json.loads(text), refuse), value)


@pytest.mark.parametrize(
    "value", [..., np.float32(1.5), np.int64(3), np.bool_(True), np.array(2.0)]
)
def test_so_do_single_numbers_and_the_ellipsis(value):
    again = wire.decode(json.loads(json.dumps(wire.encode(value, refuse))), refuse)
    assert type(again) is type(value)
    assert again == value


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, np.array([object()]), np.zeros(2, "f8,f8"), len]
)
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(ValueError):
        wire.encode(value, refuse)


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable, max_size=9),
    lambda part: (
        st.lists(part, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["array", "dtype", "shape", "list", "tuple", "dict", "bytes", "scalar", "x"]
            ),
            part | st.sampled_from(["<f8", "O", "V8", "<U9999", "AAAAAAAAAAA="]),
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(json_data)
def test_whatever_is_sent_gives_plain_data_or_an_ordinary_error(data):
    try:
        wire.decode(data, refuse)
    except (ValueError, TypeError, KeyError):
        pass


@pytest.mark.parametrize(
    "data",
    [
        {"array": "", "dtype": "<f8", "shape": [1 << 60]},
        {"array": "", "dtype": "<f8", "shape": [0, 1 << 62]},
        {"array": "AAAAAAAAAAA=", "dtype": "|O8", "shape": [1]},
        {"array": "AAAAAAAAAAA=", "dtype": "<f8,<f8", "shape": [1]},
        {"array": "AAAAAAAAAAA=", "dtype": "<f8", "shape": [-1]},
        {"array": "AAAAAAAAAAA=", "dtype": "<f8", "shape": [True]},
        10**30,
        {"list": 3},
    ],
)
def test_bombs_and_lies_are_refused(data):
    with pytest.raises(ValueError):
        wire.decode(data, refuse)


def test_messages():
    here, there = socket.socketpair()
    with here, there:
        wire.send(here, {"a": [1, None, "é"]})
        assert wire.receive(there, 1000) == {"a": [1, None, "é"]}
        wire.send(here, "x" * 1000)
        with pytest.raises(ValueError, match="1002 bytes, 100 are allowed"):
            wire.receive(there, 100)
        here.close()
        there.recv(2000)
        with pytest.raises(EOFError):
            wire.receive(there, 100)


def test_waiting_can_be_ended():
    here, there = socket.socketpair()

    def tick():
        raise TimeoutError("enough")

    with here, there, pytest.raises(TimeoutError, match="enough"):
        wire.receive(there, 100, tick)
