"""The IDX reader and writer: what is written is read back, what is damaged is refused."""

import gzip
import math
import os
import re
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minimlcourse.datasets import read_idx, write_idx

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
SMALL = np.arange(1, 7, dtype=np.uint8).reshape(2, 3)
SMALL_HEADER = b"\0\0\x08\x02" + b"\0\0\0\x02" + b"\0\0\0\x03"
SMALL_FILE = SMALL_HEADER + SMALL.tobytes()


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    """The message with which read_idx refuses the file."""
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_idx(path)
    assert caught.type is ValueError, "a subclass slipped through"
    return str(caught.value)


def read_or_refused(path: Path) -> np.ndarray | None:
    try:
        return read_idx(path)
    except ValueError as error:
        assert type(error) is ValueError
        assert str(path) in str(error)
        assert "byte" in str(error)
        return None


@contextmanager
def memory_within(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx")


# ---------------------------------------------------------------- what is written is read back


@given(
    array=hnp.arrays(
        dtype=st.sampled_from(list(TYPES.values())).flatmap(
            lambda kind: st.sampled_from([f"<{kind}", f">{kind}"])
        ),
        shape=hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    ),
    name=st.sampled_from(["array.idx", "array.idx.gz"]),
)
def test_round_trip(folder: Path, array: np.ndarray, name: str) -> None:
    path = folder / name
    write_idx(path, array)
    back = read_idx(path)
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.dtype.isnative
    assert back.flags.writeable
    assert back.flags.owndata
    # As bytes, so that every NaN and the sign of zero count.
    assert back.tobytes() == array.astype(back.dtype).tobytes()

    first = path.read_bytes()
    assert (first[:2] == b"\x1f\x8b") == name.endswith(".gz")
    write_idx(path, back)
    assert path.read_bytes() == first


@pytest.mark.claim("C64")
@pytest.mark.parametrize(("code", "kind"), TYPES.items())
def test_bytes_on_disk(tmp_path: Path, code: int, kind: str) -> None:
    """The layout of the format: two zeros, type, rank, sizes, numbers, all big-endian (C64)."""
    values = (1, 2, 100)
    letter = {"u1": "B", "i1": "b", "i2": "h", "i4": "i", "f4": "f", "f8": "d"}[kind]
    expected = struct.pack(f">BBBBII3{letter}", 0, 0, code, 2, 1, 3, *values)
    path = tmp_path / "array"
    write_idx(path, np.array([values], dtype=kind))
    assert path.read_bytes() == expected
    assert read_idx(path).tolist() == [list(values)]


def test_scalar_and_the_highest_rank(tmp_path: Path) -> None:
    path = tmp_path / "array"
    for array in (np.float64(2.5), np.full((1,) * 64, 7, dtype=np.int16)):
        write_idx(path, array)
        back = read_idx(path)
        assert back.shape == array.shape
        assert back.item() == array.item()


def test_any_memory_order_is_written_in_rows(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    for view in (array.T, array[:, ::-1], np.asfortranarray(array)):
        write_idx(tmp_path / "array", view)
        assert np.array_equal(read_idx(tmp_path / "array"), view)


def test_compression_is_known_by_content_not_by_name(tmp_path: Path) -> None:
    for name, content in (("raw.gz", SMALL_FILE), ("packed.idx", gzip.compress(SMALL_FILE))):
        assert np.array_equal(read_idx(saved(tmp_path / name, content)), SMALL)


def test_compressed_bytes_hold_no_date_and_no_name(tmp_path: Path) -> None:
    write_idx(tmp_path / "one.gz", SMALL)
    write_idx(tmp_path / "another.gz", SMALL)
    content = (tmp_path / "one.gz").read_bytes()
    assert content == (tmp_path / "another.gz").read_bytes()
    flags, date = struct.unpack_from("<xxxBI", content)
    assert (flags, date) == (0, 0)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, bool, complex, object, "U1", "M8[s]"])
def test_types_that_idx_lacks(tmp_path: Path, dtype: object) -> None:
    with pytest.raises(TypeError, match=r"write_idx: array has dtype .*float32"):
        write_idx(tmp_path / "array", np.zeros(2, dtype))
    assert not (tmp_path / "array").exists()


def test_axis_too_long_for_the_header(tmp_path: Path) -> None:
    array = np.broadcast_to(np.uint8(0), (2**32, 0))
    with pytest.raises(ValueError, match=r"write_idx: array has shape \(4294967296, 0\)"):
        write_idx(tmp_path / "array", array)


