"""Size, precision and scans of a compressed frame, read before a decoder allocates for it and computes."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from srexp.data.image import UnreadableImageError, refusing

_JP2_SIGNATURE, _JP2_CODESTREAM_BOX = b"\x00\x00\x00\x0cjP  ", b"jp2c"
_J2K_START = b"\xff\x4f\xff\x51"
_JPEG_START = b"\xff\xd8"
# ITU-T T.81 table B.1 (SOF0..SOF15 without DHT, JPG, DAC) and T.87 (SOF55, JPEG-LS).
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
# What can follow a scan, whose values have no marker in them besides those at which a decoder starts anew.
_AFTER_VALUES = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_END, _SCAN = 0xD9, 0xDA
#: Scans of a JPEG. Encoders make some ten, optimizers of progressive ones a few dozen.
MOST_SCANS = 100


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a codestream says of itself before its values.

    Args:
        rows: Height.
        columns: Width.
        components: 1 for grey, 3 for colour.
        precision: Bits per component.
        signed: Whether components are signed; None where the format can't tell (JPEG, JPEG-LS).
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None


def frame_header(frame: bytes) -> FrameHeader | None:
    """Read the frame header of a JPEG, JPEG-LS or JPEG 2000 codestream.

    Args:
        frame: One compressed frame.

    Returns:
        The header; None when the frame is none of these (RLE carries no size).

    Raises:
        UnreadableImageError: It begins like one of these and breaks off before it says its size.

    Example:
        >>> frame_header(bytes.fromhex("ffd8 ffc0 000b 08 0010 0020 01 011100"))
        FrameHeader(rows=16, columns=32, components=1, precision=8, signed=None)
    """
    with refusing("damaged compressed frame"):
        if frame.startswith(_JP2_SIGNATURE):
            box = frame.index(_JP2_CODESTREAM_BOX)
            return _jpeg_2000(frame[box + len(_JP2_CODESTREAM_BOX) :])
        if frame.startswith(_J2K_START):
            return _jpeg_2000(frame)
        if frame.startswith(_JPEG_START):
            return _jpeg(frame)
    return None


def require_few_scans(stream: bytes) -> None:
    """Refuse a JPEG of which a decoder would go through all pixels again and again.

    Args:
        stream: The whole codestream, or anything else, which is let pass.

    Raises:
        UnreadableImageError: It has more than `MOST_SCANS` scans.
    """
    position, scans = len(_JPEG_START), 0
    while stream.startswith(_JPEG_START) and (found := _AFTER_VALUES.search(stream, position)):
        marker, position = stream[found.end() - 1], found.end()
        if marker == _END:
            return
        scans += marker == _SCAN
        if scans > MOST_SCANS:
            raise UnreadableImageError(
                f"holds a JPEG of more than {MOST_SCANS} scans, where some ten are usual", fix="save it again as PNG"
            )
        position += int.from_bytes(
            stream[position : position + 2]
        )  # the length of a segment, its own two bytes included


def _jpeg_2000(frame: bytes) -> FrameHeader:
    """Read the SIZ segment (ITU-T T.800 A.5.1)."""
    if not frame.startswith(_J2K_START):
        raise UnreadableImageError("damaged compressed frame (no SIZ)")
    x_size, y_size, x_offset, y_offset = struct.unpack_from(">4I", frame, 8)
    (components,) = struct.unpack_from(">H", frame, 40)
    depth = frame[42]
    return FrameHeader(y_size - y_offset, x_size - x_offset, components, (depth & 0x7F) + 1, bool(depth & 0x80))


def _jpeg(frame: bytes) -> FrameHeader:
    """Walk the segments up to the frame header (ITU-T T.81 B.2.2)."""
    position = len(_JPEG_START)
    while True:
        if frame[position] != 0xFF:  # noqa: PLR2004
            raise UnreadableImageError("damaged compressed frame (no marker)")
        marker = frame[position + 1]
        if marker in _FRAME_MARKERS:
            precision, rows, columns, components = struct.unpack_from(">BHHB", frame, position + 4)
            return FrameHeader(rows, columns, components, precision, None)
        if marker == 0xFF:  # noqa: PLR2004 (a fill byte)
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        else:
            position += 2 + struct.unpack_from(">H", frame, position + 2)[0]
