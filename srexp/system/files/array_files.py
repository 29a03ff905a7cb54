"""Arrays in an .npz file that somebody else wrote: numbers and nothing else, within bounds."""

from __future__ import annotations

import io
import zipfile
import zlib
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from srexp.errors import RequestError, some

#: Arrays of a file, and bytes of all of them together; the largest networks here have a few hundred and 160 MB.
MOST_ARRAYS, MOST_BYTES = 10_000, 2**30
_ENDING = ".npy"
_FLOATS = ("float16", "float32", "float64")


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read all arrays of an .npz file. No pickle is ever read, and nothing is larger than it claims to be.

    Args:
        path: What `numpy.savez(path, **arrays)` wrote.

    Returns:
        Arrays by their names, in the order of the file, as float32.

    Raises:
        RequestError: There is no such file, it is no .npz file or damaged, it holds something else than finite
            floating-point numbers, or it is too large.
    """
    fix = "write it anew by numpy.savez(FILE, **arrays), from arrays of float32"
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            total = sum(member.file_size for member in members)
            if len(members) > MOST_ARRAYS or total > MOST_BYTES:
                raise RequestError(
                    f"{path} is too large for the weights of a network",
                    got=f"{len(members):,} arrays, {total:,} bytes",
                    expected=f"at most {MOST_ARRAYS:,} arrays and {MOST_BYTES:,} bytes",
                )
            if not names or len(set(names)) < len(names) or not all(name.endswith(_ENDING) for name in names):
                raise RequestError(f"{path} holds no arrays, or more than arrays", got=some(names), fix=fix)
            return {name.removesuffix(_ENDING): _array(archive.read(name), f"{name} of {path}", fix) for name in names}
    except FileNotFoundError as error:
        raise RequestError(f"there is no file {path}", expected="an .npz file", fix="weights=FILE.npz") from error
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise RequestError(
            f"{path} can't be read: {error}", expected="an .npz file of arrays without pickles", fix=fix
        ) from error


def _array(content: bytes, called: str, fix: str) -> npt.NDArray[np.float32]:
    """Read one array, whose header must fit the bytes that there are."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read_header(file)
    if kind.name not in _FLOATS:
        raise RequestError(
            f"{called} holds no floating-point numbers", got=str(kind), expected=", ".join(_FLOATS), fix=fix
        )
    if prod(shape) * kind.itemsize != len(content) - file.tell():
        raise RequestError(f"{called} is damaged: its size is not that of {shape}", got=len(content), fix=fix)
    file.seek(0)
    array = np.asarray(np.lib.format.read_array(file, allow_pickle=False), np.float32)
    if not np.isfinite(array).all():
        raise RequestError(f"{called} holds values that are not numbers", expected="finite values", fix=fix)
    return array
