"""What goes before the pixels of a restored DICOM image: made of what a file says, where that has bounds."""

from __future__ import annotations

from dataclasses import astuple
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import pydicom

from srexp.data.dicom.derived import derived, keep_frames
from srexp.data.dicom.elements import label
from srexp.data.dicom.grayscale import incoming
from srexp.data.dicom.header import Header
from srexp.data.dicom.sop_classes import check_geometry
from srexp.data.dicom.stored_values import Encoding, encoding_of, sign_tables
from srexp.data.image import Numbers, UnreadableImageError, refusing
from srexp.data.restored_image import Origin, Provenance

_LONGEST_SIDE, _LARGEST_ELEMENT = 2**16 - 1, 2**32 - 2
_BYTE = 8


def described(
    file: BinaryIO,
    header: Header,
    origin: Origin,
    made: Provenance,
    *,
    shape: tuple[int, int, int],
    bits: int,
) -> tuple[Numbers, list[tuple[Any, ...]]]:
    """Describe what is made of an image, in plain values.

    Args:
        file: The original.
        header: What it claims.
        origin: Which of its frames are restored, and how brightness was read.
        made: Who made it, and how many times larger it became.
        shape: (h, w, c) of each restored frame.
        bits: Bit depth that its brightness was read with.

    Returns:
        Bytes of a file up to its pixels, and the values of the `Encoding` of each frame.

    Raises:
        UnreadableImageError: A DICOM object can't hold these images.
    """
    file.seek(0)
    with refusing("damaged DICOM header"):
        source = pydicom.dcmread(file, stop_before_pixels=True)
        keep_frames(source, origin.frames)
    if made.scale > 1:
        check_geometry(source)
    if "TotalPixelMatrixRows" in source:
        raise UnreadableImageError("is part of a whole-slide image, whose tiles can't be enlarged one by one")
    encodings = [
        encoding_of(header, bits=bits, channels=shape[-1], frame=frame, intensity=origin.intensity)
        for frame in origin.frames
    ]
    encoding = encodings[0]
    check_size(shape, encoding, len(origin.frames))
    with refusing("has a damaged description"):
        some = origin.frames if len(origin.frames) < header.frames else ()
        made_of_it = derived(source, encoding, shape[:2], made, lossy=header.lossy, frames=some)
        if encoding.window_kept:
            sign_tables(made_of_it, *incoming(header, 0))
    return head_of(made_of_it), [astuple(each) for each in encodings]


def head_of(image: pydicom.Dataset) -> Numbers:
    """Write an object without its pixels.

    Args:
        image: Its elements, none of which goes behind the pixels.

    Returns:
        Bytes of a file: explicit VR little endian.

    Raises:
        UnreadableImageError: An element can't be written, which is named.
    """
    head = BytesIO()
    try:
        image.save_as(head, enforce_file_format=True)
    except Exception:  # noqa: BLE001
        raise UnreadableImageError(f"has {_unwritable(image)} that can't be written again") from None
    return np.frombuffer(head.getbuffer(), np.uint8)


def _unwritable(image: pydicom.Dataset) -> str:
    """Name the first element that can't be written by itself."""
    for tag in sorted(image.keys()):
        alone = pydicom.Dataset()
        alone.PixelRepresentation = image.PixelRepresentation
        try:
            alone[tag] = image[tag]
            alone.save_as(BytesIO(), implicit_vr=False, little_endian=True)
        except Exception:  # noqa: BLE001
            return label(tag)
    return "elements"


def check_size(shape: tuple[int, int, int], encoding: Encoding, frames: int) -> None:
    """Refuse what DICOM can't hold, before the image is made.

    Args:
        shape: (h, w, c) of each frame.
        encoding: How its values are stored.
        frames: How many there are.

    Raises:
        UnreadableImageError: It can't hold them.
    """
    height, width, _ = shape
    if max(height, width) > _LONGEST_SIDE:
        raise UnreadableImageError(
            f"would become {height} x {width} pixels, where DICOM has room for {_LONGEST_SIDE}", fix="format=tiff"
        )
    length = pixel_bytes(shape, encoding, frames)
    if length > _LARGEST_ELEMENT:
        raise UnreadableImageError(
            f"would have {length:,} bytes of pixels, more than DICOM holds uncompressed", fix="format=tiff"
        )


def pixel_bytes(shape: tuple[int, int, int], encoding: Encoding, frames: int) -> int:
    """Give the length of the pixels, which may be odd; see `check_size`."""
    return frames * shape[0] * shape[1] * encoding.samples * encoding.allocated // _BYTE
