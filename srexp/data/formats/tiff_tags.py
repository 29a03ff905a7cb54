"""What the tags of a TIFF say of how its pages are to be seen, in the words of TIFF, ImageJ and OME."""

from __future__ import annotations

import contextlib
import html
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from srexp.data.display import Display, Resolution, length_of, orientation_of

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

ORIENTATION, PROFILE = 274, 34675
WHITE_IS_ZERO = 0  # of tag 262
_BLACK_IS_ZERO, _RGB, _BYTE = 1, 2, 8
_COLOURS = (318, 319)  # TIFF 6.0, section 20: white point and primary colours
_CURVES = (290, 291, 301, 342, 532)  # how values become optical density, and light; which are black and white
#: Place of the image on its page, across and down, in units of its resolution.
PLACE = (286, 287)
_UIC2 = 33629  # of MetaMorph; it has a value for each plane
_ACROSS, _DOWN, _UNIT, _INCH = 282, 283, 296, 2
#: TIFF 6.0 tag 296, in mm.
UNITS: dict[int, float | None] = {1: None, _INCH: 25.4, 3: 10.0}

# Lines of ImageJ's description that stay true of an enlarged image.
_STACK = re.compile(
    r"(?:channels|slices|frames|spacing|finterval|fps|min|max)=-?[\d.eE+-]{1,24}|(?:hyperstack|loop)=(?:true|false)"
    r"|mode=(?:color|grayscale|composite|gray)|(?:cf|c[0-9])=-?[\d.eE+-]{1,24}|vunit=[\w %/^.-]{1,16}"
)
#: Beginnings of the lines that are true of the stored values alone.
OF_VALUES = ("min=", "max=", "cf=", *(f"c{number}=" for number in range(10)), "vunit=")
_UNIT_NAME, _NO_UNITS = re.compile(r"[A-Za-z/^\d]{1,8}"), ("pixel", "pixels", "px", "None")
_CHANNELS = ("LUTs", "Ranges")
_OME_PIXELS = re.compile(r"""\bPhysicalSize([XYZ])(Unit)?\s*=\s*(["'])(.{1,40}?)\3""")
_OME_OTHERS = ("pixel", "reference frame")  # of its units of length
_MICROMETRE = "\u00b5m"  # where OME names no unit


def display_of(file: TiffFile, page: TiffPage) -> Display:
    """Read what is said of a page besides its values; what is damaged there says nothing.

    Args:
        file: The file, whose description may speak of all pages.
        page: The page.

    Returns:
        Orientation, size of a pixel, colour profile, what is known of a stack, and how values are stored.
    """
    tags = page.tags
    across, down, unit = tags.valueof(_ACROSS), tags.valueof(_DOWN), UNITS.get(tags.valueof(_UNIT, default=_INCH))
    planes, stack, channels = None, tuple[str, ...](), tuple[tuple[str, tuple[Any, ...]], ...]()
    if file.is_imagej:
        known: dict[str, Any] = file.imagej_metadata or {}
        named, planes = str(known.get("unit", "")), _number(known.get("spacing"))
        stack = tuple(line for line in str(file.pages.first.description).splitlines() if _STACK.fullmatch(line))
        channels = tuple((key, tuple(map(_plain, known[key]))) for key in _CHANNELS if key in known)
        if length_of(named) or (_UNIT_NAME.fullmatch(named) and named not in _NO_UNITS):
            unit, stack = length_of(named), (*stack, f"unit={_escaped(named)}")
    resolution, unmeasured = Resolution.of((across, down), unit), ""
    if file.is_ome:
        sizes = _ome_sizes(file.ome_metadata or "")
        in_mm = {axis: number * (length_of(named) or 0) for axis, (number, named) in sizes.items()}
        resolution = Resolution.of_pixel([in_mm.get("X"), in_mm.get("Y")], 1.0) or resolution
        unmeasured, planes = _unmeasured(sizes), in_mm.get("Z")
    profile = tags.valueof(PROFILE)
    return Display(
        orientation=orientation_of(tags.valueof(ORIENTATION)),
        resolution=resolution,
        profile=profile if isinstance(profile, bytes) else None,
        tone=_tone(page),
        place=None if file.is_imagej or file.is_ome else _place(page),  # which count in other units
        window="Ranges" in dict(channels) or any(line.startswith("max=") for line in stack),
        planes=planes,
        stack=stack,
        channels=channels,
        negative=page.dtype is not None and page.dtype.kind == "i",
        inverted=int(page.photometric) == WHITE_IS_ZERO,
        unmeasured=unmeasured,
    )


