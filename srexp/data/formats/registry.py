"""The reader for each kind of image, asked in a process with bounds."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from srexp.data.display import Display, Resolution
from srexp.data.formats.signatures import kind_of
from srexp.data.image import (
    Intensity,
    Kind,
    Stored,
    TooManyPixelsError,
    UnreachableImageError,
    UnreadableImageError,
    refusing,
)
from srexp.system.confinement import Begun, ExhaustedError

#: Most images of one file.
MAX_FRAMES = 100_000
_ANSWERS = (Stored, Display, Resolution, UnreadableImageError, UnreachableImageError, TooManyPixelsError)
_RASTER, _REMEMBERED = ("png", "jpeg", "bmp"), 1000
_exhausting: dict[tuple[int, ...], str] = {}  # files that met a bound, which would cost as much again, and which


class _Expected(threading.local):
    """The image that a thread will ask for next, which is decoded meanwhile."""

    image: tuple[object, ...] = ()
    begun: Begun[Any, Any] | None = None

    def take(self, image: tuple[object, ...]) -> Begun[Any, Any] | None:
        """Give what has begun if it is this image; anything else is expected no more."""
        begun, self.begun = self.begun, None
        if begun and image != self.image:
            begun.drop()
            return None
        return begun


_expected = _Expected()


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


def frames_in(path: Path) -> Sequence[int]:
    """List the images in a file, from its header.

    Args:
        path: An image file.

    Returns:
        What `read_image` takes as frame: 0 for most; frames of DICOM, pages of TIFF, slices of NIfTI.

    Raises:
        UnreadableImageError: The header can't be read, or claims more than `MAX_FRAMES`.
    """
    frames: Sequence[int] = _ask("frames_in", path)
    if frames[MAX_FRAMES:]:
        raise UnreadableImageError(f"claims more than the {MAX_FRAMES:,} images that srexp reads of one file")
    return frames


def shape_of(path: Path) -> tuple[int, int]:
    """Read height and width off the header.

    Args:
        path: An image file.

    Returns:
        Height and width of its first image.

    Raises:
        UnreadableImageError: The header can't be read.
    """
    shape: tuple[int, int] = _ask("shape_of", path)
    return shape


def read_image(path: Path, frame: int = 0, intensity: Intensity = "bits") -> Stored:
    """Decode one image of a file.

    Args:
        path: An image file of any kind.
        frame: Which of its images, see `frames_in`.
        intensity: `bits`: by stored bit depth; `window`: the DICOM VOI window; `percentile`: 0.5..99.5 of each image.

    Returns:
        The image.

    Raises:
        UnreadableImageError: The file can't be used, and why.
    """
    image: Stored = _ask("read", path, frame, intensity)
    return image


def expect_image(path: Path, frame: int = 0, intensity: Intensity = "bits") -> None:
    """Begin to decode what `read_image` will be asked for next, while this process does something else.

    Args:
        path: As of `read_image`; what can't be used is refused there.
        frame: The same.
        intensity: The same.
    """
    expect_nothing()
    with contextlib.suppress(UnreadableImageError):
        if (kind := kind_of(path)) != "npy" and (identity := _identity(path)) not in _exhausting:
            _expected.image = (identity, "read", frame, intensity)
            _expected.begun = _begin(kind, "read", path, frame, intensity)


def expect_nothing() -> None:
    """Decode nothing any more that has not been asked for."""
    _expected.take(())


def patient_of(path: Path) -> str:
    """Give the patient of a DICOM file. It identifies a person: it may group images and must go nowhere else.

    Args:
        path: A DICOM file.

    Returns:
        Issuer and value of PatientID.

    Raises:
        UnreadableImageError: There is none.
    """
    patient: str = _ask("patient_of", path, kind="dicom")
    return patient


class Identity(NamedTuple):
    """Which object a DICOM file is. The UIDs lead to a person and must not be shown or kept.

    Args:
        study: UID of its study, empty where it has none.
        series: UID of its series.
        instance: Its own.
        restored: Whether srexp made it.
    """

    study: str
    series: str
    instance: str
    restored: bool


def identity_of(path: Path) -> Identity:
    """Tell which object a DICOM file is.

    Args:
        path: A DICOM file.

    Raises:
        UnreadableImageError: The header can't be read.
    """
    return Identity(*_ask("identity_of", path, kind="dicom"))


def _ask(action: str, path: Path, *arguments: object, kind: Kind | None = None) -> Any:
    """Ask the reader of a file, in a process with bounds: no header says what decoding its images will cost."""
    kind = kind or kind_of(path)
    if kind == "npy" or (action == "frames_in" and kind in _RASTER):  # plain values, or nothing to be read
        return answer(kind, action, path, *arguments)
    identity = _identity(path)
    reason = _exhausting.get(identity)
    if reason is None:
        begun = _expected.take((identity, action, *arguments)) or _begin(kind, action, path, *arguments)
        try:
            return begun()
        except ExhaustedError as error:
            reason = str(error)
        if len(_exhausting) >= _REMEMBERED:
            _exhausting.clear()
        _exhausting[identity] = reason
    raise UnreadableImageError(reason, fix="save it again without what makes it so costly, or remove it")


def _begin(kind: Kind, action: str, path: Path, *arguments: object) -> Begun[Any, Any]:
    return Begun(_ANSWERS, answer, kind, action, path.absolute(), *arguments)


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


def _identity(path: Path) -> tuple[int, ...]:
    with refusing("can't be read"):
        status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
