"""TIFF of 8 to 16 bits in any compression, grey, RGB, palette; each page is an image of one patient."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srexp.data.image import (
    MAX_PIXELS,
    Intensity,
    Numbers,
    Stored,
    UnreadableImageError,
    check_size,
    over_black,
    quantised,
    ranged,
    refusing,
)

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_BYTE, _WORD, _PLANE = 8, 16, 2
_RGBA = 4
_MAX_PAGES = 100_000
# TIFF 6.0 tag 262, and what tag 259 says of pixels that have lost something (JPEG, JPEG 2000, WebP, XR, LERC, XL).
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_KNOWN = {_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE}
_JPEG = {6, 7}
_LOSSY = _JPEG | {22610, 33003, 33004, 33005, 33007, 34712, 34887, 34892, 34927, 34933, 34934, 50001, 50002, 52546}


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size off the header.

    Args:
        path: A TIFF file.

    Returns:
        Height and width of the first page.

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    with _opened(path) as file, refusing("damaged TIFF directory"):
        page = _page(file, 0)
        height, width = int(page.imagelength), int(page.imagewidth)
        check_size(height, width)
        return height, width


def frames_in(path: Path) -> list[int]:
    """List the pages without thumbnails and pyramid levels.

    Args:
        path: A TIFF file.

    Returns:
        The positions of the pages in the file; at least one.

    Raises:
        UnreadableImageError: The directory is damaged, or runs in circles.
    """
    from tifffile import TiffPage

    full, seen = [], set[int]()
    with _opened(path) as file, refusing("damaged TIFF directory"):
        for position, page in enumerate(file.pages):
            if page.offset in seen or position == _MAX_PAGES:
                raise UnreadableImageError("damaged TIFF directory (pages without end)")
            seen.add(page.offset)
            if isinstance(page, TiffPage) and not page.is_reduced:
                full.append(position)
    if not full:
        raise UnreadableImageError("has no page with an image")
    return full


def read(path: Path, frame: int, intensity: Intensity) -> Stored:
    """Decode one page: transparency is laid over black, a palette is resolved to colours of 8 bits.

    Args:
        path: A TIFF file.
        frame: Position of the page in the file, from 0.
        intensity: `percentile` stretches each image; `bits` and `window` keep its range. Floating-point pages have no
            stored bit depth, so they need `percentile`.

    Returns:
        The image at its stored bit depth; signed values are shifted to unsigned ones.

    Raises:
        UnreadableImageError: Damaged, truncated, too large, or of a kind that can't be kept exactly.
    """
    with _opened(path) as file, refusing("damaged or truncated image data"):
        page = _page(file, frame)
        _check_claims(page, path.stat().st_size)
        values, bits = _decode(page)
        lossy = int(page.compression) in _LOSSY
    return ranged(values, bits, intensity, lossy=lossy)


def _opened(path: Path) -> TiffFile:
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    with refusing("damaged TIFF directory"):
        return tifffile.TiffFile(path)


def _page(file: TiffFile, position: int) -> TiffPage:
    from tifffile import TiffPage

    page = file.pages[position]
    if not isinstance(page, TiffPage):
        raise UnreadableImageError(f"has no page {position}")
    return page


def _check_claims(page: TiffPage, size: int) -> None:
    """Refuse a page that can't be kept exactly, and one with missing parts, which would be filled in."""
    check_size(page.imagelength, page.imagewidth)
    photometric = int(page.photometric)
    decoded_to_rgb = photometric == _YCBCR and int(page.compression) in _JPEG
    if page.imagedepth != 1 or page.samplesperpixel > _RGBA or not (photometric in _KNOWN or decoded_to_rgb):
        raise UnreadableImageError(
            f"has {page.samplesperpixel} samples per pixel of photometric interpretation {photometric}",
            fix="save it as grey or RGB",
        )
    if math.prod(page.chunks) > MAX_PIXELS * _RGBA:
        raise UnreadableImageError("claims tiles that are too large")
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if len(parts) < math.prod(page.chunked) or any(count < 1 or offset + count > size for offset, count in parts):
        raise UnreadableImageError("is truncated: parts of the image lie beyond the end of the file")


def _decode(page: TiffPage) -> tuple[Numbers, int]:
    """Give the values, (h, w) or (h, w, c), and the bit depth."""
    photometric, bits = int(page.photometric), int(page.bitspersample)
    planes = page.asarray(squeeze=False, maxworkers=1)[:, 0]  # (planes, h, w, samples): one of the ends is 1
    values: Numbers = planes[0] if len(planes) == 1 else np.moveaxis(planes[..., 0], 0, -1)
    values = values[..., 0] if values.shape[-1] == 1 else values
    if values.dtype.kind == "f":
        return (values[..., :3] if values.ndim > _PLANE and values.shape[-1] == _RGBA else values), _WORD
    if bits > _WORD:
        raise UnreadableImageError(f"has {bits} bits per sample, where 1 to 16 can be read")
    if photometric == _PALETTE:
        if page.colormap is None:
            raise UnreadableImageError("lacks its palette")
        return np.moveaxis(page.colormap[:, values] >> _BYTE, 0, -1), _BYTE
    if values.dtype.kind == "i":
        values = values.astype(np.int32) + 2 ** (bits - 1)
    white = 2**bits - 1
    if photometric == _WHITE_IS_ZERO:
        values = white - values
    if bits < _BYTE:
        values, bits = quantised(values / white, _BYTE), _BYTE
    if values.ndim == _PLANE:
        return values, bits
    return over_black(values, bits), bits
