"""A DICOM file through reader and writer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from srexp.data.formats.registry import frames_in, read_image
from srexp.data.formats.signatures import kind_of
from srexp.data.formats.writers import write_images
from srexp.data.restored_image import Origin, Provenance, Restored
from srexp.types import Pixels

MADE = Provenance("chest version 3 (models:/m-1)", "identity", "0.1", 2)


def enlarged(low: Pixels, scale: int) -> Pixels:
    return low.repeat(scale, 0).repeat(scale, 1)


def through(
    path: Path, *, scale: int = 1, intensity: Any = "bits", made: Provenance = MADE, change: Any = None
) -> Path:
    """Read a file, enlarge it by repeating pixels, in strips, and write it as DICOM."""
    origin = Origin(path, kind_of(path), tuple(frames_in(path)), intensity)

    def images():
        for frame in origin.frames:
            image = read_image(path, frame, intensity)
            high = enlarged(image.to_float(), scale)
            yield Restored.of(image, frame, scale, iter(np.array_split(change(high) if change else high, 3)))

    folder = path.parent / "out"
    folder.mkdir(exist_ok=True)
    made = Provenance(made.model, made.identity, made.version, scale)
    write_images(folder, f"{path.stem}.dcm", "dicom", origin, made, images=images())
    return folder / f"{path.stem}.dcm"


def quietly_read(path: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = pydicom.dcmread(path)
        for element in image.iterall():
            assert element.value is not None or element.VM == 0
        assert image.pixel_array.size
    return image
