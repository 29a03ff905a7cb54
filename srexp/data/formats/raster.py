"""PNG, JPEG and BMP at their own bit depth."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from srexp.data.dicom.jpeg_header import frame_header, require_few_scans
from srexp.data.display import Display, Resolution, orientation_of, upright_size
from srexp.data.image import (
    Intensity,
    Numbers,
    Stored,
    UnreadableImageError,
    check_size,
    displayed,
    over_black,
    ranged,
    refusing,
)

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "BMP")

# Pillow's modes, and what each becomes without losing anything; 1, 2 and 4 bits become 8.
_EXACT = {"1": "L", "L": "L", "I;16": "I;16", "RGB": "RGB", "P": "RGBA", "PA": "RGBA", "LA": "LA", "RGBA": "RGBA"}
_WITH_OPACITY = (2, 4)
# PNG specification, 5.3 and 11: the image itself, and what is said of its colours besides the ICC profile.
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS, _TONE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}, {b"gAMA", b"cHRM", b"sRGB", b"cICP"}
_DEPTH, _LARGEST_CHUNK, _JPEG_BITS = 16, 2**20, 8
#: Bytes of a colour profile in a PNG; that of a printer may have more than the 1 MiB that Pillow takes by itself.
LARGEST_PROFILE = 2**24
# EXIF 2.32: orientation, pixels per unit along both axes, and the unit; JFIF 1.02 has its own numbers for units.
_ORIENTATION, _ACROSS, _DOWN, _UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_PHYSICAL = struct.Struct(">IIB")  # of PNG's chunk pHYs
# Windows GDI: file header and BITMAPV5HEADER, and the sizes of the latter and of BITMAPV4HEADER.
_BMP_HEADER, _BMP_5, _BMP_4 = 138, 124, 108
EXIF_UNITS, _JFIF_UNITS, METRE = {1: None, 2: 25.4, 3: 10.0}, {1: 25.4, 2: 10.0}, 1000.0


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size off the header.

    Args:
        path: A PNG, JPEG or BMP file.

    Returns:
        Height and width of the upright image.

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    with _opened(path) as image:
        return upright_size(image.height, image.width, _display(image, path).orientation)


def frames_in(path: Path) -> list[int]:
    """List the images; animations and sets of images are refused when they are opened.

    Args:
        path: A PNG, JPEG or BMP file.

    Returns:
        One position.
    """
    del path
    return [0]


def read(path: Path, frame: int, intensity: Intensity) -> Stored:
    """Decode the image: transparency is laid over black, a palette is resolved to colours, orientation is applied.

    Args:
        path: A PNG, JPEG or BMP file.
        frame: 0.
        intensity: `percentile` stretches each image; `bits` and `window` keep its range.

    Returns:
        The image at its stored bit depth; 1, 2 and 4 bits become 8.

    Raises:
        UnreadableImageError: Damaged, truncated, too large, or of a kind that can't be kept exactly.
    """
    if frame:
        raise UnreadableImageError(f"has no frame {frame}")
    with _opened(path) as image, refusing("damaged or truncated image data"):
        values = _decode(image, path)
        display, lossy = _display(image, path), image.format not in ("PNG", "BMP")
    bits = 8 * values.dtype.itemsize
    if values.ndim > 2 and values.shape[-1] in _WITH_OPACITY:  # noqa: PLR2004
        values = over_black(values, bits)
    return displayed(ranged(values, bits, intensity, lossy=lossy), display)


def _opened(path: Path) -> ImageFile:
    """Open lazily; the claimed size is checked before anything of that size is allocated."""
    from PIL import Image, PngImagePlugin, UnidentifiedImageError

    PngImagePlugin.MAX_TEXT_CHUNK = LARGEST_PROFILE
    Image.MAX_IMAGE_PIXELS = None  # check_size refuses in its stead, and says what to do
    with refusing("damaged or unsupported header"):
        try:
            image = Image.open(path, formats=FORMATS)
        except UnidentifiedImageError:
            _refuse_many_bits(path)
            raise
    try:
        check_size(image.height, image.width)
        with refusing("damaged set of pictures"):
            _refuse_sets(image)
    except UnreadableImageError:
        image.close()
        raise
    return image


def _refuse_many_bits(path: Path) -> None:
    """Refuse a JPEG of which Pillow only says that it can't open it."""
    with path.open("rb") as file:
        header = frame_header(file.read(_LARGEST_CHUNK))
    if header and header.precision > _JPEG_BITS:
        raise UnreadableImageError(
            f"is a JPEG of {header.precision} bits, where {_JPEG_BITS} can be read", fix="save it as PNG or TIFF"
        )


def _refuse_sets(image: ImageFile) -> None:
    """Refuse several images in one file, of which the first alone would be seen."""
    frames = int(getattr(image, "n_frames", 1))
    if image.format == "MPO":  # phones add depth, gain and thumbnails to a JPEG, which are smaller than the picture
        sizes = []
        for frame in reversed(range(frames)):
            image.seek(frame)
            sizes.append(image.size)
        frames = sizes.count(image.size)
    if frames > 1:
        raise UnreadableImageError(
            f"holds {frames} frames, of an animation or a set of pictures",
            fix="save each frame as a file, or all as pages of a TIFF",
        )


