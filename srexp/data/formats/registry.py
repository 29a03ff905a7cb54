"""What kind of image a file holds, told by its first bytes, and the reader for that kind."""

from __future__ import annotations

import contextlib
import stat
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from srexp.data.display import Display, Resolution
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

_NIFTI = 344, b"n+1\x00"
# DICOM comes first: its first 128 bytes are free, and some files put a TIFF header there (PS3.10 7.1).
_MAGIC: tuple[tuple[int, bytes, Kind], ...] = (
    (128, b"DICM", "dicom"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"BM", "bmp"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"II+\x00", "tiff"),
    (0, b"MM\x00+", "tiff"),
    (0, b"\x93NUMPY", "npy"),
    (*_NIFTI, "nifti"),
)
_DICOMDIR = b"\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10"
_NOT_READ = (
    (0, b"GIF8", "a GIF", "save each frame as PNG, or all as pages of a TIFF"),
    (8, b"WEBP", "WebP", "save each frame as PNG, or all as pages of a TIFF"),
    (4, b"n+2\x00", "NIfTI-2", "save it as NIfTI-1"),
    (344, b"ni1\x00", "the header of a NIfTI pair", "save both files as one, .nii"),
    (4, b"jP  \r\n\x87\n", "JPEG 2000", "save it as PNG or TIFF"),
    (4, b"ftyp", "HEIF, AVIF or a film", "save each image as PNG, or all as pages of a TIFF"),
    (0, b"NRRD0", "NRRD", "save it as NIfTI-1"),
)
_NO_FILES: dict[Callable[[int], bool], str] = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_GZIP, _OF_GZIP = b"\x1f\x8b", 16 + zlib.MAX_WBITS
_HEAD_BYTES, _PACKED_BYTES = 352, 2**16

#: Most images of one file.
MAX_FRAMES = 100_000
_ANSWERS = (Stored, Display, Resolution, UnreadableImageError, UnreachableImageError, TooManyPixelsError)
_RASTER, _REMEMBERED = ("png", "jpeg", "bmp"), 1000
_exhausting: dict[tuple[int, ...], str] = {}  # files that met a bound, which would cost as much again, and which

DICOM_ENDINGS = (".dcm", ".dicom", ".dic", ".ima")
IMAGE_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".dib", ".tif", ".tiff"),
    *(*DICOM_ENDINGS, ".nii", ".nii.gz"),
)


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


def kind_of(path: Path) -> Kind:
    """Tell the kind of a file by its content.

    Args:
        path: Any file.

    Returns:
        The kind.

    Raises:
        UnreachableImageError: It can't be opened, or is no file.
        UnreadableImageError: Empty, or nothing that srexp knows; says what it looks like.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     text = Path(folder, "notes.png")
        ...     _ = text.write_text("no image")
        ...     kind_of(text)
        Traceback (most recent call last):
        srexp.data.image.UnreadableImageError: is no PNG, JPEG, BMP, TIFF, DICOM or NIfTI image (a DICOM file starts ...
    """
    try:
        head = _head(path)
    except OSError as error:
        raise UnreachableImageError(f"can't be read ({error.strerror})") from None
    if not head:
        raise UnreadableImageError("is empty (0 bytes)")
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    if head.startswith(_GZIP):
        with contextlib.suppress(zlib.error):
            head = zlib.decompressobj(_OF_GZIP).decompress(_head(path, _PACKED_BYTES), _HEAD_BYTES)
        if head.startswith(_NIFTI[1], _NIFTI[0]) or path.name.lower().endswith(".nii.gz"):
            return "nifti"
    for offset, magic, name, fix in _NOT_READ:
        if head.startswith(magic, offset):
            raise UnreadableImageError(f"is {name}, which srexp doesn't read", fix=fix)
    raise UnreadableImageError(
        "is no PNG, JPEG, BMP, TIFF, DICOM or NIfTI image (a DICOM file starts with 128 bytes and then DICM)"
    )


def is_dicom(path: Path) -> bool:
    """Tell whether what has no telling name is to be read as DICOM.

    Args:
        path: Anything.

    Returns:
        Whether the letters DICM stand where they should, or a file can't be looked into.
    """
    try:
        return _head(path).startswith(b"DICM", 128)
    except (FileNotFoundError, UnreadableImageError):
        return False
    except OSError:
        return True


def is_directory_record(path: Path) -> bool:
    """Tell whether a file lists the DICOM files of a medium, by what it says of itself (PS3.10 8.6).

    Args:
        path: Anything, whatever its name.

    Returns:
        Whether its Media Storage SOP Class UID (0002,0002) is that of a DICOMDIR.
    """
    with contextlib.suppress(OSError, UnreadableImageError):
        return _DICOMDIR in _head(path)
    return False


def _head(path: Path, most: int = _HEAD_BYTES) -> bytes:
    """Read the first bytes of a file, and of nothing else: a pipe would keep its reader waiting for ever."""
    mode = path.stat().st_mode
    for is_one, name in _NO_FILES.items():
        if is_one(mode):
            raise UnreachableImageError(f"is {name} and no file")
    with path.open("rb") as file:
        return file.read(most)


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
