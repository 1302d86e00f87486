"""Named arrays in a file: `.npz`, written whole or not at all, and read without pickle.

NumPy's own ``savez`` would do but for three things: it appends to the file name, it cannot hold an
array called "file", and its bytes change with the clock. ``numpy.load`` reads what is written here.
"""

import contextlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minimlcourse.autodiff.tensor import Array

__all__ = ["read_arrays", "write_arrays"]


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write named arrays to ``path`` as an `.npz` archive.

    The archive is written beside ``path`` and then moved there, so that an interruption or a full
    disk leaves the former file as it was. The same arrays give the same bytes.

    Parameters
    ----------
    path : str or path
        The file. Nothing is appended to its name.
    arrays : mapping from names to arrays
        The arrays, of numbers or strings.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name, array in arrays.items():
                    # ZipInfo's default date is a constant, 1980.
                    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as out:
                        np.lib.format.write_array(out, np.asarray(array), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read all the arrays of an `.npz` archive.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    dict from names to arrays

    Raises
    ------
    OSError
        If the file is missing or cannot be read.
    ValueError
        If it is damaged, or not an `.npz` archive, or holds pickled objects.
    """
    with open(path, "rb") as file:
        content = file.read()
    arrays = {}
    # A damaged archive fails in a dozen ways (BadZipFile, zlib.error, EOFError, SyntaxError in an
    # array's header, ...), and all of them mean the same to who reads the file.
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                member = io.BytesIO(archive.read(name))  # checks the sum of the whole member
                array = np.lib.format.read_array(member, allow_pickle=False)
                arrays[name.removesuffix(".npy")] = array
    except Exception as error:
        raise ValueError(f"{path} is damaged, or not an .npz file of arrays: {error}") from error
    return arrays
