"""DICOM files as a test describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import ComputedRadiographyImageStorage, CTImageStorage, ExplicitVRLittleEndian

from tests.data.dicom.images import Write, save


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an image as DICOM: `write(pixels, BitsStored=12, ...)`; None as a value leaves an element out."""

    def write(pixels: np.ndarray, *, syntax: str = ExplicitVRLittleEndian, name: str = "a.dcm", **tags: object) -> Path:
        return save(tmp_path / name, pixels, syntax, CTImageStorage, **{"Modality": "CT", **tags})

    return write


@pytest.fixture
def radiograph(tmp_path: Path) -> Write:
    """Write a radiograph with an element of most kinds; None as a value leaves an element out."""
    described = {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.5",
        "FrameOfReferenceUID": "1.2.9",
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Müller^Eva",
        "PatientID": "p1",
        "StudyDate": "20200102",
        "Modality": "CR",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SeriesDescription": "chest",
    }

    def write(pixels: np.ndarray, *, syntax: str = ExplicitVRLittleEndian, name: str = "a.dcm", **tags: object) -> Path:
        return save(tmp_path / name, pixels, syntax, ComputedRadiographyImageStorage, **{**described, **tags})

    return write
