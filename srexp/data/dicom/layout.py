"""Where in a DICOM file the pixels lie, and whether they are all there."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

import pydicom
from pydicom.uid import UID

from srexp.data.image import UnreadableImageError

_PIXEL_DATA = (0x7FE0, 0x0010)
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_HEAD = 8


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pixels lie.

    Args:
        start: Position of the first byte of the pixel element's value.
        length: Bytes from there to the end of the file.
        vr: Value representation of the element, None where it is implicit.
        fragments: Position and length of each compressed piece; empty when the pixels are not compressed.
    """

    start: int
    length: int
    vr: str | None
    fragments: tuple[tuple[int, int], ...]


def layout_of(file: BinaryIO, dataset: pydicom.Dataset, syntax: UID) -> Layout:
    """Read on from the tag of the pixel element (PS3.5 7.1 and A.4).

    Args:
        file: The file, where reading stopped before the pixels.
        dataset: What was read of it.
        syntax: How the pixels are encoded.

    Returns:
        The layout.

    Raises:
        UnreadableImageError: There are no pixels, or they break off.
    """
    implicit, little_endian = dataset.original_encoding
    head = file.read(_HEAD)
    if len(head) < _HEAD:
        raise UnreadableImageError("holds no pixel data")
    if struct.unpack("<HH" if little_endian else ">HH", head[:4]) != _PIXEL_DATA:
        raise UnreadableImageError("holds floating-point pixel data, which has no stored bit depth")
    if not implicit:
        file.seek(4, os.SEEK_CUR)
    start, size = file.tell(), os.fstat(file.fileno()).st_size
    fragments = _fragments(file, size) if syntax.is_encapsulated else ()
    return Layout(start, size - start, None if implicit else head[4:6].decode("ascii", "replace"), fragments)


def _fragments(file: BinaryIO, size: int) -> tuple[tuple[int, int], ...]:
    """Follow the items to the delimiter that ends them; the first is a table of offsets and no fragment."""
    items: list[tuple[int, int]] = []
    while len(head := file.read(_HEAD)) == _HEAD:
        *tag, length = struct.unpack("<HHI", head)
        position = file.tell()
        if tuple(tag) == _SEQUENCE_END:
            return tuple(items[1:])
        if tuple(tag) != _ITEM or position + length > size:
            break
        items.append((position, length))
        file.seek(length, os.SEEK_CUR)
    raise UnreadableImageError("is truncated or damaged: its compressed pixel data have no end")


def check_complete(layout: Layout, frames: int, frame_bytes: int) -> None:
    """Refuse an image that the file is too short for, before anything of the claimed size is made.

    Args:
        layout: Where the pixels lie.
        frames: How many frames are claimed.
        frame_bytes: Bytes of one, when it is not compressed.

    Raises:
        UnreadableImageError: Pixels or frames are missing.
    """
    if layout.fragments:
        if len(layout.fragments) < frames:
            raise UnreadableImageError(f"is truncated: {len(layout.fragments)} compressed pieces for {frames} frames")
    elif layout.length < frames * frame_bytes:
        raise UnreadableImageError(
            f"is truncated: {layout.length:,} bytes of pixel data where {frames * frame_bytes:,} are needed"
        )


def encoded_frame(file: BinaryIO, layout: Layout, frame: int, frames: int) -> bytes | None:
    """Read a compressed frame, where the pieces say which it is.

    Args:
        file: The file.
        layout: Where the pixels lie.
        frame: Which frame, from 0.
        frames: How many there are.

    Returns:
        The frame; None when only an offset table can tell which pieces belong to it.
    """
    if frames == 1:
        pieces = layout.fragments
    elif len(layout.fragments) == frames:
        pieces = layout.fragments[frame : frame + 1]
    else:
        return None
    encoded = bytearray()
    for position, length in pieces:
        file.seek(position)
        encoded += file.read(length)
    return bytes(encoded)
