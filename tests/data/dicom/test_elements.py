"""A damaged or unusual element is read all the same, or refused by its name; never a Python class, never its text."""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from srexp.data.dicom.attributes import MEASURED, REWRITTEN
from srexp.data.dicom.elements import integer, items, label, nested, number, numbers, readable, text, texts, uid, value
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, plant, unsigned
from tests.data.dicom.rewriting import through

CLASS = re.compile(r"\b[A-Za-z]+(Error|Exception|Warning)\b|NoneType|MultiValue|DSfloat")
#: What the reader and the writer look at, besides one attribute of each rule and kind of number.
TOUCHED = """
    SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID SeriesDescription Modality ImageType LUTData
    SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns BitsAllocated BitsStored
    HighBit PixelRepresentation PixelPaddingValue PixelPaddingRangeLimit RescaleSlope RescaleIntercept RescaleType
    WindowCenter WindowWidth VOILUTFunction PresentationLUTShape PixelIntensityRelationshipSign LossyImageCompression
    PresentationIntentType SequenceOfUltrasoundRegions DetectorInformationSequence SharedFunctionalGroupsSequence
    PerFrameFunctionalGroupsSequence ContributingEquipmentSequence SourceImageSequence ModalityLUTSequence
    VOILUTSequence ImageOrientationPatient RTImageOrientation GraphicAnnotationUnits PatientWeight
"""
RULES = {(change, dictionary_VR(keyword)): keyword for keyword, change in MEASURED.items()}
ELEMENTS = [*TOUCHED.split(), *sorted(RULES.values())]
PLACED = {
    "WindowCenter": 1,
    "WindowWidth": 9,
    "PixelSpacing": [1, 1],
    "ImagePositionPatient": [0, 0, 0],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
}
VALUES = {
    "empty": b"",
    "text": b"Doe^Jane",
    "several": b"1\\2\\3\\4 ",
    "huge": b"99999999999 ",
    "negative": b"-7",
    "broken number": b"1.5.2 ",
    "odd bytes": b"\xff\xfe\xfd",
    "not a number": struct.pack("<d", float("nan")),
    "large bytes": b"\xff" * 4,
}


