"""PNG, JPEG and BMP of restored images, with the resolution, colour profile and orientation of the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from srexp.data.image import Kind, refusing
from srexp.data.restored_image import Origin, Restored, file_bits

_ORIENTATION, _JPEG_QUALITY = 0x0112, 95
_BYTE = 8


def write(target: Path, kind: Kind, origin: Origin, scale: int, image: Restored) -> None:
    """Write one image: PNG with 8 or 16 bits, JPEG (quality 95, colours at full resolution) and BMP with 8.

    Args:
        target: File to write.
        kind: `png`, `jpeg` or `bmp`.
        origin: The file it came from.
        scale: How many times larger it became.
        image: The restored image.
    """
    from PIL import Image

    bits = file_bits(image.bits) if kind == "png" else _BYTE
    pixels = image.pixels(bits)
    grey = pixels.shape[-1] == 1
    if bits > _BYTE and not grey:
        import imagecodecs  # Pillow has no colours of 16 bits

        target.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
        return
    options = _kept(origin, scale)
    if kind == "jpeg":
        options |= {"quality": _JPEG_QUALITY, "subsampling": 0}
    if kind == "bmp":
        options = {key: value for key, value in options.items() if key == "dpi"}
    Image.fromarray(pixels[..., 0] if grey else pixels).save(target, format=kind.upper(), **options)


def _kept(origin: Origin, scale: int) -> dict[str, Any]:
    """Take over what says how the pixels are to be shown; names, places and thumbnails in EXIF are left behind."""
    if origin.kind not in ("png", "jpeg", "bmp"):
        return {}
    from PIL import Image

    with refusing("damaged or unsupported header"), Image.open(origin.path) as source:
        known: dict[str, Any] = {}
        grey = source.mode in ("1", "L") or source.mode.startswith("I")
        if (profile := source.info.get("icc_profile")) and (grey or source.mode == "RGB"):
            known["icc_profile"] = profile
        if dpi := source.info.get("dpi"):
            known["dpi"] = tuple(float(axis) * scale for axis in dpi)
        if turned := source.getexif().get(_ORIENTATION):
            exif = Image.Exif()
            exif[_ORIENTATION] = turned
            known["exif"] = exif
    return known