def _decode(image: ImageFile, path: Path) -> Numbers:
    """Give the values, (h, w) or (h, w, c), where 2 and 4 channels end in opacity."""
    if image.format == "PNG" and _needs_more_than_pillow(image, path):
        import imagecodecs

        pixels = b"".join(chunk for _, chunk in _chunks(path, _PIXELS))  # of the others the decoder prints complaints
        return np.asarray(imagecodecs.png_decode(_SIGNATURE + pixels))
    if image.format in ("JPEG", "MPO"):
        require_few_scans(path.read_bytes())
    if image.mode not in _EXACT:
        raise UnreadableImageError(f"has pixels of mode {image.mode}", fix="save it as grey or RGB")
    return np.asarray(image.convert(_EXACT[image.mode]))


def _needs_more_than_pillow(image: ImageFile, path: Path) -> bool:
    """Tell colours or opacity of 16 bits, of which Pillow keeps 8, and transparent colours (tRNS) outside palettes."""
    ((_, header),) = _chunks(path, {b"IHDR"})
    return (header[_DEPTH] > 8 and image.mode != "I;16") or ("transparency" in image.info and image.mode != "P")  # noqa: PLR2004


def _chunks(path: Path, kinds: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Give the chunks of a PNG with length and checksum; the others are passed over."""
    size = path.stat().st_size  # a damaged length may claim 4 GB
    with path.open("rb") as file:
        file.seek(len(_SIGNATURE))
        while len(head := file.read(8)) == 8:  # noqa: PLR2004
            length, kind = struct.unpack(">I4s", head)
            if kind in kinds and (kind in _PIXELS or length < _LARGEST_CHUNK):
                yield kind, head + file.read(min(length + 4, size))
            else:
                file.seek(length + 4, 1)


def _display(image: ImageFile, path: Path) -> Display:
    """Read what is said of the image besides its values; what is damaged there says nothing."""
    if image.format == "BMP":
        return _display_of_bmp(image, path)
    found: dict[bytes, bytes] = {}
    if image.format == "PNG":
        found = {kind: chunk[8:-4] for kind, chunk in _chunks(path, {b"eXIf", b"pHYs", b"sCAL", *_TONE})}
    exif = _exif(image, found.get(b"eXIf"))
    return Display(
        orientation=orientation_of(exif.get(_ORIENTATION)),
        resolution=_shown(found.get(b"sCAL", b"")) or _resolution(image, found.get(b"pHYs", b""), exif),
        profile=image.info.get("icc_profile") or None,
        tone=tuple((kind, content) for kind, content in found.items() if kind in _TONE),
    )


def _display_of_bmp(image: ImageFile, path: Path) -> Display:
    """Read resolution and, of headers from version 4 on, what is said of the colours."""
    with path.open("rb") as file:
        header = file.read(_BMP_HEADER)
        size, space = int.from_bytes(header[14:18], "little"), header[70:74]
        profile = None
        if size >= _BMP_5 and space == b"DEBM":  # a number, MBED: embedded
            begin, length = struct.unpack_from("<II", header, 126)
            file.seek(begin + 14)
            profile = file.read(min(length, LARGEST_PROFILE))
            profile = profile if len(profile) == length else None
    calibrated = size >= _BMP_4 and space == bytes(4) and any(header[74:122])
    resolution = Resolution.of(image.info.get("dpi"), 25.4)
    return Display(resolution=resolution, profile=profile, tone=((b"calibrated",),) if calibrated else ())


def _shown(physical_scale: bytes) -> Resolution | None:
    """Read how large what a pixel shows is, in metres (PNG extensions 1.4, sCAL)."""
    across, _, down = physical_scale[1:].partition(b"\0")
    return Resolution.of_pixel((across, down), METRE) if physical_scale.startswith(b"\1") else None


def _exif(image: ImageFile, chunk: bytes | None) -> dict[int, Any]:
    from PIL import Image

    if chunk:  # it may stand behind the pixels, where Pillow comes only after decoding them
        image.info["exif"] = chunk
    try:
        return dict(Image.Image.getexif(image))
    except Exception:  # noqa: BLE001
        return {}


def _resolution(image: ImageFile, physical: bytes, exif: dict[int, Any]) -> Resolution | None:
    """Take the format's own figures before those of EXIF, where a camera says what it likes."""
    info = image.info
    if len(physical) == _PHYSICAL.size:
        across, down, unit = _PHYSICAL.unpack(physical)
        return Resolution.of((across, down), METRE if unit == 1 else None)
    if info.get("jfif_unit") in _JFIF_UNITS:
        return Resolution.of(info.get("jfif_density"), _JFIF_UNITS[info["jfif_unit"]])
    if _ACROSS in exif:
        return Resolution.of((exif[_ACROSS], exif.get(_DOWN)), EXIF_UNITS.get(exif.get(_UNIT, 2)))
    return Resolution.of(info.get("jfif_density"), None)
