"""PNG, JPEG and BMP at their own bit depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srexp.data.image import Intensity, Numbers, Stored, UnreadableImageError, check_size, over_black, ranged, refusing

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "BMP")

_BYTE, _WORD = 8, 16
# Pillow's modes, and what each becomes without losing anything; 1, 2 and 4 bits become 8.
_EXACT = {"1": "L", "L": "L", "RGB": "RGB", "P": "RGBA", "PA": "RGBA", "LA": "RGBA", "RGBA": "RGBA"}
# PNG specification 11.2.1: bit depth and colour type in the header chunk.
_DEPTH, _COLOUR_TYPE, _PNG_HEADER_BYTES, _GREY = 24, 25, 26, 0


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size off the header.

    Args:
        path: A PNG, JPEG or BMP file.

    Returns:
        Height and width.

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    with _opened(path) as image:
        return image.height, image.width


def frames_in(path: Path) -> list[int]:
    """List the images: of an animation it is the first.

    Args:
        path: A PNG, JPEG or BMP file.

    Returns:
        One position.
    """
    del path
    return [0]


def read(path: Path, frame: int, intensity: Intensity) -> Stored:
    """Decode the image: transparency is laid over black, a palette is resolved to colours.

    Args:
        path: A PNG, JPEG or BMP file.
        frame: 0.
        intensity: `percentile` stretches each image; `bits` and `window` keep its range.

    Returns:
        The image at its stored bit depth.

    Raises:
        UnreadableImageError: Damaged, truncated, too large, or of a kind that can't be kept exactly.
    """
    if frame:
        raise UnreadableImageError(f"has no frame {frame}")
    with _opened(path) as image, refusing("damaged or truncated image data"):
        lossy = image.format == "JPEG"
        values, bits = _decode(image, path)
    return ranged(values, bits, intensity, lossy=lossy)


def _opened(path: Path) -> ImageFile:
    """Open lazily; the claimed size is checked before anything of that size is allocated."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # check_size refuses in its stead, and says what to do
    with refusing("damaged or unsupported header"):
        image = Image.open(path, formats=FORMATS)
    try:
        check_size(image.height, image.width)
    except UnreadableImageError:
        image.close()
        raise
    return image


def _decode(image: ImageFile, path: Path) -> tuple[Numbers, int]:
    """Give the values, (h, w) or (h, w, c), and the bit depth."""
    if image.format == "PNG" and _has_wide_colours(path):
        import imagecodecs

        return over_black(np.asarray(imagecodecs.png_decode(path.read_bytes())), _WORD), _WORD
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), _WORD
    if image.mode not in _EXACT:
        raise UnreadableImageError(f"has pixels of mode {image.mode}", fix="save it as grey or RGB")
    values = np.asarray(image.convert(_EXACT[image.mode]))
    return (over_black(values, _BYTE) if _EXACT[image.mode] == "RGBA" else values), _BYTE


def _has_wide_colours(path: Path) -> bool:
    """Tell colour or transparency with 16 bits per channel, of which Pillow would keep only 8."""
    with path.open("rb") as file:
        head = file.read(_PNG_HEADER_BYTES)
    return head[_DEPTH] == _WORD and head[_COLOUR_TYPE] != _GREY
