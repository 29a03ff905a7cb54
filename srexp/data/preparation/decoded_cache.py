"""Decoded images kept on disk, for data sets that don't fit into memory and formats that are slow to decode."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from srexp.data.image import Stored
from srexp.system.files.atomic_files import whole_file


def through_disk(path: Path, bits: int, *, lossy: bool, decode: Callable[[], Stored]) -> Stored:
    """Give an image from the disk, or decode it and leave it there for the next time.

    A damaged file and a folder that can't be written cost time and nothing else; several processes may share them.

    Args:
        path: File of the decoded pixels; its name identifies their content.
        bits: Stored bit depth of the image.
        lossy: Whether its pixels come out of a lossy compression.
        decode: Makes the image.

    Returns:
        The image.
    """
    with contextlib.suppress(OSError, ValueError, EOFError):
        pixels = np.load(path, allow_pickle=False)
        pixels.flags.writeable = False
        return Stored(pixels, bits, lossy)
    image = decode()
    with contextlib.suppress(OSError), whole_file(path, durable=False) as file:
        np.save(file, image.pixels)
    return image
