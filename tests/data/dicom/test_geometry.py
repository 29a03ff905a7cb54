"""An enlarged image covers the same millimetres, in every element that counts pixels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.data.dicom.images import Write, unsigned
from tests.data.dicom.rewriting import quietly_read, through


def test_spacings_and_positions_are_those_of_the_smaller_pixels(radiograph: Write) -> None:
    path = radiograph(
        unsigned(8), PixelSpacing=[0.8, 0.6], ImagerPixelSpacing=[0.4, 0.4], NominalScannedPixelSpacing=[0.1, 0.1],
        ImagePositionPatient=[10, -20, 30], ImageOrientationPatient=[0, 1, 0, 0, 0, -1], SpacingBetweenSlices=5,
        SliceThickness=4, ShutterShape="RECTANGULAR", ShutterLeftVerticalEdge=2, ShutterRightVerticalEdge=9,
        ShutterUpperHorizontalEdge=1, ShutterLowerHorizontalEdge=12,
    )  # fmt: skip
    image = quietly_read(through(path, scale=2))
    assert list(image.PixelSpacing) == [0.4, 0.3]
    assert (list(image.ImagerPixelSpacing), list(image.NominalScannedPixelSpacing)) == ([0.2, 0.2], [0.05, 0.05])
    assert (image.SpacingBetweenSlices, image.SliceThickness) == (5, 4)
    # A quarter of a pixel towards the corner: along the rows (+y) by 0.15, along the columns (-z) by 0.2.
    assert list(image.ImagePositionPatient) == pytest.approx([10, -20.15, 30.2])
    assert list(image.ImageOrientationPatient) == [0, 1, 0, 0, 0, -1]
    edges = [image[f"Shutter{edge}"].value for edge in ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge")]
    assert edges == [round(1.5 * 2 + 0.5), round(8.5 * 2 + 0.5), round(0.5 * 2 + 0.5)]


def test_an_enhanced_object_is_scaled_in_its_functional_groups(tmp_path: Path) -> None:
    path = tmp_path / "eCT.dcm"
    shutil.copy(get_testdata_file("eCT_Supplemental.dcm"), path)
    before, after = pydicom.dcmread(path), pydicom.dcmread(through(path, scale=2))
    spacing = before.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    finer = after.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    assert list(finer) == pytest.approx([each / 2 for each in spacing])
    assert after.NumberOfFrames == before.NumberOfFrames
    first, moved = (
        image.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
        for image in (before, after)
    )
    assert np.linalg.norm(np.subtract(first, moved)) == pytest.approx(np.hypot(*spacing) / 4, rel=1e-4)
    [derivation] = after.SharedFunctionalGroupsSequence[0].DerivationImageSequence
    assert derivation.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert after.SourceImageEvidenceSequence[0].StudyInstanceUID == before.StudyInstanceUID
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array.repeat(2, -2).repeat(2, -1))


def test_ultrasound_regions_follow(radiograph: Write) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = 2, 8
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = 0, 11
    region.PhysicalDeltaX, region.PhysicalDeltaY, region.ReferencePixelX0 = 0.5, 0.25, 4
    image = quietly_read(through(radiograph(unsigned(8), SequenceOfUltrasoundRegions=Sequence([region])), scale=2))
    [made] = image.SequenceOfUltrasoundRegions
    places = [made[f"RegionLocation{name}"].value for name in ("MinX0", "MaxX1", "MinY0", "MaxY1")]
    assert places == [4, 17, 0, 23]
    assert (made.PhysicalDeltaX, made.PhysicalDeltaY, made.ReferencePixelX0) == (0.25, 0.125, 8)
