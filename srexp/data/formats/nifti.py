"""NIfTI volumes: each slice along the third axis is an image of one patient."""

from __future__ import annotations

import gzip
import io
import logging
import math
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.arrayproxy import ArrayProxy

from srexp.data.display import Display, Resolution, length_of
from srexp.data.image import Intensity, Numbers, Stored, UnreadableImageError, check_size, displayed, ranged, refusing
from srexp.data.last_file import LastFile

#: First bytes of what gzip made.
GZIP = b"\x1f\x8b"

_LABELS = (1002, 1005)  # nifti1.h, NIFTI_INTENT_LABEL and NIFTI_INTENT_NEURONAME
_MOST_DEFLATED = 1032  # the largest ratio that deflate reaches
_FLOAT_BITS, _WORD_BYTES, _PLANE = 16, 2, 2
# nifti1.h: length of the header, and where it says at which byte the values begin, after all extensions.
_HEADER_BYTES, _SIZE_OF_HEADER, _VALUES_AT, _LARGEST_HEADER = 352, (348).to_bytes(4, "little"), 108, 2**25


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size of a slice off the header.

    Args:
        path: A NIfTI file.

    Returns:
        Height (second axis) and width (first axis).

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    width, height, *_ = _last(path).volume.shape
    return height, width


def frames_in(path: Path) -> range:
    """List the slices, from the header.

    Args:
        path: A NIfTI file.

    Returns:
        As many positions as the third axis is long, times the lengths of all further ones.

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    return range(math.prod(_last(path).volume.shape[_PLANE:]))


def read(path: Path, frame: int, intensity: Intensity) -> Stored:
    """Decode one slice, turned so that the second axis points upwards.

    Args:
        path: A NIfTI file.
        frame: Which slice, from 0; the third axis runs fastest.
        intensity: `bits` and `window` keep the range of the stored integers (the header's scaling only relabels it,
            and turns it over when its slope is negative); floating-point volumes need `percentile`, which stretches
            each slice.

    Returns:
        The image, grey.

    Raises:
        UnreadableImageError: Damaged, or of a type that can't be kept exactly.
    """
    last = _last(path)
    volume = last.volume
    if volume.dtype.kind not in "iuf" or (volume.dtype.kind != "f" and volume.dtype.itemsize > _WORD_BYTES):
        raise UnreadableImageError(f"holds {volume.kind} values, where 8 or 16 bits or floating point can be read")
    with refusing("damaged or truncated volume"):
        position = np.unravel_index(frame, volume.shape[_PLANE:], order="F")
        unscaled = ArrayProxy(last.file, (volume.shape, volume.dtype, volume.offset, 1.0, 0.0), mmap=False)  # type: ignore[no-untyped-call]
        values: Numbers = np.asarray(unscaled[(slice(None), slice(None), *map(int, position))]).T[::-1]
    if volume.dtype.kind == "f":
        image = ranged(-values if volume.inverted else values, _FLOAT_BITS, intensity, lossy=False)
        return displayed(image, replace(volume.display, window=False))
    bits = 8 * volume.dtype.itemsize
    unsigned = values.astype(np.int32) + (2 ** (bits - 1) if volume.dtype.kind == "i" else 0)
    brightness = 2**bits - 1 - unsigned if volume.inverted else unsigned
    display = replace(volume.display, window=volume.display.window and intensity == "bits")
    return displayed(ranged(brightness, bits, intensity, lossy=False), display)


def header_of(path: Path) -> Any:
    """Read a volume up to its values.

    Args:
        path: A NIfTI file.

    Returns:
        nibabel's image; its values are not there.

    Raises:
        UnreadableImageError: The header is damaged, or its extensions are large.
    """
    with _opened(path) as file:
        return _header(file)


def _opened(path: Path) -> io.BufferedIOBase:
    """Open a volume, compressed or not, whatever it is called."""
    return gzip.open(path) if _is_compressed(path) else path.open("rb")


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


@dataclass(frozen=True, slots=True)
class _Volume:
    """What the header says: axes, type and its name, where values begin, whether larger ones are darker, display."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: str
    offset: int
    inverted: bool
    display: Display


@dataclass(frozen=True, slots=True)
class _Open:
    """A volume that stays open: what is compressed is unpacked once, where slices are asked for in their order."""

    volume: _Volume
    file: io.BufferedIOBase


def _open(path: Path) -> _Open:
    file = _opened(path)
    try:
        return _Open(_volume(file, path), file)
    except UnreadableImageError:
        file.close()
        raise


_last = LastFile(_open, lambda last: last.file.close())


def _header(file: io.BufferedIOBase) -> Any:
    """Let nibabel see the header with what extends it, and no more of the file."""
    logging.getLogger("nibabel").setLevel(logging.CRITICAL + 1)
    with refusing("damaged NIfTI header"):
        head = file.read(_HEADER_BYTES)
        order = "<" if head[:4] == _SIZE_OF_HEADER else ">"
        (start,) = struct.unpack_from(f"{order}f", head, _VALUES_AT)
        if start > _LARGEST_HEADER:
            raise UnreadableImageError(
                f"has a header of {int(start):,} bytes, where {_LARGEST_HEADER:,} are read", fix="remove its extensions"
            )
        return nibabel.Nifti1Image.from_stream(io.BytesIO(head + file.read(max(0, int(start) - len(head)))))


def _volume(file: io.BufferedIOBase, path: Path) -> _Volume:
    """Read the header and check the claimed size of a slice."""
    image = _header(file)
    with refusing("damaged NIfTI header"):
        shape = tuple(int(length) for length in image.dataobj.shape)
        volume = _Volume(
            shape=shape,
            dtype=image.dataobj.dtype,
            kind=image.header.get_value_label("datatype"),
            offset=int(image.dataobj.offset),
            inverted=image.dataobj.slope < 0,
            display=_display(image.header),
        )
        intent, compressed = int(image.header["intent_code"]), _is_compressed(path)
    if len(shape) < _PLANE:
        raise UnreadableImageError(f"has {len(shape)} axis, which is no image")
    if intent in _LABELS:
        raise UnreadableImageError(f"holds labels (intent code {intent}), between which no values lie")
    check_size(shape[1], shape[0])
    needed = volume.offset + math.prod(shape) * volume.dtype.itemsize
    unpacked = path.stat().st_size * (_MOST_DEFLATED if compressed else 1)
    if min(shape) < 1 or needed > unpacked:
        raise UnreadableImageError(f"is truncated: {' x '.join(map(str, shape))} values don't fit into the file")
    return volume


def _display(header: Any) -> Display:
    zooms = [float(zoom) for zoom in header.get_zooms()]
    unit = length_of(header.get_xyzt_units()[0])
    planes = zooms[_PLANE] if len(zooms) > _PLANE and header.get_data_shape()[_PLANE] > 1 else None
    window = bool(header["cal_max"] > header["cal_min"])
    return Display(resolution=Resolution.of_pixel(zooms[:_PLANE], unit), window=window, planes=planes)
