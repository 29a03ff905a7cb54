"""One decoded image with the bit depth it was stored in, and its conversion to the channel that is trained."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.data.display import Display, upright
from srexp.errors import RequestError
from srexp.types import Pixels

Channel: TypeAlias = Literal["grey", "y", "rgb"]
Intensity: TypeAlias = Literal["bits", "window", "percentile"]
Kind: TypeAlias = Literal["png", "jpeg", "bmp", "tiff", "dicom", "nifti", "npy"]
Integers: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Numbers: TypeAlias = npt.NDArray[Any]

# ITU-R BT.601, equation for E'Y, and MATLAB rgb2ycbcr (studio range 16..235 of 8 bits).
_LUMA = np.array([0.299, 0.587, 0.114])
_STUDIO_LUMINANCE = np.array([65.481, 128.553, 24.966])
_STUDIO_OFFSET = 16.0

_BYTE, _RANK_WITH_CHANNEL = 8, 3

#: Largest image accepted, in pixels: ten times the largest mammogram, a fifth of what exhausts a small machine.
MAX_PIXELS = 100_000_000


class UnreadableImageError(RequestError):
    """A file that can't be used as an image, and why.

    Args:
        reason: One line, without any text taken from the file: DICOM text may identify a person.
        fix: What the user can do about this file.
    """

    def __init__(self, reason: str, *, fix: str = "") -> None:
        self.reason = reason
        super().__init__(reason, fix=fix)

    def told(self) -> str:
        """Say reason and mend in one line.

        Returns:
            To be put after the name of the file.
        """
        return f"{self.reason} (fix: {self.fix})" if self.fix else self.reason


class UnreachableImageError(UnreadableImageError):
    """What has an image's name and can't be opened: forbidden, a link to itself, a pipe, a share that is gone."""


class TooManyPixelsError(UnreadableImageError):
    """A file that claims more pixels than `MAX_PIXELS`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One decoded image, as stored: brighter is larger, black is 0, white is `2**bits - 1`.

    Args:
        pixels: (h, w, c), uint8 up to 8 bits and uint16 above, in 0..2**bits-1; c is 1 or 3 (red, green, blue).
        bits: Stored bit depth, 1 to 16. It decides the range; the values never do.
        lossy: Whether the pixels come out of a lossy compression.
        display: What the file says of how they are to be seen; they stand upright already.

    Example:
        >>> Stored(np.array([[[0], [4095]]], np.uint16), bits=12, lossy=False).to_float().ravel().tolist()
        [0.0, 1.0]
    """

    pixels: Integers
    bits: int
    lossy: bool
    display: Display = field(default_factory=Display)

    @property
    def max_value(self) -> int:
        """White: the largest value that the bit depth can hold."""
        return int(2**self.bits - 1)

    def to_float(self) -> Pixels:
        """Scale to [0, 1] by the bit depth.

        Returns:
            (h, w, c), float32 in [0, 1].
        """
        return self.pixels.astype(np.float32) / np.float32(self.max_value)

    def digest(self) -> str:
        """Identify the content: SHA-256 of shape, bit depth and pixels, the same on every machine.

        Returns:
            64 hexadecimal digits.
        """
        header = ",".join(str(number) for number in (*self.pixels.shape, self.bits))
        little_endian = np.ascontiguousarray(self.pixels, dtype="<u2" if self.bits > _BYTE else "u1")
        return hashlib.sha256(header.encode() + b"\n" + little_endian.tobytes()).hexdigest()


def stored(values: Numbers, bits: int, *, lossy: bool) -> Stored:
    """Hold decoded values in the smallest unsigned type that fits, with a channel axis.

    Args:
        values: (h, w) or (h, w, c), integers in 0..2**bits-1 of any type.
        bits: Stored bit depth.
        lossy: Whether the values come out of a lossy compression.

    Returns:
        The image; its pixels are contiguous and can't be written to.

    Example:
        >>> stored(np.array([[0, 300]]), 10, lossy=False).pixels.shape
        (1, 2, 1)
    """
    with_channel = values if values.ndim == _RANK_WITH_CHANNEL else values[..., np.newaxis]
    pixels = _integers(np.ascontiguousarray(with_channel), bits)
    pixels.flags.writeable = False
    return Stored(pixels, bits, lossy)


def displayed(image: Stored, display: Display) -> Stored:
    """Turn decoded pixels upright, and note what the file says of how they are to be seen.

    Args:
        image: The image, its pixels as they lie in the file.
        display: What the file says.

    Returns:
        The image, as everything beyond the readers sees it.
    """
    pixels = np.ascontiguousarray(upright(image.pixels, display.orientation))
    pixels.flags.writeable = False
    return replace(image, pixels=pixels, display=display)


def to_channel(image: Stored, channel: Channel) -> Stored:
    """Convert to the channel that is trained and scored, at the same bit depth.

    Args:
        image: The stored image, grey or colour.
        channel: `grey` is BT.601 luma over the full range; `y` is the luminance of MATLAB's rgb2ycbcr
            (16 + 65.481 R + 128.553 G + 24.966 B, with R, G, B in [0, 1] and 8 bits; scaled alike to other depths),
            the super-resolution literature's choice for colour photographs; `rgb` keeps or repeats the channels.

    Returns:
        One channel for `grey` and `y`, three for `rgb`, without the description of the file. The pixels of a grey
        image stay as they are under `grey` and `y`.

    Example:
        >>> white = stored(np.full((1, 1, 3), 255), 8, lossy=False)
        >>> int(to_channel(white, "y").pixels[0, 0, 0]), int(to_channel(white, "grey").pixels[0, 0, 0])
        (235, 255)
    """
    colours = image.pixels.shape[-1]
    plain = image if image.display == Display() else replace(image, display=Display())
    if channel == "rgb":
        return plain if colours > 1 else stored(np.repeat(image.pixels, 3, axis=-1), image.bits, lossy=image.lossy)
    if colours == 1:
        return plain
    unit = image.pixels.astype(np.float64) / image.max_value
    value = unit @ _LUMA if channel == "grey" else (_STUDIO_OFFSET + unit @ _STUDIO_LUMINANCE) / 255
    return stored(quantised(value, image.bits), image.bits, lossy=image.lossy)


def ranged(
    values: Numbers, bits: int, intensity: Intensity, *, lossy: bool, valid: npt.NDArray[np.bool_] | None = None
) -> Stored:
    """Hold decoded values in the range of their bit depth, or stretched under `percentile`.

    Args:
        values: See `stored`; floating-point values can only be stretched.
        bits: Stored bit depth, or that of the result where values are stretched.
        intensity: `percentile`, or anything else to leave the values as they are.
        lossy: Whether the values come out of a lossy compression.
        valid: See `stretch`.

    Returns:
        The image.

    Raises:
        UnreadableImageError: Floating-point values that are not to be stretched.
    """
    if intensity == "percentile":
        return stretch(values, bits, lossy=lossy, valid=valid)
    if values.dtype.kind == "f":
        raise UnreadableImageError(
            "holds floating-point values, which have no stored bit depth", fix="dataset.intensity=percentile"
        )
    return stored(values, bits, lossy=lossy)


def stretch(values: Numbers, bits: int, *, lossy: bool, valid: npt.NDArray[np.bool_] | None = None) -> Stored:
    """Stretch the values between the 0.5th and the 99.5th percentile over the whole range, clipping the rest.

    Args:
        values: (h, w) or (h, w, c), any real type.
        bits: Bit depth of the result.
        lossy: Whether the values come out of a lossy compression.
        valid: (h, w), False where a pixel is padding and has no say; all of them when None.

    Returns:
        The image; a constant one becomes black, as does whatever is not a number.
    """
    exact = values.astype(np.float64) / 2  # so that the ends of the range have a difference
    voters = exact[np.isfinite(exact)] if valid is None else exact[valid]
    low, high = np.percentile(voters, (0.5, 99.5)) if voters.size else (0.0, 0.0)
    if not high > low:
        return stored(np.zeros(values.shape, np.uint8), bits, lossy=lossy)
    unit = np.nan_to_num(np.clip((exact - low) / (high - low), 0, 1))
    return stored(quantised(unit, bits), bits, lossy=lossy)


def quantised(unit: npt.NDArray[np.float64], bits: int) -> Integers:
    """Round to the nearest of the values that the bit depth holds, halves upwards.

    Args:
        unit: Any shape, in [0, 1].
        bits: Bit depth.

    Returns:
        The same shape, in 0..2**bits-1.

    Example:
        >>> quantised(np.array([0, 0.5, 1]), 8).tolist()
        [0, 128, 255]
    """
    return _integers(np.floor(unit * (2**bits - 1) + 0.5), bits)


def over_black(values: Numbers, bits: int, *, premultiplied: bool = False) -> Numbers:
    """Lay an image with transparency over black, the background on which radiographs are read.

    Args:
        values: (h, w, 2) or (h, w, 4), integers in 0..2**bits-1: grey or three colours, and opacity.
        bits: Bit depth.
        premultiplied: Whether the colours are multiplied by their opacity already.

    Returns:
        (h, w, 1) or (h, w, 3), the colours, unchanged where the image is opaque.

    Example:
        >>> over_black(np.array([[[200, 100, 0, 255], [200, 100, 0, 0]]]), 8).tolist()
        [[[200, 100, 0], [0, 0, 0]]]
    """
    colours, opacity = values[..., :-1], values[..., -1:]
    white = 2**bits - 1
    if premultiplied or (opacity == white).all():
        return colours
    return quantised(colours / white * (opacity / white), bits)


def _integers(values: Numbers, bits: int) -> Integers:
    return values.astype(np.uint8) if bits <= _BYTE else values.astype(np.uint16)


def check_size(height: int, width: int) -> None:
    """Refuse a claimed size before anything of that size is allocated.

    Args:
        height: Rows that the header claims.
        width: Columns that the header claims.

    Raises:
        UnreadableImageError: Empty.
        TooManyPixelsError: More than `MAX_PIXELS`.
    """
    if height < 1 or width < 1:
        raise UnreadableImageError(f"claims {height} x {width} pixels, so there is no image")
    if height * width > MAX_PIXELS:
        raise TooManyPixelsError(
            f"claims {height} x {width} pixels, more than the {MAX_PIXELS:,} that srexp reads",
            fix="cut the image into parts, or remove the file if its header is corrupt",
        )


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn whatever a decoder raises on damaged bytes into a refusal.

    Decoders raise any exception there is, and put text of the file into it, so only what the system says goes on.

    Args:
        what: What failed, as the reason of the refusal.

    Raises:
        UnreadableImageError: In place of any other exception.
    """
    try:
        yield
    except UnreadableImageError:
        raise
    except MemoryError:
        raise UnreadableImageError(f"{what} (it takes more memory than there is)") from None
    except Exception as error:  # noqa: BLE001
        reason = f" ({os.strerror(error.errno)})" if isinstance(error, OSError) and error.errno else ""
        raise UnreadableImageError(f"{what}{reason}") from None
