"""TIFF of restored images: a page for each, with the bits, sign, polarity and resolution of the original page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from srexp.data.image import Numbers, refusing
from srexp.data.restored_image import Origin, Provenance, Restored, file_bits

_WHITE_IS_ZERO, _BYTE, _WORD = 0, 8, 16
_RESOLUTION, _PROFILE = 282, 34675


def write(target: Path, origin: Origin, made: Provenance, images: Iterable[Restored]) -> None:
    """Write pages as they come, compressed without loss where whole bytes are stored.

    Args:
        target: File to write.
        origin: The file they came from.
        made: Who made them.
        images: The restored images.
    """
    with tifffile.TiffWriter(target) as file:
        for image in images:
            options = _as_before(origin, image, made.scale) if origin.kind == "tiff" else {}
            bits = options.pop("bits", file_bits(image.bits))
            values: Numbers = image.pixels(bits)
            if options.pop("white_is_zero", False):
                values = 2**bits - 1 - values
            if options.pop("signed", False):
                values = (values.astype(np.int32) - 2 ** (bits - 1)).astype(np.int8 if bits <= _BYTE else np.int16)
            whole = bits in (_BYTE, _WORD)
            grey = values.shape[-1] == 1
            file.write(
                values[..., 0] if grey else values,
                photometric=options.pop("photometric", "minisblack" if grey else "rgb"),
                description=made.sentence(),
                software=f"srexp {made.version}",
                metadata=None,
                compression="zlib" if whole else None,
                **({} if whole else {"bitspersample": bits}),
                **options,
            )


def _as_before(origin: Origin, image: Restored, scale: int) -> dict[str, Any]:
    """Read off a page how its values are stored."""
    with refusing("damaged TIFF directory"), tifffile.TiffFile(origin.path) as file:
        page: Any = file.pages[image.frame]
        known: dict[str, Any] = {"bits": image.bits}
        if page.dtype.kind == "i" and origin.intensity == "bits":
            known["signed"] = True
        if int(page.photometric) == _WHITE_IS_ZERO and origin.intensity == "bits":
            known |= {"white_is_zero": True, "photometric": "miniswhite"}
        if _RESOLUTION in page.tags:
            known["resolution"] = tuple(axis * scale for axis in page.resolution)
            known["resolutionunit"] = page.resolutionunit
        if (profile := page.tags.get(_PROFILE)) is not None:
            known["iccprofile"] = profile.value
    return known
