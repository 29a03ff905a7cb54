"""What a derived DICOM object says of itself, and what it no longer says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from srexp.data.dicom.attributes import MEASURED, REWRITTEN, dropped, is_foreign
from srexp.data.dicom.derived import instance_uid, is_restoration, keep_frames, series_uid
from srexp.data.dicom.sop_classes import FUNCTIONAL_GROUPS
from srexp.data.dicom.stored_values import Encoding
from srexp.data.formats.registry import read_image
from srexp.data.formats.writers import write_images
from srexp.data.restored_image import Origin, Provenance, Restored
from tests.data.dicom.images import Write, plant, unsigned
from tests.data.dicom.rewriting import MADE, quietly_read, through


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
    [equipment] = after.ContributingEquipmentSequence
    assert (equipment.Manufacturer, equipment.SoftwareVersions) == ("srexp", "0.1")
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


def test_the_same_made_again_is_the_same_object(radiograph: Write) -> None:
    path = radiograph(unsigned(8))
    first, again = (pydicom.dcmread(through(path)).SOPInstanceUID for _ in range(2))
    assert first == again == instance_uid("1.2.3.4", MADE.identity)
    assert pydicom.dcmread(through(path)).SeriesInstanceUID == series_uid("1.2.3.5", MADE.identity)
    assert is_restoration(pydicom.dcmread(through(path)))
    assert not is_restoration(pydicom.dcmread(path))


def test_some_frames_are_another_object_than_all(radiograph: Write) -> None:
    path = radiograph(np.stack([unsigned(8)] * 3), NumberOfFrames=3)
    uids = []
    for frames in ((0, 1, 2), (0, 1), (2,)):
        origin, target = Origin(path, "dicom", frames, "bits"), path.parent / "out.dcm"
        stored = [read_image(path, frame) for frame in frames]
        images = [Restored.of(each, 0, 1, iter([each.to_float()])) for each in stored]
        write_images(target.parent, target.name, "dicom", origin, MADE, images=images)
        uids.append(pydicom.dcmread(target).SOPInstanceUID)
    assert len(set(uids)) == 3
    assert uids[0] == instance_uid("1.2.3.4", MADE.identity)


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


def test_a_part_of_a_concatenation_becomes_an_object_of_its_own(radiograph: Write) -> None:
    path = radiograph(
        unsigned(8), ConcatenationUID="1.2.7", SOPInstanceUIDOfConcatenationSource="1.2.8", InConcatenationNumber=2,
        InConcatenationTotalNumber=3, ConcatenationFrameOffsetNumber=4, InstanceCreatorUID="1.2.6",
        SOPInstanceStatus="AO", HistogramSequence=[Dataset()],
    )  # fmt: skip
    left = {keyword for keyword in quietly_read(through(path, scale=2)).dir() if "Concatenation" in keyword}
    assert left == set()
    assert not {"InstanceCreatorUID", "SOPInstanceStatus", "HistogramSequence"} & set(quietly_read(through(path)).dir())


@pytest.mark.parametrize("intensity", ["window", "percentile"])
@pytest.mark.parametrize("grouped", [False, True])
def test_what_values_meant_is_gone_when_they_are_others(radiograph: Write, intensity: str, *, grouped: bool) -> None:
    mapping = Dataset()
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5, 0.0
    holder: dict[str, object] = {"RealWorldValueMappingSequence": Sequence([mapping])}
    if grouped:
        group = Dataset()
        group.RealWorldValueMappingSequence = Sequence([mapping])
        holder = {"SharedFunctionalGroupsSequence": Sequence([group])}
    path = radiograph(
        unsigned(12), BitsStored=12, SOPClassUID=PositronEmissionTomographyImageStorage, Units="BQML", SUVType="BW",
        RescaleSlope=2, RescaleIntercept=0, WindowCenter=2000, WindowWidth=3000, **holder,
    )  # fmt: skip
    same, other = (quietly_read(through(path, scale=2, intensity=kind)) for kind in ("bits", intensity))
    assert {"Units", "SUVType", "RescaleSlope"} <= set(same.dir())
    everything = {element.keyword for element in other.iterall()}
    assert not everything & {"RealWorldValueMappingSequence", "Units", "SUVType", "WindowCenter"}
    assert "RealWorldValueMappingSequence" in {element.keyword for element in same.iterall()}
    assert (same.SOPClassUID, other.SOPClassUID) == (
        PositronEmissionTomographyImageStorage,
        SecondaryCaptureImageStorage,
    )
    identity = other.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0] if grouped else other
    assert (identity.RescaleSlope, identity.RescaleIntercept, identity.RescaleType) == (1, 0, "US")


def test_radiographs_turned_over_say_so_and_keep_a_window(radiograph: Write) -> None:
    path = radiograph(
        unsigned(12), BitsStored=12, PhotometricInterpretation="MONOCHROME1", PixelIntensityRelationshipSign=1,
        PresentationIntentType="FOR PRESENTATION", PresentationLUTShape="INVERSE", WindowCenter=9, WindowWidth=9,
    )  # fmt: skip
    image = quietly_read(through(path, intensity="percentile"))
    assert (image.PhotometricInterpretation, image.PixelIntensityRelationshipSign) == ("MONOCHROME2", -1)
    assert (image.PresentationLUTShape, image.WindowCenter, image.WindowWidth) == ("IDENTITY", 2048, 4096)
    assert quietly_read(through(path)).PixelIntensityRelationshipSign == 1


def test_an_image_type_of_unknown_kind_is_one_all_the_same(radiograph: Write) -> None:
    path = radiograph(unsigned(8))
    plant(path, "ImageType", "UN", b"ORIGINAL\\PRIMARY\\AXIAL ")
    assert list(quietly_read(through(path)).ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]


@pytest.mark.parametrize("identifier", [None, "0.1.2", "999.1", "1.2.03", ""])
def test_an_original_without_a_usable_identifier_is_not_referred_to(radiograph: Write, identifier: str | None) -> None:
    path = radiograph(unsigned(8), SOPInstanceUID=None, SeriesInstanceUID=None)
    if identifier is not None:
        plant(path, "SOPInstanceUID", "UI", identifier.encode())
    image = quietly_read(through(path))
    assert "SourceImageSequence" not in image
    assert image.SOPInstanceUID.is_valid
    assert image.SeriesInstanceUID.is_valid
    again = quietly_read(through(path))
    for keyword, known in (("SOPInstanceUID", instance_uid), ("SeriesInstanceUID", series_uid)):
        assert image[keyword].value.startswith("2.25.")
        if identifier:  # which tells images apart, valid or not
            assert image[keyword].value == again[keyword].value == known(identifier, MADE.identity)
        else:
            assert image[keyword].value != again[keyword].value


@pytest.mark.parametrize("elements", ["SamplesPerPixel", "PixelRepresentation", "HighBit", "ImagerPixelSpacing"])
def test_what_has_a_usual_value_may_be_missing(radiograph: Write, elements: str) -> None:
    path = radiograph(unsigned(8), **{"ImagerPixelSpacing": [0.2], elements: None})
    image = quietly_read(through(path, scale=2))
    assert (image.SamplesPerPixel, image.PixelRepresentation, image.HighBit) == (1, 0, 7)
    assert image.get("ImagerPixelSpacing", 0.1) == 0.1


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "eCT_Supplemental.dcm", "US1_UNCR.dcm"])
def test_what_the_tables_do_not_name_stays_as_it_was(tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(get_testdata_file(name), tmp_path))
    before, after = pydicom.dcmread(path), pydicom.dcmread(through(path, scale=2))
    gone = dropped(before, Encoding(16, 12, 0, "MONOCHROME2")) - {"PlanarConfiguration", "PixelPaddingValue"}
    named = MEASURED.keys() | REWRITTEN | {*FUNCTIONAL_GROUPS, "PixelData"}
    compared = 0
    for element in pydicom.dcmread(path, stop_before_pixels=True):
        if is_foreign(element.tag) or element.keyword in gone:
            assert element.tag not in after
        elif element.keyword not in named:
            assert after[element.tag].value == element.value, element.keyword
            compared += 1
    assert compared > 20


# An element of each kind of words, which pydicom reads as bytes, and what numpy calls it.
WORDS = {
    "VectorGridData": "f4", "SelectorOWValue": "u2", "SelectorOLValue": "u4", "SelectorODValue": "f8",
    "SelectorOVValue": "u8", "SelectorOBValue": "u1",
}  # fmt: skip


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("keyword", WORDS)
def test_an_object_in_an_older_encoding_becomes_one_in_todays(radiograph: Write, syntax: str, keyword: str) -> None:
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    words, grid = np.arange(4, dtype=f"{order}{WORDS[keyword]}"), Dataset()
    setattr(grid, keyword, words.tobytes())
    path = radiograph(unsigned(8), syntax=syntax, DeformableRegistrationGridSequence=Sequence([grid]))
    made = quietly_read(through(path))
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    [kept] = made.DeformableRegistrationGridSequence
    assert list(np.frombuffer(kept[keyword].value, f"<{WORDS[keyword]}")) == [0, 1, 2, 3]
    np.testing.assert_array_equal(made.pixel_array, pydicom.dcmread(path).pixel_array)


def test_an_object_of_which_one_frame_is_kept_is_described_as_such() -> None:
    image, groups = Dataset(), [Dataset() for _ in range(3)]
    for number, group in enumerate(groups):
        group.RescaleSlope = number
    image.NumberOfFrames, image.PerFrameFunctionalGroupsSequence = 3, Sequence(groups)
    image.FrameTimeVector, image.SliceVector, image.PixelSpacing = [0, 10, 20], [1, 2], [1, 1]
    keep_frames(image, (2,))
    assert (image.NumberOfFrames, image.FrameTimeVector, image.PixelSpacing) == (1, 20, [1, 1])
    assert [group.RescaleSlope for group in image.PerFrameFunctionalGroupsSequence] == [2]
    assert image.SliceVector == [1, 2]  # which never had a value for each

    radiograph = Dataset()
    keep_frames(radiograph, (0,))
    assert "NumberOfFrames" not in radiograph


def test_whatever_has_a_value_for_each_frame_keeps_those_of_the_frames_that_stay() -> None:
    from pydicom._dicom_dict import DicomDictionary

    vectors = {entry[4] for entry in DicomDictionary.values() if entry[4].endswith("Vector") and entry[1][-1] == "n"}
    moving = {"PositionerPrimaryAngleIncrement", "PositionerSecondaryAngleIncrement"}
    moving |= {f"Table{way}Increment" for way in ("Vertical", "Lateral", "Longitudinal")}
    whole = vectors - {"TriggerVector"} | moving  # times of a heart's cycle, however many frames there are
    assert len(whole) == 24
    image = Dataset()
    image.NumberOfFrames, image.TriggerVector = 4, [1, 2, 3, 4]
    for keyword in whole:
        setattr(image, keyword, ["1", "2", "3", "4"] if dictionary_VR(keyword) in ("DS", "SH") else [1, 2, 3, 4])
    keep_frames(image, (0, 2))
    kept = {keyword: [int(each) for each in image[keyword].value] for keyword in whole}
    assert kept == {keyword: [1, 3] for keyword in whole}
    assert (image.NumberOfFrames, len(image.TriggerVector)) == (2, 4)
