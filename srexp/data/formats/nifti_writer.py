"""NIfTI of restored slices: the stored type, its scaling, and a grid with smaller pixels within the slices."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from srexp.data.formats.nifti import header_of
from srexp.data.image import UnreadableImageError
from srexp.data.restored_image import Origin, Restored

_PLANE, _LONGEST_AXIS = 2, 2**15 - 1
_COMMENT = 6  # of extensions the one kind that holds plain text; others describe the old grid, and persons


def write(target: Path, origin: Origin, scale: int, images: Iterable[Restored]) -> None:
    """Write a volume whose slices are `scale` times as large; the third axis is left alone.

    A floating-point volume, whose slices were stretched to be read, comes out as 16 bits without scaling.

    Args:
        target: File to write; `.nii.gz` is compressed.
        origin: The volume they came from.
        scale: How many times larger the slices became.
        images: The restored slices in their order.

    Raises:
        UnreadableImageError: A slice is too large for NIfTI-1.
    """
    source = header_of(origin.path)
    stored = source.dataobj
    exact = stored.dtype.kind != "f" and origin.intensity == "bits"
    dtype = stored.dtype if exact else np.dtype(np.uint8 if stored.dtype.itemsize == 1 else np.uint16)
    shape = (stored.shape[0] * scale, stored.shape[1] * scale, *stored.shape[_PLANE:])
    if max(shape[:_PLANE]) > _LONGEST_AXIS:
        raise UnreadableImageError(
            f"would become {shape[1]} x {shape[0]} pixels, where NIfTI has room for {_LONGEST_AXIS}",
            fix="format=tiff",
        )
    with tempfile.TemporaryFile(dir=target.parent) as scratch:
        volume: Any = np.memmap(scratch, dtype, "w+", shape=shape, order="F")
        for image in images:
            position = np.unravel_index(image.frame, shape[_PLANE:], order="F")
            bits = 8 * dtype.itemsize
            values = image.pixels(bits)[::-1, :, 0].T.astype(np.int32)
            if exact and stored.slope < 0:
                values = 2**bits - 1 - values
            low = 2 ** (bits - 1) if dtype.kind == "i" else 0
            volume[(slice(None), slice(None), *map(int, position))] = values - low
        finer: Any = nibabel.Nifti1Image(volume, None, header=_header(source, dtype, scale, exact=exact))  # type: ignore[no-untyped-call]
        slope, inter = (stored.slope, stored.inter) if exact else (1.0, 0.0)
        finer.header.set_slope_inter(slope, inter)  # what is set is kept, and the values are written as they are
        _place(finer, source, scale)
        compressed = target.name.lower().endswith(".gz")
        with gzip.open(target, "wb", compresslevel=1) if compressed else target.open("wb") as file:
            finer.to_stream(file)


def _header(source: Any, dtype: np.dtype[Any], scale: int, *, exact: bool) -> Any:
    header = source.header.copy()
    header.set_data_dtype(dtype)
    zooms = header.get_zooms()
    header.set_zooms((zooms[0] / scale, zooms[1] / scale, *zooms[_PLANE:]))
    if header.get_dim_info()[-1] in range(_PLANE):  # slices that were acquired lie across these, and have no number now
        header["slice_start"] = header["slice_end"] = header["slice_code"] = header["slice_duration"] = 0
    header.extensions[:] = [each for each in header.extensions if each.get_code() == _COMMENT]
    if not exact:  # the range to display, and what the values are, were those of other values
        header["cal_min"] = header["cal_max"] = 0
        header.set_intent("none")
    return header


def _place(finer: Any, source: Any, scale: int) -> None:
    """Keep the edges of the volume where they were: the centre of the first pixel moves by half of what it lost."""
    grid = np.diag([1 / scale, 1 / scale, 1.0, 1.0])
    grid[:_PLANE, 3] = (1 / scale - 1) / 2
    for name in ("sform", "qform"):
        affine, code = getattr(source, f"get_{name}")(coded=True)
        place = getattr(finer, f"set_{name}")
        if affine is None:
            place(None, code=0)
        else:
            place(affine @ grid, code=int(code))
