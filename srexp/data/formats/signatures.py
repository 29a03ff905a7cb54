"""What kind of image a file holds, told by its first bytes, and by its name where it is only looked for."""

from __future__ import annotations

import contextlib
import stat
import zlib
from collections.abc import Callable
from pathlib import Path

from srexp.data.image import Kind, UnreachableImageError, UnreadableImageError

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

DICOM_ENDINGS = (".dcm", ".dicom", ".dic", ".ima")
IMAGE_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff"),
    *(*DICOM_ENDINGS, ".nii", ".nii.gz"),
)
#: Of images that can't be read: who has such files in a folder should know that they are left out.
OTHER_ENDINGS = frozenset(
    (
        *(".gif", ".webp", ".heic", ".heif", ".avif", ".psd", ".tga", ".exr", ".dng", ".pbm", ".pgm", ".ppm", ".pnm"),
        *(".jp2", ".j2k", ".j2c", ".jpx", ".jph", ".jls", ".jxl", ".jxr", ".apng", ".svs", ".ndpi", ".czi", ".mrxs"),
        *(".nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".img", ".mgh", ".mgz", ".mnc"),
    )
)


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
