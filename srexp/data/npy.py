"""NumPy arrays of images, such as those of MedMNIST: each (h, w) or (h, w, 3) of the array is an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.data.image import Intensity, Stored, UnreadableImageError, check_size, refusing, stored, stretch

_AXES = (3, 4)  # images, rows, columns, and perhaps colours


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size of an image off the header.

    Args:
        path: A .npy file.

    Returns:
        Height and width.

    Raises:
        UnreadableImageError: Damaged, or no array of images.
    """
    _, height, width, *_ = _opened(path).shape
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
    return range(_opened(path).shape[0])


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
    images = _opened(path)
    with refusing("truncated array"):
        pixels = np.array(images[frame])
    bits = 8 * pixels.dtype.itemsize
    return stretch(pixels, bits, lossy=False) if intensity == "percentile" else stored(pixels, bits, lossy=False)


def _opened(path: Path) -> npt.NDArray[Any]:
    """Map the file into memory; objects, which could run code when they are loaded, are refused."""
    with refusing("damaged NumPy array"):
        images: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if (
        images.dtype not in (np.uint8, np.uint16)
        or images.ndim not in _AXES
        or images.shape[3:] not in ((), (1,), (3,))
    ):
        raise UnreadableImageError(
            f"holds {images.dtype.name} values of shape {images.shape}, which are no images of 8 or 16 bits"
        )
    check_size(*images.shape[1:3])
    return images
