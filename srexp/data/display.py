"""What a file says of how its pixels are to be seen besides their values, as every reader and writer puts it."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

_POWERS = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "": 0,
    "d": -1, "c": -2, "m": -3, "u": -6, "\u03bc": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
_WORDS = {"kilo": 3, "": 0, "centi": -2, "milli": -3, "micro": -6, "nano": -9, "pico": -12}
_INCH, _METRE = 25.4, 1000.0
_ASTRONOMICAL_UNIT = 149_597_870_700 * _METRE  # International Astronomical Union, resolution B2 of 2012
#: Millimetres in the units that files name: OME's units of length (ome.xsd 2016-06, UnitsLength), then how people call
#: them. Case tells megametres from millimetres.
UNIT_MM = {
    **{f"{prefix}m": float(f"1e{power + 3}") for prefix, power in _POWERS.items()},
    "\u00c5": 1e-7,
    "ua": _ASTRONOMICAL_UNIT,
    "ly": 9_460_730_472_580_800 * _METRE,
    "pc": _ASTRONOMICAL_UNIT * 648_000 / math.pi,
    "thou": _INCH / 1000,
    "li": _INCH / 12,
    "in": _INCH,
    "ft": 304.8,
    "yd": 914.4,
    "mi": 1_609_344.0,
    "pt": _INCH / 72,
    **{
        f"{prefix}{word}": float(f"1e{power + 3}")
        for prefix, power in _WORDS.items()
        for word in ("meter", "meters", "metre", "metres")
    },
    "inch": _INCH,
    "inches": _INCH,
    "micron": 1e-3,
    "microns": 1e-3,
}
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})")  # Java's way, and ImageJ's

# TIFF 6.0 tag 274: from 5 on, stored rows are columns; afterwards the image stands on its head, or is mirrored.
_TRANSPOSED, _ORIENTATIONS = 5, range(1, 9)
_UPSIDE_DOWN, _MIRRORED = (3, 4, 7, 8), (2, 3, 6, 7)


@dataclass(frozen=True, slots=True)
class Resolution:
    """How many pixels there are in a length, along a row and along a column as they are stored.

    Args:
        across: Pixels of a row in one unit.
        down: Pixels of a column in one unit.
        unit: Length of the unit in mm; None where only the ratio of both figures means something.
    """

    across: float
    down: float
    unit: float | None

    @classmethod
    def of(cls, pixels: Any, unit: float | None) -> Resolution | None:
        """Take what a file says, two numbers or fractions (across, down); None where that is no resolution."""
        try:
            across, down = map(cls.fraction, pixels)
        except (TypeError, ValueError):
            return None
        return cls(across, down, unit) if across and down else None

    @staticmethod
    def fraction(said: Any) -> float | None:
        """Take a number or a fraction (numerator, denominator); None where it is none above 0."""
        try:
            number = said[0] / said[1] if isinstance(said, tuple) else float(said)
        except (TypeError, ValueError, ArithmeticError, IndexError):
            return None
        return number if 0 < number < math.inf else None

    @classmethod
    def of_pixel(cls, size: Any, unit: float | None) -> Resolution | None:
        """Take width and height of a pixel, as `of` does."""
        pixel = cls.of(size, unit)
        return pixel and cls.of((1 / pixel.across, 1 / pixel.down), unit)

    def per(self, unit: float | None) -> tuple[float, float]:
        """Count in another unit.

        Args:
            unit: Its length in mm; None, and a resolution without unit, leave the figures alone.

        Returns:
            Pixels across and down.

        Example:
            >>> Resolution(300, 150, 25.4).per(254)
            (3000.0, 1500.0)
        """
        factor = unit / self.unit if unit and self.unit else 1
        return self.across * factor, self.down * factor

    def ratio(self) -> tuple[int, int]:
        """Say the shape of a pixel, which is height to width, in whole numbers."""
        return Fraction(self.across / self.down).limit_denominator(1000).as_integer_ratio()


@dataclass(frozen=True, slots=True)
class Display:
    """How the pixels of an image are to be seen.

    Args:
        orientation: How stored pixels have to be turned to stand upright, 1 to 8 (TIFF 6.0 tag 274, EXIF 0x0112).
        resolution: Size of a pixel.
        profile: Colour profile of the ICC.
        tone: What is said of the colours besides the profile: a PNG's chunks (kind, content), a TIFF's tags (number,
            type, count, value), or that a BMP does so.
        place: Where the image lies on its page, across and down, in mm, or in what resolution counts without a unit.
        window: Whether a range of the stored values is named that is to be shown, from black to white.
        planes: Distance between this image and the next one of a stack, in mm.
        stack: Lines of an ImageJ description that say what the pages of a stack are, and in what unit.
        channels: What ImageJ says of its channels: colours (`LUTs`, bytes) and ranges to be shown (`Ranges`).
        negative: Whether the page of a TIFF stores its values in two's complement.
        inverted: Whether larger values that it stores are darker.
        unmeasured: Why what is said of the size of a pixel is no size, such as its unit, which is no length.
    """

    orientation: int = 1
    resolution: Resolution | None = None
    profile: bytes | None = None
    tone: tuple[tuple[Any, ...], ...] = ()
    place: tuple[float, float] | None = None
    window: bool = False
    planes: float | None = None
    stack: tuple[str, ...] = ()
    channels: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    negative: bool = False
    inverted: bool = False
    unmeasured: str = ""

    def finer(self, scale: int) -> Display:
        """Describe an image with `scale` times as many pixels along each axis."""
        old = self.resolution
        return replace(self, resolution=old and Resolution(old.across * scale, old.down * scale, old.unit))

    def turned(self) -> Display:
        """Describe the pixels once they stand upright."""
        old = self.resolution if self.orientation >= _TRANSPOSED else None
        turned = Resolution(old.down, old.across, old.unit) if old else self.resolution
        return replace(self, orientation=1, resolution=turned)


def length_of(unit: str) -> float | None:
    r"""Say how long a unit is, in mm, by the name that a file gives it.

    Args:
        unit: The name; in the case of OME's units, or in any where it is another one then.

    Returns:
        None for what is no length, such as a pixel.

    Example:
        >>> length_of("Mm"), length_of("MM"), length_of("\\u00B5m"), length_of("pixel")
        (1000000000.0, 1.0, 0.001, None)
    """
    name = unicodedata.normalize("NFKC", _ESCAPED.sub(lambda found: chr(int(found[1], 16)), unit))
    return UNIT_MM.get(name, UNIT_MM.get(name.lower()))


def orientation_of(value: Any) -> int:
    """Take what a file says; what is no orientation turns nothing.

    Example:
        >>> orientation_of(6), orientation_of(0), orientation_of(None)
        (6, 1, 1)
    """
    return int(value) if isinstance(value, int) and value in _ORIENTATIONS else 1


def upright(pixels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Turn stored pixels so that they are seen as they are meant.

    Args:
        pixels: (h, w) or (h, w, c), as stored.
        orientation: See `Display`.

    Returns:
        A view; height and width are exchanged from orientation 5 on.

    Example:
        >>> upright(np.array([[1, 2], [3, 4]]), 6).tolist()
        [[3, 1], [4, 2]]
    """
    standing = pixels.swapaxes(0, 1) if orientation >= _TRANSPOSED else pixels
    return _flipped(standing, orientation)


def as_stored(pixels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Turn upright pixels back, see `upright`.

    Example:
        >>> as_stored(np.array([[3, 1], [4, 2]]), 6).tolist()
        [[1, 2], [3, 4]]
    """
    flipped = _flipped(pixels, orientation)
    return flipped.swapaxes(0, 1) if orientation >= _TRANSPOSED else flipped


def upright_size(height: int, width: int, orientation: int) -> tuple[int, int]:
    """Give height and width of the upright image."""
    return (width, height) if orientation >= _TRANSPOSED else (height, width)


def _flipped(pixels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    rows = slice(None, None, -1) if orientation in _UPSIDE_DOWN else slice(None)
    columns = slice(None, None, -1) if orientation in _MIRRORED else slice(None)
    return pixels[rows, columns]