def _ome_sizes(description: str) -> dict[str, tuple[float, str]]:
    """Give what the first image of OME says a voxel measures: for each axis a number above 0, and its unit."""
    found = reversed(_OME_PIXELS.findall(description))
    said = {axis + kind: html.unescape(value) for axis, kind, _, value in found}
    numbers = {axis: Resolution.fraction(said.get(axis)) for axis in "XYZ"}
    return {axis: (number, said.get(f"{axis}Unit", _MICROMETRE)) for axis, number in numbers.items() if number}


def _unmeasured(sizes: Mapping[str, tuple[float, str]]) -> str:
    """Say in which words, if any, the size of a pixel is no length; a unit that may be a name isn't repeated."""
    named = [sizes[axis][1] for axis in "XY" if axis in sizes]
    other = next((unit for unit in named if length_of(unit) is None), None)
    if other is None:
        return "along one axis alone" if len(named) == 1 else ""
    known = other in _OME_OTHERS or _UNIT_NAME.fullmatch(other)
    return f"in {other}, which is no length," if known else "in a unit that isn't known"


def _escaped(unit: str) -> str:
    """Write a unit as ImageJ does, whose descriptions are ASCII."""
    return "".join(letter if letter.isascii() else f"\\u{ord(letter):04X}" for letter in unit)


def described_planes(file: TiffFile) -> int:
    """Count the planes of which a description speaks: one directory may stand for a whole stack.

    Args:
        file: A file of ImageJ, MetaMorph (STK) or tifffile's own kind.

    Returns:
        Their number, 0 where nothing is said.
    """
    with contextlib.suppress(TypeError, ValueError, KeyError, AttributeError, IndexError):
        if file.is_imagej:
            return int((file.imagej_metadata or {}).get("images", 0))
        if file.is_stk:
            return file.pages.first.tags[_UIC2].count
        if file.is_shaped:
            described = [dict(each) for each in file.shaped_metadata or ()]
            page: Any = file.pages.first
            return sum(math.prod(each["shape"]) // max(1, page.size) for each in described if each.get("truncated"))
    return 0


def _tone(page: TiffPage) -> tuple[tuple[Any, ...], ...]:
    """Give the tags that say of which colours samples are; the curve goes by values, which must stay those stored."""
    as_stored = int(page.photometric) in (_BLACK_IS_ZERO, _RGB) and int(page.bitspersample) >= _BYTE
    found = [page.tags.get(code) for code in (*_COLOURS, *(_CURVES if as_stored else ()))]
    return tuple((tag.code, int(tag.dtype), tag.count, tuple(np.ravel(tag.value).tolist())) for tag in found if tag)


def _place(page: TiffPage) -> tuple[float, float] | None:
    """Give where the image lies on its page, in mm, or as it is said where there is no unit; None: nowhere is said."""
    across, down = (Resolution.fraction(page.tags.valueof(code)) for code in PLACE)
    unit = UNITS.get(page.tags.valueof(_UNIT, default=_INCH)) or 1.0
    return ((across or 0) * unit, (down or 0) * unit) if across or down else None


def _plain(value: Any) -> float | bytes:
    return float(value) if isinstance(value, int | float) else bytes(value.tobytes())


def _number(value: Any) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        return float(value)
    return None
