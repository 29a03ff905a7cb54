"""NIfTI volumes: each slice along the third axis is an image of one patient."""

from __future__ import annotations

import logging
from pathlib import Path

import nibabel
import numpy as np
from nibabel.arrayproxy import ArrayProxy

from srexp.data.image import Intensity, Stored, UnreadableImageError, check_size, refusing, stored, stretch

_FLOAT_BITS = 16
_PLANE = 2


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size of a slice off the header.

    Args:
        path: A NIfTI file.

    Returns:
        Height (second axis) and width (first axis).

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    width, height, *_ = _header(path).get_data_shape()
    return int(height), int(width)


def frames_of(path: Path) -> int:
    """Count the slices, from the header.

    Args:
        path: A NIfTI file.

    Returns:
        The length of the third axis times that of all further ones.

    Raises:
        UnreadableImageError: The header is damaged or claims too much.
    """
    return int(np.prod(_header(path).get_data_shape()[_PLANE:], dtype=np.int64))


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
    header = _header(path)
    with refusing("damaged or truncated volume"):
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
        position = np.unravel_index(frame, shape[_PLANE:], order="F")
        slope, _ = header.get_slope_inter()
        if dtype.kind not in "iuf" or (dtype.kind != "f" and dtype.itemsize > _PLANE):
            raise UnreadableImageError(f"holds {dtype.name} values, where 8 or 16 bits or floating point can be read")
        unscaled = ArrayProxy(str(path), (shape, dtype, header.get_data_offset(), 1.0, 0.0), mmap=False)
        values = np.asarray(unscaled[(slice(None), slice(None), *map(int, position))]).T[::-1]
    turned = slope is not None and slope < 0
    if dtype.kind == "f":
        if intensity != "percentile":
            raise UnreadableImageError(
                "holds floating-point values, which have no stored bit depth", fix="dataset.intensity=percentile"
            )
        return stretch(-values if turned else values, _FLOAT_BITS, lossy=False)
    bits = 8 * dtype.itemsize
    unsigned = values.astype(np.int32) + (2 ** (bits - 1) if dtype.kind == "i" else 0)
    brightness = 2**bits - 1 - unsigned if turned else unsigned
    return (
        stretch(brightness, bits, lossy=False) if intensity == "percentile" else stored(brightness, bits, lossy=False)
    )


def _header(path: Path) -> nibabel.Nifti1Header:
    """Read the header and check the claimed size of a slice."""
    logging.getLogger("nibabel").setLevel(logging.CRITICAL + 1)
    with refusing("damaged NIfTI header"):
        header = nibabel.Nifti1Image.from_filename(path, mmap=False).header
        shape = header.get_data_shape()
    if len(shape) < _PLANE:
        raise UnreadableImageError(f"has {len(shape)} axis, which is no image")
    check_size(int(shape[1]), int(shape[0]))
    return header
