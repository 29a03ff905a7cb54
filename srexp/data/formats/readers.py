"""The reader for each kind of image, in whatever process it is asked; `registry` asks one with bounds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from srexp.data.image import Intensity, Kind, Stored, UnreadableImageError, refusing

#: Kind, file, which of its images, and how its values become a range.
Question: TypeAlias = tuple[Kind, Path, int, Intensity]

_SOME_BYTES = 2**20  # of pixels


class Reader(Protocol):
    """What the module of a kind of image offers."""

    def frames_in(self, path: Path) -> Sequence[int]:
        """List the images in a file, from its header."""

    def shape_of(self, path: Path) -> tuple[int, int]:
        """Read height and width off the header."""

    def read(self, path: Path, frame: int, intensity: Intensity) -> Stored:
        """Decode one image."""


def reader_of(kind: Kind) -> Reader:
    """Import the module that reads a kind: no pydicom and no nibabel for folders without such files.

    Args:
        kind: The kind of image.

    Returns:
        The module.
    """
    if kind == "dicom":
        from srexp.data.dicom import reader

        return reader
    if kind == "nifti":
        from srexp.data.formats import nifti

        return nifti
    if kind == "npy":
        from srexp.data.formats import npy

        return npy
    if kind == "tiff":
        from srexp.data.formats import tiff

        return tiff
    from srexp.data.formats import raster

    return raster


def answer(kind: Kind, action: str, path: Path, *arguments: object) -> Any:
    """Answer one question about a file.

    Args:
        kind: The kind of image.
        action: Name of a function of `Reader`, or another one of its reader.
        path: The file.
        *arguments: What the function is given besides.

    Returns:
        What it answers.

    Raises:
        UnreadableImageError: The file can't be used, and why.
    """
    with refusing("is damaged"):
        return getattr(reader_of(kind), action)(path, *arguments)


def first_images(questions: Sequence[Question]) -> list[Stored]:
    """Decode some images, from the first one on, until one can't be used or they have many pixels.

    Args:
        questions: Which images.

    Returns:
        As many as were decoded.
    """
    images: list[Stored] = []
    with suppress(UnreadableImageError):
        for kind, path, frame, intensity in questions:
            images.append(answer(kind, "read", path, frame, intensity))
            if sum(image.pixels.nbytes for image in images) > _SOME_BYTES:
                break
    return images
