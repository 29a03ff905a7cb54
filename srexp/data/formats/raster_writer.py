"""PNG, JPEG and BMP of restored images, with what the file says of how its pixels are to be seen."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from srexp.data.display import Display, as_stored
from srexp.data.formats.raster import METRE
from srexp.data.image import Kind, UnreadableImageError
from srexp.data.restored_image import Restored, file_bits

_ORIENTATION, _JPEG_QUALITY = 0x0112, 95
_LONGEST_SIDE: dict[Kind, int] = {"jpeg": 65500, "png": 10**6}  # which libjpeg and libpng write
_BYTE, _HEADER_END, _INCH, _BMP_BYTES = 8, 33, 25.4, 2**32 - 2**12


def write(target: Path, kind: Kind, image: Restored) -> None:
    """Write one image: PNG with 8 or 16 bits, JPEG (quality 95, colours at full resolution) and BMP with 8.

    Args:
        target: File to write.
        kind: `png`, `jpeg` or `bmp`.
        image: The restored image.

    Raises:
        UnreadableImageError: It is too large for such a file.
    """
    from PIL import Image

    _require_room(kind, image.shape)
    pixels = as_stored(image.pixels(file_bits(image.bits) if kind == "png" else _BYTE), image.display.orientation)
    values = np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    if kind == "png":
        import imagecodecs  # Pillow has no colours of 16 bits

        content = imagecodecs.png_encode(values)
        target.write_bytes(content[:_HEADER_END] + _chunks(image.display) + content[_HEADER_END:])
        return
    options: dict[str, Any] = {"dpi": (0, 0)} if kind == "bmp" else {}  # Pillow would say 96
    if resolution := image.display.resolution:
        options["dpi"] = resolution.per(_INCH)
    if kind == "jpeg":
        options |= {"quality": _JPEG_QUALITY, "subsampling": 0, "icc_profile": image.display.profile}
        options["exif"] = _exif(image.display)
    Image.fromarray(values).save(target, format=kind.upper(), **options)


def _require_room(kind: Kind, shape: tuple[int, int, int]) -> None:
    """Refuse what the kind of file can't hold, before the image is made."""
    height, width, colours = shape
    longest = _LONGEST_SIDE.get(kind)
    if longest and max(shape) > longest:
        raise UnreadableImageError(
            f"would become {height} x {width} pixels, where {kind.upper()} has room for {longest}", fix="format=tiff"
        )
    needed = height * (width * colours + 3)  # rows are whole words
    if kind == "bmp" and needed > _BMP_BYTES:
        raise UnreadableImageError(f"would have {needed:,} bytes of pixels, more than BMP holds", fix="format=tiff")


def _exif(display: Display) -> bytes:
    """Say the orientation and nothing else: names, places and thumbnails are left behind."""
    from PIL import Image

    exif = Image.Exif()
    if display.orientation > 1:
        exif[_ORIENTATION] = display.orientation
    return exif.tobytes() if exif else b""


def _chunks(display: Display) -> bytes:
    """Describe a PNG (PNG specification 11.3); all of it may stand behind the header."""
    chunks: dict[bytes, bytes] = dict(display.tone)
    if display.profile:
        chunks[b"iCCP"] = b"ICC profile\0\0" + zlib.compress(display.profile)
    if resolution := display.resolution:
        per_unit = (round(each) for each in resolution.per(METRE))
        chunks[b"pHYs"] = struct.pack(">IIB", *per_unit, resolution.unit is not None)
    if exif := _exif(display):
        chunks[b"eXIf"] = exif.removeprefix(b"Exif\0\0")
    return b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
