"""TIFF of restored images: a page for each, with bits, sign and polarity of the original, and how it is to be seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from srexp.data.display import Display, as_stored
from srexp.data.formats.tiff import restored_bytes
from srexp.data.formats.tiff_tags import OF_VALUES, ORIENTATION, PLACE, UNITS
from srexp.data.image import Numbers
from srexp.data.restored_image import Origin, Provenance, Restored, file_bits

_BYTE, _WORD = 8, 16
_SHORT, _RATIONAL, _CENTIMETRE = 3, 5, 10.0
_COUNTS = ("channels=", "slices=", "frames=")  # of a stack; a page that is written alone is none
_CLASSIC_BYTES = 2**32 - 2**25  # what offsets of 32 bits reach, but for the directories


def write(target: Path, origin: Origin, made: Provenance, images: Iterable[Restored]) -> None:
    """Write pages as they come, compressed without loss where whole bytes are stored.

    Args:
        target: File to write; a BigTIFF where the pages may need more than 4 GB.
        origin: The file they came from.
        made: Who made them.
        images: The restored images.
    """
    pages = iter(images)
    first = next(pages)
    if origin.kind == "tiff":
        needed = restored_bytes(origin.path, origin.frames, made.scale)
    else:
        needed = len(origin.frames) * int(np.prod(first.shape)) * file_bits(first.bits) // _BYTE
    needed += len(origin.frames) * len(first.display.profile or b"")
    with tifffile.TiffWriter(target, bigtiff=needed > _CLASSIC_BYTES, byteorder="<") as file:
        for image in chain([first], pages):
            _write_page(file, origin, made, image)


def _write_page(file: tifffile.TiffWriter, origin: Origin, made: Provenance, image: Restored) -> None:
    options = _as_before(origin, image) if origin.kind == "tiff" else {}
    bits = options.pop("bits", file_bits(image.bits))
    values: Numbers = as_stored(image.pixels(bits), image.display.orientation)
    if options.pop("white_is_zero", False):
        values = 2**bits - 1 - values
    if options.pop("signed", False):
        values = (values.astype(np.int32) - 2 ** (bits - 1)).astype(np.int8 if bits <= _BYTE else np.int16)
    whole = bits in (_BYTE, _WORD)
    grey = values.shape[-1] == 1
    file.write(
        np.ascontiguousarray(values[..., 0] if grey else values),
        photometric=options.pop("photometric", "minisblack" if grey else "rgb"),
        description="\n".join(_description(origin, made, image)),
        software=f"srexp {made.version}",
        metadata=None,
        compression="zlib" if whole else None,
        **({} if whole else {"bitspersample": bits}),
        **_tags(image.display, origin, first=image.frame == origin.frames[0]),
        **options,
    )


def _description(origin: Origin, made: Provenance, image: Restored) -> Iterator[str]:
    """Say who made it, and in ImageJ's way what the pages of its stack are."""
    stack = image.display.stack if image.frame == origin.frames[0] else ()
    if not stack:
        yield made.sentence()
        return
    yield from ("ImageJ=1.11a", f"images={len(origin.frames)}")
    lost = (*(() if origin.intensity == "bits" else OF_VALUES), *(() if len(origin.frames) > 1 else _COUNTS))
    yield from (line for line in stack if not line.startswith(lost))
    yield f"srexp={made.sentence()}"


def _tags(display: Display, origin: Origin, *, first: bool) -> dict[str, Any]:
    tags: dict[str, Any] = {"iccprofile": display.profile} if display.profile else {}
    tags["extratags"] = [(*tag, True) for tag in display.tone]
    if display.orientation > 1:
        tags["extratags"].append((ORIENTATION, _SHORT, 1, display.orientation, True))
    if first:
        tags["extratags"] += _channels(display, origin)
    if resolution := display.resolution:
        unit = resolution.unit
        if any(line.startswith("unit=") for line in display.stack):  # ImageJ counts in the unit that it names
            unit = None
        elif unit not in UNITS.values():
            unit = _CENTIMETRE
        tags["resolution"] = resolution.per(unit)
        for code, place in zip(PLACE, display.place or (), strict=False):  # of a TIFF alone
            share = Fraction(place / (unit or 1)).limit_denominator(10**5)
            tags["extratags"].append((code, _RATIONAL, 1, share.as_integer_ratio(), True))
        tags["resolutionunit"] = next(code for code, length in UNITS.items() if length == unit)
    return tags


def _channels(display: Display, origin: Origin) -> Iterable[tuple[Any, ...]]:
    """Say in ImageJ's way what its channels look like; ranges of other values are true no more."""
    several = any(line.startswith(_COUNTS[0]) for line in display.stack)
    known: dict[str, Any] = {} if several and len(origin.frames) == 1 else dict(display.channels)
    if "LUTs" in known:
        known["LUTs"] = [np.frombuffer(colours, np.uint8).reshape(3, -1) for colours in known["LUTs"]]
    if origin.intensity != "bits":
        known.pop("Ranges", None)
    return tifffile.imagej_metadata_tag(known, "<") if known else ()


def _as_before(origin: Origin, image: Restored) -> dict[str, Any]:
    """Say how the values of the original page are stored."""
    known: dict[str, Any] = {"bits": image.bits}
    if origin.intensity == "bits":
        known["signed"] = image.display.negative
        known |= {"white_is_zero": True, "photometric": "miniswhite"} if image.display.inverted else {}
    return known
