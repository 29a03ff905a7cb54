"""What a derived DICOM object says of itself, and what it no longer says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from srexp.data.restored_image import Provenance
from tests.data.dicom.images import Write, unsigned
from tests.data.dicom.rewriting import quietly_read, through


def test_it_is_derived_from_the_original(radiograph: Write) -> None:
    path = radiograph(unsigned(12), BitsStored=12, WindowCenter=2000, WindowWidth=3000)
    before, after = pydicom.dcmread(path), quietly_read(through(path, scale=2))
    assert list(after.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    for kept in (
        *("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID", "SOPClassUID"),
        *("WindowCenter", "WindowWidth", "SpecificCharacterSet", "Modality"),
    ):
        assert after[kept].value == before[kept].value
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.SeriesInstanceUID != before.SeriesInstanceUID
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    for word in ("chest version 3 (models:/m-1)", "x2", "srexp 0.1", "Not for diagnosis"):
        assert word in after.DerivationDescription
    [source] = after.SourceImageSequence
    assert (source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID) == (
        before.SOPClassUID,
        before.SOPInstanceUID,
    )
    [purpose] = source.PurposeOfReferenceCodeSequence
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("121322", "DCM")
    assert (after.Rows, after.Columns) == (24, 20)
    assert after.SeriesDescription == "chest srexp x2"


@pytest.mark.parametrize("given", ["ORIGINAL", "ORIGINAL PRIMARY", "", None])  # one value, none, and no such element
def test_a_type_of_fewer_values_becomes_a_whole_one(radiograph: Write, given: str | None) -> None:
    after = quietly_read(through(radiograph(unsigned(12), BitsStored=12, ImageType=given)))
    assert list(after.ImageType) == ["DERIVED", "SECONDARY"]


def test_images_of_a_series_made_alike_share_a_series(radiograph: Write) -> None:
    first, second = (radiograph(unsigned(8), name=f"{n}.dcm", SOPInstanceUID=f"1.2.3.4.{n}") for n in (1, 2))
    made = [pydicom.dcmread(through(path)) for path in (first, second)]
    other = pydicom.dcmread(through(first, made=Provenance("m", "another identity", "0.1", 2)))
    assert made[0].SeriesInstanceUID == made[1].SeriesInstanceUID != other.SeriesInstanceUID
    assert len({image.SOPInstanceUID for image in (*made, other)}) == 3


def test_what_described_other_pixels_or_a_vendor_is_gone(radiograph: Write) -> None:
    icon = Dataset()
    icon.Rows = icon.Columns = 1
    path = radiograph(
        unsigned(8), SmallestImagePixelValue=3, LargestImagePixelValue=200, IconImageSequence=Sequence([icon]),
        OverlayRows=None,
    )  # fmt: skip
    image = pydicom.dcmread(path)
    image.add_new((0x6000, 0x0010), "US", 12)
    image.add_new((0x6000, 0x3000), "OW", b"\1" * 16)
    image.private_block(0x0029, "VENDOR", create=True).add_new(1, "LO", "secret sauce")
    image.save_as(path)
    made = quietly_read(through(path))
    assert not {"SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence"} & set(made.dir())
    assert not [element for element in made if element.tag.is_private or 0x6000 <= element.tag.group < 0x6100]


def test_loss_is_remembered(radiograph: Write) -> None:
    path = radiograph(unsigned(8), LossyImageCompression="01", LossyImageCompressionRatio=10)
    image = quietly_read(through(path))
    assert (image.LossyImageCompression, image.LossyImageCompressionRatio) == ("01", 10)
    lossy = Path(get_testdata_file("JPEG-lossy.dcm"))
    copied = path.with_name("lossy.dcm")
    shutil.copy(lossy, copied)
    assert pydicom.dcmread(through(copied)).LossyImageCompression == "01"
