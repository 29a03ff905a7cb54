"""DICOM files as a test describes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian

Write = Callable[..., Path]


def signed(bits: int, shape: tuple[int, ...] = (12, 10)) -> np.ndarray:
    return np.random.default_rng(3).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(np.int16)


def unsigned(bits: int, shape: tuple[int, ...] = (12, 10)) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 2**bits, shape).astype(np.uint16 if bits > 8 else np.uint8)


def save(path: Path, pixels: np.ndarray, syntax: str, storage: str, **tags: object) -> Path:
    """Write an image as DICOM with what its array tells, and the given elements; None leaves an element out."""
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    frames, rows, columns = (1, *pixels.shape[:2]) if pixels.ndim == 2 + colour else pixels.shape[:3]
    bits = 8 * pixels.dtype.itemsize
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax
    image.file_meta.MediaStorageSOPClassUID = storage
    image.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    described = {
        "Rows": rows,
        "Columns": columns,
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": int(str(tags.get("BitsStored", bits))) - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({"PlanarConfiguration": 0} if colour else {}),
        **({"NumberOfFrames": frames} if frames > 1 else {}),
        **tags,
    }
    for keyword, value in described.items():
        if value is not None:
            setattr(image, keyword, value)
    raw = pixels.astype(pixels.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
    image.PixelData = raw + b"\0" * (len(raw) % 2)
    image["PixelData"].VR = "OW" if bits > 8 else "OB"
    image.save_as(path, enforce_file_format=True)
    return path


def plant(path: Path, keyword: str, vr: str, value: bytes, *, within: tuple[str, ...] = ()) -> None:
    """Put bytes in place of an element of a file, whatever they mean; within the first items of sequences."""
    image = pydicom.dcmread(path)
    place: Dataset = image
    for sequence in within:
        place = place[sequence].value[0]
    tag = Tag(keyword)
    place[tag] = RawDataElement(tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True)
    image.save_as(path)
