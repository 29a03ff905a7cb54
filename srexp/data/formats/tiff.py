"""TIFF of 8 to 16 bits in any compression, grey, RGB, palette; each page is an image of one patient."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srexp.data.dicom.jpeg_header import require_few_scans
from srexp.data.display import upright_size
from srexp.data.formats.tiff_tags import WHITE_IS_ZERO, described_planes, display_of
from srexp.data.image import (
    MAX_PIXELS,
    Intensity,
    Numbers,
    Stored,
    UnreadableImageError,
    check_size,
    displayed,
    over_black,
    quantised,
    ranged,
    refusing,
    stored,
)
from srexp.data.last_file import LastFile

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_BYTE, _WORD = 8, 16
_RGBA = 4
# TIFF 6.0 tag 262, and what tag 259 says of pixels that have lost something (JPEG, JPEG 2000, WebP, XR, LERC, XL).
_BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _YCBCR = 1, 2, 3, 4, 6
_GREY = (WHITE_IS_ZERO, _BLACK_IS_ZERO)
_COLOURS = {WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _YCBCR: 3}
# Tag 338: what a sample besides the colours is.
_ASSOCIATED, _UNASSOCIATED = 1, 2
_JPEG, _OTHER_JPEG = {6, 7}, {33007, 34892}
_LOSSY = _JPEG | _OTHER_JPEG | {22610, 33003, 33004, 33005, 34712, 34887, 34927, 34933, 34934, 50001, 50002, 52546}


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size off the header.

    Args:
        path: A TIFF file.

    Returns:
        Height and width of the first image, upright.

    Raises:
        UnreadableImageError: The header is damaged, claims too much, or says that the page can't be kept exactly.
    """
    first = frames_in(path)[0]
    with refusing("damaged TIFF directory"):
        file = _opened(path)
        page = _page(file, first)
        _check_claims(page, path.stat().st_size)
        return upright_size(page.imagelength, page.imagewidth, display_of(file, page).orientation)


def frames_in(path: Path) -> list[int]:
    """List the pages without thumbnails and pyramid levels.

    Args:
        path: A TIFF file.

    Returns:
        The positions of the pages in the file; at least one.

    Raises:
        UnreadableImageError: The directory is damaged, runs in circles, or stands for more planes than it has pages; or
            pages share their pixels, so that a small file would be many images.
    """
    from tifffile import TiffPage

    full, seen, size, claimed = [], set[int](), path.stat().st_size, 0
    with refusing("damaged TIFF directory"):
        file = _opened(path)
        for position, page in enumerate(file.pages):
            if page.offset in seen:
                raise UnreadableImageError("damaged TIFF directory (pages without end)")
            seen.add(page.offset)
            if isinstance(page, TiffPage) and not page.is_reduced:
                full.append(position)
                parts = zip(page.dataoffsets, page.databytecounts, strict=True)
                claimed += sum(count for offset, count in parts if offset + count <= size)
        _refuse_hidden_planes(file)
    if claimed > size:
        raise UnreadableImageError("has pages that share their pixels", fix="save each image as a page of its own")
    if not full:
        raise UnreadableImageError("has no page with an image")
    return full


def restored_bytes(path: Path, frames: Sequence[int], scale: int) -> int:
    """Count what pages take once they are restored, each of which has a size of its own.

    Args:
        path: A TIFF file.
        frames: Positions of the pages in the file.
        scale: How many times larger they become.

    Returns:
        Bytes of their values, not compressed.
    """
    with refusing("damaged TIFF directory"), _open(path) as file:  # not kept open by a thread that may end
        pages = [_page(file, frame) for frame in frames]
        return sum(
            page.imagelength * page.imagewidth * scale**2 * (1 if int(page.photometric) in _GREY else 3)
            << (int(page.bitspersample) > _BYTE)
            for page in pages
        )


def read(path: Path, frame: int, intensity: Intensity) -> Stored:
    """Decode one page: transparency is laid over black, a palette resolved to colours of 8 bits, orientation applied.

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
    with refusing("damaged or truncated image data"):
        file = _opened(path)
        page = _page(file, frame)
        if frame == 0:  # once for a file: it goes through all pages
            _refuse_hidden_planes(file)
        _check_claims(page, path.stat().st_size)
        for stream in _jpegs(file, page):
            require_few_scans(stream)
        values = _samples(page)
        decode = _decode_float if values.dtype.kind == "f" else _decode
        image, display = decode(values, page, intensity), display_of(file, page)
    return displayed(image, display)


def _open(path: Path) -> TiffFile:
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    with refusing("damaged TIFF directory"):
        return tifffile.TiffFile(path)


_opened = LastFile(_open, lambda file: file.close())  # where its pages lie is found out once


def _page(file: TiffFile, position: int) -> TiffPage:
    from tifffile import TiffPage

    page = file.pages[position]
    if not isinstance(page, TiffPage):
        raise UnreadableImageError(f"has no page {position}")
    return page


def _refuse_hidden_planes(file: TiffFile) -> None:
    """Refuse a stack of which one directory stands for many planes: ImageJ writes such files beyond 4 GB."""
    planes = described_planes(file)
    if planes > 1 and planes > (pages := len(file.pages)):
        raise UnreadableImageError(
            f"holds {planes} planes, of which {pages} can be read: the others have no directory of their own",
            fix="save it with a page for each plane, as OME-TIFF",
        )


def _check_claims(page: TiffPage, size: int) -> None:
    """Refuse a page that can't be kept exactly, and one with missing parts, which would be filled in."""
    check_size(page.imagelength, page.imagewidth)
    photometric = int(page.photometric)
    decoded_to_rgb = photometric != _YCBCR or int(page.compression) in _JPEG
    if page.imagedepth != 1:
        raise UnreadableImageError(f"holds {page.imagedepth} planes in one page", fix="save each plane as a page")
    if photometric == _MASK:
        raise UnreadableImageError(
            "is a mask of another page, which srexp doesn't apply",
            fix="save the image with its opacity as a sample (ExtraSamples), and no mask beside it",
        )
    if photometric not in _COLOURS or not decoded_to_rgb:
        raise UnreadableImageError(
            f"has {page.samplesperpixel} samples per pixel of photometric interpretation {photometric}",
            fix="save it as grey or RGB",
        )
    _check_samples(page.samplesperpixel, _COLOURS[photometric], tuple(map(int, page.extrasamples)))
    if math.prod(page.chunks) > MAX_PIXELS * _RGBA:
        raise UnreadableImageError("claims tiles that are too large")
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if len(parts) < math.prod(page.chunked) or any(count < 1 or offset + count > size for offset, count in parts):
        raise UnreadableImageError("is truncated: parts of the image lie beyond the end of the file")


