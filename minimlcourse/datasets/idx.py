"""IDX, the file format of MNIST: a header of a few bytes, then the numbers.

======  =========================================================================
byte    meaning (every number is big-endian: its most significant byte first)
======  =========================================================================
0, 1    zero
2       type of the elements: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32,
        0E float64
3       rank r, the number of axes
4       r sizes, an unsigned 32-bit integer each
4 + 4r  the elements, last axis fastest
======  =========================================================================

A file may be compressed with gzip, in one member. The reader trusts nothing: a header is believed
only as far as the bytes that follow it go, so memory is bounded by what the file really holds.
"""

import gzip
import math
import os
import struct
import sys
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["read_idx", "write_idx"]

_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_TYPES_IN_WORDS = ", ".join(f"0x{code:02X} ({stored.name})" for code, stored in _TYPES.items())
_MAX_RANK = 64  # NumPy's own limit; the format goes up to 255
_BLOCK = 1 << 16  # what is asked of a file at once, whatever its header promises
_COMPRESSED_BLOCK = 1 << 12  # smaller: damage in a gzip stream is located to one such block


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an IDX file, compressed or not, into an array.

    Whether the file is compressed is decided by its first two bytes, not by its name.

    Parameters
    ----------
    path
        The file. NumPy has at most 64 axes, so a higher rank (the format allows 255) is refused.

    Returns
    -------
    ndarray
        The shape and type that the header states, in native byte order, writable and owned by
        the caller.

    Raises
    ------
    ValueError
        If the file is not exactly one well-formed IDX array: two zero bytes missing, unknown type,
        a header or body cut short, bytes left over, sizes beyond what can be addressed, a damaged
        gzip stream. The message names the file and the byte (of the decompressed stream, unless it
        says "of the compressed file").
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    Source: the report, section 5.1, corrected (its reader takes every element for a uint8).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/eye.idx.gz", np.eye(2, dtype=np.float32))
    ...     read_idx(f"{folder}/eye.idx.gz")
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            return _parse(_GzipMember(file) if compressed else file)
        except ValueError as error:
            raise ValueError(f"read_idx: {os.fspath(path)}: {error}") from None


def write_idx(path: str | os.PathLike[str], array: ArrayLike) -> None:
    """Write an array as an IDX file, compressed if the name ends in ``.gz``.

    The compressed file holds neither name nor date: the same array gives the same bytes.

    Parameters
    ----------
    path
        The file, replaced if it exists.
    array
        Of type uint8, int8, int16, int32, float32 or float64 (either byte order), of any shape.

    Raises
    ------
    TypeError
        If IDX has no code for the type of ``array``.
    ValueError
        If an axis has 2**32 elements or more.
    """
    array = np.asarray(array)
    stored = array.dtype.newbyteorder(">")
    code = next((code for code, known in _TYPES.items() if known == stored), None)
    if code is None:
        raise TypeError(f"write_idx: array has dtype {array.dtype}, IDX has only {_TYPES_IN_WORDS}")
    if any(size >= 2**32 for size in array.shape):
        raise ValueError(
            f"write_idx: array has shape {array.shape}, each axis must be shorter than 2**32"
        )
    header = struct.pack(f">2xBB{array.ndim}I", code, array.ndim, *array.shape)
    body = array.astype(stored, copy=False).tobytes()
    with open(path, "wb") as file:
        if os.fspath(path).endswith(".gz"):
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                packed.write(header + body)
        else:
            file.write(header + body)


class _GzipMember:
    """The decompressed content of a file that is one gzip member, a few bytes at a time.

    ``gzip.open`` would do, but it also accepts zeros after the end, does not say where the damage
    lies, and raises three kinds of exceptions.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflater = zlib.decompressobj(wbits=31)  # 31: gzip's header, and its checksum

    def read(self, count: int) -> bytes:
        """At least one and at most ``count`` bytes; none at the end, once the checksum holds."""
        content = b""
        while not content and not self._inflater.eof:
            block = self._inflater.unconsumed_tail or self._file.read(_COMPRESSED_BLOCK)
            end = self._file.tell()
            try:
                content = self._inflater.decompress(block, count)
            except zlib.error as error:
                raise ValueError(
                    f"gzip stream damaged between bytes {end - len(block)} and {end} "
                    f"of the compressed file: {error}"
                ) from None
            if not block and not content and not self._inflater.eof:
                raise ValueError(f"gzip stream cut short at byte {end} of the compressed file")
        if not content:
            excess = self._inflater.unused_data or self._file.read(1)
            if excess:
                raise ValueError(
                    f"gzip stream ends at byte {self._file.tell() - len(excess)} of the compressed "
                    "file, yet more bytes follow"
                )
        return content


def _parse(stream: BinaryIO | _GzipMember) -> NDArray[Any]:
    magic = _exactly(4, stream, offset=0, what="the magic number")
    for at in (0, 1):
        if magic[at] != 0:
            raise ValueError(f"byte {at} is 0x{magic[at]:02X}, an IDX file begins with two zeros")
    code, rank = magic[2], magic[3]
    if code not in _TYPES:
        raise ValueError(f"byte 2 is 0x{code:02X}, the known types are {_TYPES_IN_WORDS}")
    if rank > _MAX_RANK:
        raise ValueError(f"byte 3 states rank {rank}, NumPy's arrays have at most {_MAX_RANK} axes")

    stored = _TYPES[code]
    sizes = _exactly(4 * rank, stream, offset=4, what=f"the {rank} sizes")
    shape = struct.unpack(f">{rank}I", sizes)
    # NumPy multiplies the other sizes even if one is 0.
    if stored.itemsize * math.prod(size or 1 for size in shape) > sys.maxsize:
        raise ValueError(f"the sizes at byte 4, {shape}, are beyond what can be addressed")

    start, length = 4 + 4 * rank, stored.itemsize * math.prod(shape)
    body = _exactly(length, stream, start, what=f"the body of {stored.name} with shape {shape}")
    if stream.read(1):
        raise ValueError(
            f"bytes follow at byte {start + length}, where {stored.name} with shape {shape} ends"
        )
    # The copy changes the byte order and gives the caller memory of its own.
    return np.ndarray(shape, stored, buffer=body).astype(stored.newbyteorder("="))


def _exactly(count: int, stream: BinaryIO | _GzipMember, offset: int, what: str) -> bytearray:
    """Read ``count`` bytes, growing as they arrive: what is promised is not allocated."""
    content = bytearray()
    while len(content) < count:
        block = stream.read(min(_BLOCK, count - len(content)))
        if not block:
            raise ValueError(
                f"ends at byte {offset + len(content)}; "
                f"expected {what}, {count} bytes from byte {offset}"
            )
        content += block
    return content