def test_missing_file_is_the_usual_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


# ---------------------------------------------------------------- what is damaged is refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "ends at byte 0; expected the magic number, 4 bytes from byte 0"),
        (b"\0\0\x08", "ends at byte 3; expected the magic number, 4 bytes from byte 0"),
        (b"\x01\0\x08\x01", "byte 0 is 0x01"),
        (b"\0\x02\x08\x01", "byte 1 is 0x02"),
        (b"\0\0\x0a\x01", "byte 2 is 0x0A, the known types are 0x08 (uint8), 0x09 (int8)"),
        (b"\0\0\x08\x41", "byte 3 states rank 65, NumPy's arrays have at most 64 axes"),
        (b"\0\0\x08\x02\0\0\0\x02\0", "ends at byte 9; expected the 2 sizes, 8 bytes from byte 4"),
        (
            SMALL_FILE[:-1],
            "ends at byte 17; expected the body of uint8 with shape (2, 3), 6 bytes from byte 12",
        ),
        (SMALL_FILE + b"\0", "bytes follow at byte 18, where uint8 with shape (2, 3) ends"),
        (b"\0\0\x0e\x03" + b"\xff" * 12, "the sizes at byte 4, (4294967295,"),
        # No element at all, yet NumPy cannot hold the other sizes.
        (b"\0\0\x08\x03" + b"\xff" * 8 + bytes(4), "the sizes at byte 4, (4294967295,"),
    ],
)
def test_refusals_name_the_byte(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in refusal(saved(tmp_path / "raw", content))
    assert words in refusal(saved(tmp_path / "packed", gzip.compress(content)))


def test_every_change_of_a_byte(tmp_path: Path) -> None:
    """Refused, or again exactly the file that the array read from it would be written to."""
    path, copy = tmp_path / "changed", tmp_path / "copy"
    accepted = []
    with memory_within(1 << 20):
        for at in range(len(SMALL_FILE)):
            for value in range(256):
                changed = bytearray(SMALL_FILE)
                changed[at] = value
                array = read_or_refused(saved(path, changed))
                if array is not None and changed != SMALL_FILE:
                    assert array.shape == (2, 3)
                    write_idx(copy, array)
                    assert copy.read_bytes() == changed
                    accepted.append(at)
    # Legal changes: uint8 to int8, and the 6 elements.
    assert accepted == [2, *(at for at in range(12, 18) for _ in range(255))]


@pytest.mark.claim("E58")
@pytest.mark.parametrize("code", TYPES)
def test_every_truncation_and_every_excess(tmp_path: Path, code: int) -> None:
    array = np.arange(6).reshape(2, 3).astype(TYPES[code])
    for name in ("array.idx", "array.idx.gz"):
        path = tmp_path / name
        write_idx(path, array)
        whole = path.read_bytes()
        for length in range(len(whole)):
            refusal(saved(path, whole[:length]))
        for excess in (b"\0", b"\n", bytes(5000), whole, gzip.compress(b"")):
            refusal(saved(path, whole + excess))


@given(content=st.binary(max_size=40))
def test_noise_after_a_good_start(folder: Path, content: bytes) -> None:
    path, copy = folder / "noise", folder / "noise-copy"
    for start in (b"", b"\0\0", b"\0\0\x08", b"\0\0\x0b\x01\0\0\0"):
        array = read_or_refused(saved(path, start + content))
        if array is not None:
            write_idx(copy, array)
            assert copy.read_bytes() == start + content


# ---------------------------------------------------------------- gzip


def test_every_flipped_bit_of_a_compressed_file(tmp_path: Path) -> None:
    """The checksum leaves no wrong array: refused, or harmless (date, system, level)."""
    path = tmp_path / "array.gz"
    array = np.arange(300, dtype=np.int32) ** 2 % 251
    write_idx(path, array)
    whole = path.read_bytes()
    harmless = set()
    with memory_within(1 << 20):
        for bit in range(8 * len(whole)):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            back = read_or_refused(saved(path, flipped))
            if back is not None:
                assert np.array_equal(back, array)
                harmless.add(bit // 8)
    assert harmless <= {3, 4, 5, 6, 7, 8, 9}


def test_where_a_gzip_stream_breaks(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(200, 200), dtype=np.uint8)
    path = tmp_path / "pixels.gz"
    write_idx(path, pixels)
    whole = path.read_bytes()
    assert len(whole) > 30_000

    assert f"cut short at byte {len(whole) - 9} of the compressed file" in refusal(
        saved(path, whole[:-9])
    )
    assert f"ends at byte {len(whole)} of the compressed file, yet more bytes follow" in refusal(
        saved(path, whole + b"\0")
    )
    checksum = bytearray(whole)
    checksum[-8] ^= 1
    message = refusal(saved(path, checksum))
    first, last = map(int, re.findall(r"between bytes (\d+) and (\d+) of", message)[0])
    assert first <= len(whole) - 8 <= last <= first + 4096
    assert "incorrect data check" in message

    block_type = bytearray(whole)
    block_type[10] |= 0b110  # deflate's reserved block type, in the first byte after the header
    assert "between bytes 0 and 4096 of the compressed file" in refusal(saved(path, block_type))


def test_gzip_in_several_members_is_refused(tmp_path: Path) -> None:
    members = gzip.compress(SMALL_FILE[:7]) + gzip.compress(SMALL_FILE[7:])
    assert "yet more bytes follow" in refusal(saved(tmp_path / "members", members))


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize("sizes", [(2**32 - 1,), (2**20, 2**20), (2**14,) * 3, (16,) * 10])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_that_promises_terabytes_allocates_nothing(tmp_path: Path, sizes, pack) -> None:
    rank = len(sizes)
    header = struct.pack(f">HBB{rank}I", 0, 0x0E, rank, *sizes)
    path = saved(tmp_path / "promise", pack(header + bytes(1000)))
    with memory_within(1 << 20):
        message = refusal(path)
    assert f"ends at byte {4 + 4 * rank + 1000}; expected the body of float64" in message
    assert f"{8 * math.prod(sizes)} bytes from byte {4 + 4 * rank}" in message


def test_a_gzip_bomb_is_left_alone(tmp_path: Path) -> None:
    """The reader stops at the first byte too many: the wrong checksum at the end is not seen."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(SMALL_FILE)
    for _ in range(64):
        bomb += packer.compress(bytes(1 << 20))
    bomb += packer.flush()
    bomb = bomb[:-8] + bytes(8)
    path = saved(tmp_path / "bomb", bomb)
    with memory_within(1 << 20):
        assert "bytes follow at byte 18" in refusal(path)


def test_memory_follows_the_content(tmp_path: Path) -> None:
    array = np.zeros(4 << 20, dtype=np.uint8)
    path = tmp_path / "zeros.gz"
    write_idx(path, array)
    with memory_within(3 * array.nbytes):
        read_idx(path)


# ---------------------------------------------------------------- the report's reader


def every_byte_is_a_pixel(path: Path) -> np.ndarray:
    """What the report's listing amounts to: the byte that states the type is not looked at."""
    content = gzip.decompress(path.read_bytes())
    rank = content[3]
    sizes = np.frombuffer(content, dtype=">u4", count=rank, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank).reshape(sizes)


@pytest.mark.claim("C65", "E58")
def test_the_reports_reader_knows_one_type(tmp_path: Path) -> None:
    """C65, E58: right on MNIST, wrong on any other type, and what it returns cannot be changed."""
    path = tmp_path / "array.gz"
    write_idx(path, SMALL)
    assert np.array_equal(every_byte_is_a_pixel(path), SMALL)
    with pytest.raises(ValueError, match="read-only"):
        every_byte_is_a_pixel(path)[0, 0] = 0

    numbers = SMALL.astype(np.float32)
    write_idx(path, numbers)
    with pytest.raises(ValueError, match="cannot reshape array of size 24"):
        every_byte_is_a_pixel(path)
    assert np.array_equal(read_idx(path), numbers)

    # Worse than an error: signed bytes come back as other numbers.
    write_idx(path, np.array([-1], dtype=np.int8))
    assert every_byte_is_a_pixel(path).tolist() == [255]
    assert read_idx(path).tolist() == [-1]

    # And a damaged file passes: here the two leading zeros are not.
    damaged = saved(path, gzip.compress(b"\xff\xff" + SMALL_FILE[2:]))
    assert np.array_equal(every_byte_is_a_pixel(damaged), SMALL)
    assert "byte 0 is 0xFF" in refusal(damaged)


def test_path_like_and_text(tmp_path: Path) -> None:
    write_idx(os.fspath(tmp_path / "array.gz"), SMALL)
    assert np.array_equal(read_idx(os.fspath(tmp_path / "array.gz")), SMALL)
