"""PNG, JPEG, BMP and TIFF: decoded at their own bit depth, refused where that can't be kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from srexp.data.image import Intensity, Stored, UnreadableImageError, check_size, quantised, refusing, stored, stretch

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF")

# TIFF 6.0: tags, and the compressions that lose something (JPEG, JPEG XR, lossy JPEG 2000, WebP, JPEG XL, LERC).
_SUBFILE_TYPE, _BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC, _SAMPLE_FORMAT = 254, 258, 259, 262, 339
_REDUCED, _WHITE_IS_ZERO, _SIGNED = 1, 0, 2
_LOSSY_COMPRESSIONS = {6, 7, 33003, 33005, 34712, 34892, 34887, 34934, 50001, 50002}

_BYTE, _WORD = 8, 16
_DIRECT = {"1": "L", "L": "L", "RGB": "RGB", "LA": "RGBA", "PA": "RGBA", "RGBA": "RGBA"}


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size off the header.

    Args:
        path: A raster file.

    Returns:
        Height and width of its first image.

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    with _opened(path) as image:
        return image.height, image.width


def frames_of(path: Path) -> int:
    """Count the images of a TIFF file, without its reduced copies.

    Args:
        path: A TIFF file.

    Returns:
        The number of pages at full resolution.

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    with _opened(path) as image, refusing("damaged TIFF directory"):
        return max(1, len(_full_pages(image)))


def read(path: Path, frame: int, intensity: Intensity) -> Stored:
    """Decode one image.

    Transparent pixels are laid over black; a palette is resolved to colours; 1, 2 and 4 bits become 8.

    Args:
        path: A raster file; its content decides the format, not its name.
        frame: Page of a TIFF file, 0 otherwise.
        intensity: `percentile` stretches each image; `bits` and `window` keep its range.

    Returns:
        The image at its stored bit depth.

    Raises:
        UnreadableImageError: Damaged, truncated, too large, or of a kind that can't be kept exactly.
    """
    with _opened(path) as image, refusing("damaged or truncated image data"):
        if image.format == "TIFF":
            pages = _full_pages(image)
            if not 0 <= frame < len(pages):
                raise UnreadableImageError(f"has no page {frame}")
            image.seek(pages[frame])
            check_size(image.height, image.width)
        lossy = image.format == "JPEG" or _tag(image, _COMPRESSION, 1) in _LOSSY_COMPRESSIONS
        values, bits = _decode(image, path)
    if values.dtype.kind == "f":
        if intensity != "percentile":
            raise UnreadableImageError(
                "holds floating-point values, which have no stored bit depth", fix="dataset.intensity=percentile"
            )
        return stretch(values, _WORD, lossy=lossy)
    if intensity == "percentile":
        return stretch(values, bits, lossy=lossy)
    return stored(values, bits, lossy=lossy)


def _opened(path: Path) -> Image.Image:
    """Open lazily; the claimed size is checked before anything of that size is allocated."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # check_size refuses in its stead, and says what to do
    with refusing("damaged header"):
        image = Image.open(path, formats=FORMATS)
    try:
        check_size(image.height, image.width)
    except UnreadableImageError:
        image.close()
        raise
    return image


def _decode(image: Image.Image, path: Path) -> tuple[npt.NDArray[np.generic], int]:
    """Give the values, (h, w) or (h, w, c), and the bit depth."""
    if image.mode == "P":
        return _over_black(image.convert("RGBA")), _BYTE
    if image.mode in _DIRECT:
        if _is_wide(image):
            return _wide_colours(image, path)
        converted = image.convert(_DIRECT[image.mode])
        return (_over_black(converted) if converted.mode == "RGBA" else np.asarray(converted)), _BYTE
    if image.mode.startswith("I;16"):
        depth = _first(_tag(image, _BITS_PER_SAMPLE, _WORD))
        values = np.asarray(image).astype(np.uint16)
        white_is_zero = image.format == "TIFF" and _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO
        return (np.uint16(2**depth - 1) - values if white_is_zero else values), depth
    if image.mode == "I" and _first(_tag(image, _BITS_PER_SAMPLE, 32)) == _WORD:
        signed = _first(_tag(image, _SAMPLE_FORMAT, 1)) == _SIGNED
        return (np.asarray(image) + (2**15 if signed else 0)).astype(np.uint16), _WORD
    if image.mode == "F":
        return np.asarray(image), _WORD
    raise UnreadableImageError(
        f"has pixels of mode {image.mode}", fix="convert it to 8 or 16 bits per channel, grey or RGB"
    )


def _over_black(image: Image.Image) -> npt.NDArray[np.generic]:
    """Lay an RGBA image over black; three equal channels stay three."""
    values = np.asarray(image)
    alpha = values[..., 3:]
    if (alpha == 2**_BYTE - 1).all():
        return values[..., :3]
    return quantised(values[..., :3] / 255 * (alpha / 255), _BYTE)


def _is_wide(image: Image.Image) -> bool:
    """Tell colour of 16 bits per channel, of which Pillow would keep only 8."""
    return any("16" in str(tile[3]) for tile in image.tile) or max(_all(_tag(image, _BITS_PER_SAMPLE, _BYTE))) > _BYTE


def _wide_colours(image: Image.Image, path: Path) -> tuple[npt.NDArray[np.generic], int]:
    if image.format != "TIFF":
        raise UnreadableImageError("has 16 bits per colour channel", fix="save it as 16-bit grey PNG, or as TIFF")
    import tifffile

    values = tifffile.imread(path, key=image.tell())
    if values.dtype != np.uint16 or values.ndim != 3 or values.shape[-1] < 3:  # noqa: PLR2004
        raise UnreadableImageError("has colour planes that are not 16-bit RGB", fix="save it as 16-bit RGB TIFF")
    return values[..., :3], _WORD


def _full_pages(image: Image.Image) -> list[int]:
    """List the pages of a TIFF file without thumbnails and pyramid levels."""
    pages = []
    for page in range(getattr(image, "n_frames", 1)):
        image.seek(page)
        if not int(_tag(image, _SUBFILE_TYPE, 0)) & _REDUCED:  # type: ignore[call-overload]
            pages.append(page)
    return pages


def _tag(image: Image.Image, number: int, default: object) -> object:
    return getattr(image, "tag_v2", {}).get(number, default)


def _all(value: object) -> tuple[int, ...]:
    return tuple(int(each) for each in value) if isinstance(value, tuple) else (int(value),)  # type: ignore[call-overload]


def _first(value: object) -> int:
    return _all(value)[0]
