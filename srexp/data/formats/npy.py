"""NumPy arrays of images, such as those of MedMNIST: each (h, w) or (h, w, 3) of the array is an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from srexp.data.image import Intensity, Stored, UnreadableImageError, check_size, ranged, refusing

_AXES = (3, 4)  # images, rows, columns, and perhaps colours
_COLOURS = ((), (1,), (3,))
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True, slots=True)
class _Header:
    """What the beginning of a .npy file says, and where its values start."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size of an image off the header.

    Args:
        path: A .npy file.

    Returns:
        Height and width.

    Raises:
        UnreadableImageError: Damaged, or no array of images.
    """
    _, height, width, *_ = _header(path).shape
    return height, width


def frames_in(path: Path) -> Sequence[int]:
    """List the images, from the header.

    Args:
        path: A .npy file.

    Returns:
        The indices of the first axis.

    Raises:
        UnreadableImageError: Damaged, or no array of images.
    """
    return range(_header(path).shape[0])


def read(path: Path, frame: int, intensity: Intensity) -> Stored:
    """Read one image; the others stay on disk.

    Args:
        path: A .npy file.
        frame: Which image, from 0.
        intensity: `bits` and `window` keep the range of the type, `percentile` stretches each image.

    Returns:
        The image.

    Raises:
        UnreadableImageError: Damaged, or no array of images.
    """
    header = _header(path)
    shape = header.shape[1:]
    size = math.prod(shape) * header.dtype.itemsize
    with refusing("damaged NumPy array"), path.open("rb") as file:
        file.seek(header.start + frame * size)
        pixels = np.frombuffer(file.read(size), header.dtype).reshape(shape)
    bits = 8 * header.dtype.itemsize
    return ranged(pixels, bits, intensity, lossy=False)


def _header(path: Path) -> _Header:
    with refusing("can't be read"):
        status = path.stat()
    return _header_of(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _header_of(path: Path, size: int, _changed: int) -> _Header:
    """Read the header of a file as it is now; objects, which could run code when they are loaded, are refused."""
    with refusing("damaged NumPy array"), path.open("rb") as file:
        shape, by_columns, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
        header = _Header(shape, dtype, file.tell())
    is_image = dtype.kind == "u" and dtype.itemsize <= 2 and len(shape) in _AXES and shape[3:] in _COLOURS  # noqa: PLR2004
    if not is_image or by_columns:
        raise UnreadableImageError(
            f"holds {dtype.name} values of shape {shape}{' by columns' if by_columns else ''}, which are no images of "
            "8 or 16 bits"
        )
    check_size(shape[1], shape[2])
    if size < header.start + math.prod(shape) * dtype.itemsize:
        raise UnreadableImageError("truncated NumPy array")
    return header
