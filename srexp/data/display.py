"""What a file says of how its pixels are to be seen besides their values, as every reader and writer puts it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

#: Millimetres in the units that files name; a name that isn't here says nothing.
UNIT_MM = {
    **dict.fromkeys(("inch", "in", "inches"), 25.4),
    **{
        name: length
        for prefixes, length in (
            (("k", "kilo"), 1e6),
            (("", ""), 1000.0),
            (("c", "centi"), 10.0),
            (("m", "milli"), 1.0),
            (("u", "micro"), 1e-3),
            (("n", "nano"), 1e-6),
            (("p", "pico"), 1e-9),
        )
        for name in (f"{prefixes[0]}m", *(f"{prefixes[1]}{word}" for word in ("meter", "meters", "metre", "metres")))
    },
    **dict.fromkeys(("\u00b5m", "\u03bcm", "\\u00b5m", "micron", "microns"), 1e-3),
}

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

    def finer(self, scale: int) -> Display:
        """Describe an image with `scale` times as many pixels along each axis."""
        old = self.resolution
        return replace(self, resolution=old and Resolution(old.across * scale, old.down * scale, old.unit))

    def turned(self) -> Display:
        """Describe the pixels once they stand upright."""
        old = self.resolution if self.orientation >= _TRANSPOSED else None
        turned = Resolution(old.down, old.across, old.unit) if old else self.resolution
        return replace(self, orientation=1, resolution=turned)


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