def outcome(path: Path, intensity: str) -> str:
    """Give why a file is refused, the empty string when it is not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            through(path, scale=3, intensity=intensity)
        except UnreadableImageError as error:
            return str(error)
    return ""


@pytest.mark.parametrize(
    ("intensity", "wrong_vr", "every"),  # in the fast lane every third element
    [
        ("window", None, 3),
        *(
            pytest.param(intensity, vr, 1, marks=pytest.mark.slow)
            for intensity, vr in (
                *(("bits", None), ("window", None)),
                *(("bits", "LO"), ("window", "OB"), ("bits", "UN"), ("window", "US")),
            )
        ),
    ],
)
def test_whatever_an_element_holds_it_is_read_or_refused_by_name(
    write: Write, intensity: str, wrong_vr: str | None, every: int
) -> None:
    refused = 0
    for keyword in ELEMENTS[::every]:
        vr = wrong_vr or dictionary_VR(keyword).split(" or ")[0]
        for kind, planted in VALUES.items():
            if vr == "SQ" and planted:
                continue
            path = write(unsigned(16, (4, 5)), **PLACED)
            plant(path, keyword, vr, planted)
            reason = outcome(path, intensity)
            assert not CLASS.search(reason), (keyword, kind, reason)
            assert "Doe" not in reason
            refused += bool(reason)
            if reason:
                assert any(name in reason for name in (label(keyword), "transfer syntax", *ALSO.get(keyword, ()))), (
                    keyword,
                    kind,
                    reason,
                )
    assert 50 < every * refused < 0.9 * len(ELEMENTS) * len(VALUES)


# What else tells that an element is wrong: its neighbours, or that it is too much for the file.
ALSO = {
    "Rows": ("is truncated",),
    "Columns": ("is truncated",),
    "NumberOfFrames": ("is truncated",),
    "BitsStored": (label("HighBit"),),
    "BitsAllocated": (label("BitsStored"), "is truncated"),
    "SamplesPerPixel": (label("PhotometricInterpretation"),),
    "SOPClassUID": ("of the class",),
    "ModalityLUTSequence": (label("LUTDescriptor"),),
    "VOILUTSequence": (label("LUTDescriptor"),),
}


@pytest.mark.parametrize("kind", ["text", "several", "huge", "broken number", "odd bytes"])
def test_an_implicit_file_is_no_different(write: Write, kind: str) -> None:
    for keyword in ("PatientWeight", "Rows", "PixelSpacing", "WindowCenter", "SliceThickness", "ImagePositionPatient"):
        path = write(unsigned(8), syntax=ImplicitVRLittleEndian, WindowCenter=1, WindowWidth=9, PatientWeight=70)
        plant(path, keyword, dictionary_VR(keyword), VALUES[kind])
        reason = outcome(path, "bits")
        assert not CLASS.search(reason), (keyword, reason)
        assert not reason or label(keyword) in reason or "truncated" in reason


@pytest.mark.parametrize("vr", ["AT", "FD", "SQ", "US", "UN", "ZZ"])
def test_what_is_written_anew_is_so_whatever_was_there(write: Write, vr: str) -> None:
    for keyword in sorted(REWRITTEN - {"PixelRepresentation", "FrameType"} | {"PixelPresentation", "PatientName"}):
        for planted in (b"", b"\1\0\0\0\0\0\xf0\x3f"):
            path = write(unsigned(8))
            try:
                plant(path, keyword, vr, planted)
            except ValueError:  # pydicom can't read a part of it, so that it writes no such file
                continue
            reason = outcome(path, "percentile")
            assert not CLASS.search(reason), (keyword, reason)
            named = re.search(r"\([0-9A-F]{4},[0-9A-F]{4}\)|truncated|transfer syntax|of the class", reason)
            assert named or not reason, (keyword, reason)


def test_items_deep_inside_are_named_as_well(write: Write) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.PhysicalDeltaX = 1, 0.5
    for planted, words in ((b"abc", "has bytes as PhysicalDeltaX"), (struct.pack("<d", float("inf")), "has inf as")):
        path = write(unsigned(8), SequenceOfUltrasoundRegions=Sequence([region]))
        plant(path, "PhysicalDeltaX", "FD", planted, within=("SequenceOfUltrasoundRegions",))
        assert words in outcome(path, "bits")


def test_a_place_beyond_what_its_kind_of_number_holds_is_refused(write: Write) -> None:
    path = write(unsigned(8), ExposureControlSensingRegionLeftVerticalEdge=20000)
    assert (
        "would have 59999 as ExposureControlSensingRegionLeftVerticalEdge (0018,9436), where -32768 to 32767 fit"
        in outcome(path, "bits")
    )


def test_values_are_given_as_what_they_are() -> None:
    image = Dataset()
    image.PixelSpacing, image.Rows, image.ImageType, image.SliceThickness = [0.5, 0.25], 7, ["A", "B"], None
    image.SOPClassUID = "1.2.3"
    assert numbers(image, "PixelSpacing", 2) == [0.5, 0.25]
    assert (number(image, "PixelSpacing", 1), number(image, "SliceThickness", 3), integer(image, "Rows")) == (0.5, 3, 7)
    assert (texts(image, "ImageType"), text(image, "ImageType"), text(image, "Modality")) == (["A", "B"], "A", "")
    assert (uid(image, "SOPClassUID"), uid(image, "StudyInstanceUID"), value(image, "Modality")) == ("1.2.3", "", None)
    assert items(image, "SourceImageSequence") == list(nested(image)) == []
    image.PatientName, image.Columns, image.ImageComments = "", 0, []
    assert [value(image, name) for name in ("PatientName", "Columns", "ImageComments")] == [None, 0, None]
    image.add_new("StudyInstanceUID", "LO", "no identifier")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert uid(image, "StudyInstanceUID") == "no identifier"
    assert (integer(image, "SamplesPerPixel", 5), integer(image, "SamplesPerPixel", 0)) == (5, 0)
    assert (number(image, "RescaleSlope", 2), number(image, "PixelSpacing", 2)) == (2, 0.5)
    assert (numbers(image, "RescaleSlope", 1), numbers(image, "PixelSpacing", 1, 2)) == ([], [0.5, 0.25])
    image.add_new("BodyPartExamined", "CS", [" CHEST ", "ARM "])
    assert (texts(image, "BodyPartExamined"), texts(image, "Modality")) == (["CHEST", "ARM"], [])


def test_items_are_those_of_sequences_that_the_standard_knows() -> None:
    image, first, second, other = (Dataset() for _ in range(4))
    image.Rows, image.SourceImageSequence, image.ReferencedImageSequence = 3, [first, second], [other]
    image.private_block(0x0029, "VENDOR", create=True).add_new(1, "SQ", [Dataset()])
    assert items(image, "SourceImageSequence") == [first, second]
    assert [(keyword, item is other) for keyword, item in nested(image)] == [
        ("SourceImageSequence", False),
        ("SourceImageSequence", False),
        ("ReferencedImageSequence", True),
    ]


def test_an_element_without_a_name_is_called_by_its_tag() -> None:
    assert (label(0x0029_1001), label("Rows")) == ("(0029,1001)", "Rows (0028,0010)")


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda image: integer(image, "Columns"), r"lacks Columns \(0028,0011\)"),
        (
            lambda image: integer(image, "SliceThickness"),
            "has 0.5 as SliceThickness .*, where a whole number is expected",
        ),
        (lambda image: numbers(image, "PixelSpacing", 1), "has 2 values as PixelSpacing .*, where 1 are expected"),
        (lambda image: numbers(image, "Modality"), "has text as Modality .*, where numbers are expected"),
        (lambda image: texts(image, "LUTData"), "has bytes as LUTData .*, where text is expected"),
        (lambda image: items(image, "Modality"), "has text as Modality .*, where a sequence of items is expected"),
        (lambda image: numbers(image, "SourceImageSequence"), "has items as SourceImageSequence"),
        (lambda image: texts(image, "SourceImageSequence"), "has items as SourceImageSequence .*, where text is"),
        (lambda image: items(image, "PixelSpacing"), "has 2 values as PixelSpacing .*, where a sequence of items is"),
        (lambda image: items(image, "SliceThickness"), "has 0.5 as SliceThickness"),
        (lambda image: numbers(image, "LUTData"), "has bytes as LUTData .*, where numbers are"),
        (lambda image: numbers(image, "PixelSpacing", 1, 3), "has 2 values as .*, where 1 or 3 are expected"),
    ],
)
def test_what_is_wrong_says_what_was_got_and_expected(read: object, words: str) -> None:
    image = Dataset()
    image.PixelSpacing, image.SliceThickness, image.Modality = [0.5, 0.25], 0.5, "DOE"
    image.add_new("LUTData", "OW", b"12")
    image.SourceImageSequence = [pydicom.Dataset()]
    with pytest.raises(UnreadableImageError, match=words):
        read(image)


def test_any_exception_names_the_element() -> None:
    with (
        pytest.raises(UnreadableImageError, match=r"has bytes as Rows \(0028,0010\) that are no value"),
        readable("Rows"),
    ):
        raise KeyError("Doe")