def _check_samples(samples: int, colours: int, extra: tuple[int, ...]) -> None:
    """Refuse samples that are neither colour nor opacity, and would be lost or taken for what they aren't."""
    if samples == colours or (samples == colours + 1 and extra in ((_ASSOCIATED,), (_UNASSOCIATED,))):
        return
    said = ", ".join(map(str, extra)) or "nothing"
    raise UnreadableImageError(
        f"has {samples} samples per pixel, {colours} of colour, and ExtraSamples (338) says {said} of the others, "
        "where one of opacity (1 or 2) can be read",
        fix="save the colours alone, and the other samples as pages of their own",
    )


def _jpegs(file: TiffFile, page: TiffPage) -> Iterator[bytes]:
    """Give the parts of a page that are JPEG."""
    if int(page.compression) in _JPEG | _OTHER_JPEG:
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            file.filehandle.seek(offset)
            yield file.filehandle.read(count)


def _samples(page: TiffPage) -> Numbers:
    """Give the values as they are stored, (h, w, samples)."""
    planes = page.asarray(squeeze=False, maxworkers=1)[:, 0]  # (planes, h, w, samples): one of the ends is 1
    return planes[0] if len(planes) == 1 else np.moveaxis(planes[..., 0], 0, -1)


def _decode(values: Numbers, page: TiffPage, intensity: Intensity) -> Stored:
    photometric, bits = int(page.photometric), int(page.bitspersample)
    if bits > _WORD:
        raise UnreadableImageError(f"has {bits} bits per sample, where 1 to 16 can be read")
    if values.dtype.kind == "i":
        values = values.astype(np.int32) + 2 ** (bits - 1)
    colours, opacity = np.split(values, [_COLOURS[photometric]], axis=-1)
    premultiplied = _ASSOCIATED in page.extrasamples and photometric != _PALETTE
    if photometric == _PALETTE:
        if page.colormap is None:
            raise UnreadableImageError("lacks its palette")
        colours = np.moveaxis(page.colormap[:, colours[..., 0]] >> _BYTE, 0, -1)
        opacity, bits = _spread(opacity, bits), _BYTE
    elif photometric == WHITE_IS_ZERO:
        whole = opacity if premultiplied else 2**bits - 1
        colours = np.maximum(whole.astype(np.int32) - colours, 0) if premultiplied else whole - colours
    if bits < _BYTE:
        colours, opacity, bits = _spread(colours, bits), _spread(opacity, bits), _BYTE
    if opacity.size:
        colours = over_black(np.concatenate([colours, opacity], -1), bits, premultiplied=premultiplied)
    return ranged(colours, bits, intensity, lossy=int(page.compression) in _LOSSY)


def _spread(values: Numbers, bits: int) -> Numbers:
    """Bring integers of other depths to 8 bits, so that white stays white."""
    return values if bits == _BYTE else quantised(values / (2**bits - 1), _BYTE)


def _decode_float(values: Numbers, page: TiffPage, intensity: Intensity) -> Stored:
    """Turn floating-point values over and lay them over black as whole ones; opacity runs from 0 to 1."""
    values = values.astype(np.float64)  # half precision has neither the range nor the digits of a quotient
    colours, opacity = np.split(values, [_COLOURS[int(page.photometric)]], axis=-1)
    opacity = np.nan_to_num(np.clip(opacity, 0, 1))
    if _ASSOCIATED in page.extrasamples:
        colours = np.divide(colours, opacity, out=np.zeros_like(colours), where=opacity > 0)
    if int(page.photometric) == WHITE_IS_ZERO:
        colours = -colours
    seen = (opacity[..., 0] > 0) & np.isfinite(colours).all(-1) if opacity.size else None
    image = ranged(colours, _WORD, intensity, lossy=int(page.compression) in _LOSSY, valid=seen)
    if not opacity.size:
        return image
    clear = quantised(opacity, _WORD)
    return stored(over_black(np.concatenate([image.pixels, clear], -1), _WORD), _WORD, lossy=image.lossy)
