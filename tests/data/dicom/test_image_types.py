"""A derived image says so in the words that its class allows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset

from srexp.data.dicom.sop_classes import KNOWN_GEOMETRY
from tests.data.dicom.images import Write, unsigned
from tests.data.dicom.rewriting import quietly_read, through

CLASSES = {keyword: uid for uid, (*_, keyword) in UID_dictionary.items()}


@pytest.mark.parametrize(
    ("storage", "given", "kinds"),
    [
        (
            "EnhancedCTImageStorage",
            ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
            ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"],
        ),
        ("EnhancedMRImageStorage", ["DERIVED", "PRIMARY", "T1", "ADDITION"], ["DERIVED", "PRIMARY", "T1", "ADDITION"]),
        ("PositronEmissionTomographyImageStorage", ["ORIGINAL", "PRIMARY"], ["DERIVED", "PRIMARY"]),
        (
            "NuclearMedicineImageStorage",
            ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"],
            ["DERIVED", "PRIMARY", "TOMO", "EMISSION"],
        ),
        ("OphthalmicPhotography8BitImageStorage", ["ORIGINAL", "PRIMARY"], ["DERIVED", "PRIMARY", "RESAMPLED"]),
        (
            "OphthalmicPhotography16BitImageStorage",
            ["ORIGINAL", "PRIMARY", "", "RED"],
            ["DERIVED", "PRIMARY", "RESAMPLED", "RED"],
        ),
        (
            "OphthalmicPhotography8BitImageStorage",
            ["DERIVED", "PRIMARY", "MONTAGE"],
            ["DERIVED", "PRIMARY", "MONTAGE"],
        ),
        (
            "EnhancedXAImageStorage",
            ["ORIGINAL", "PRIMARY", "SINGLE PLANE", "NONE"],
            ["DERIVED", "PRIMARY", "SINGLE PLANE", "NONE"],
        ),
        ("CTImageStorage", ["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY", "AXIAL"]),
    ],
)
def test_image_types_are_those_that_the_class_allows(
    radiograph: Write, storage: str, given: list[str], kinds: list[str]
) -> None:
    frame = Dataset()
    frame.FrameType = given
    group = Dataset()
    group.CTImageFrameTypeSequence = [frame]
    groups = {"PerFrameFunctionalGroupsSequence": [group]} if storage.startswith("Enhanced") else {}
    path = radiograph(unsigned(8), SOPClassUID=getattr(pydicom.uid, storage), ImageType=given, **groups)
    image = quietly_read(through(path))
    assert list(image.ImageType) == kinds
    for made in image.get("PerFrameFunctionalGroupsSequence", []):
        assert list(made.CTImageFrameTypeSequence[0].FrameType) == kinds


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="no dicom3tools on this machine; .ci/run installs it")
@pytest.mark.parametrize(
    "storage",
    sorted(KNOWN_GEOMETRY),
)
def test_dciodvfy_knows_the_image_type_of_every_class(radiograph: Write, storage: str) -> None:
    for given in (["ORIGINAL", "PRIMARY"], ["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "PRIMARY", "", "NONE"]):
        path = radiograph(unsigned(8), SOPClassUID=CLASSES[storage], ImageType=given)
        assert of_image_type(through(path)) <= of_image_type(path), given


def of_image_type(path: Path) -> set[str]:
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace", check=False)
    lines = (said.stdout + said.stderr).splitlines()
    return {line for line in lines if line.startswith("Error") and ("ImageType" in line or "Image Type" in line)}
