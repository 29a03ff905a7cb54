"""The tables of attributes are whole: nothing that sounds like pixels is forgotten, and nothing is invented."""

from __future__ import annotations

import re

import pytest
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage

from srexp.data.dicom.attributes import MEASURED, REWRITTEN, UNITS, dropped, is_foreign, of_this_image
from srexp.data.dicom.stored_values import Encoding, unsigned
from tests.data.dicom.not_in_pixels import GROUPS, NOT_IN_PIXELS

SOUNDS_LIKE_PIXELS = re.compile(
    "Pixel|Row|Column|Spacing|Position|Coordinate|Location|Origin|Edge|Vertical|Horizontal|Radius|Vertices|Vertex|Shift"
    "|Delta|Matrix|Sampling|Corner|Center|Graphic|Anchor|Point|Offset|Cursor|Displayed|Resolution|Subject(Area|Location)"
)
NUMBERS = {"DS", "IS", "FD", "FL", "US", "SS", "UL", "SL", "OF", "OD", "OL", "OW", "OB", "SV", "UV", "US or SS"}
CT = Dataset()
CT.SOPClassUID = CTImageStorage
KEPT = Encoding(16, 12, 0, "MONOCHROME2")
EVER_DROPPED = dropped(CT, unsigned(8, "MONOCHROME2"))


def dictionary() -> dict[str, int]:
    from pydicom._dicom_dict import DicomDictionary

    return {entry[4]: tag for tag, entry in DicomDictionary.items() if entry[4]}


def test_every_attribute_that_sounds_like_pixels_has_a_rule_or_a_reason_to_stay() -> None:
    candidates = {
        keyword: tag
        for keyword, tag in dictionary().items()
        if SOUNDS_LIKE_PIXELS.search(keyword) and set(dictionary_VR(tag).split(" or ")) & NUMBERS
    }
    assert len(candidates) > 400
    forgotten = {
        keyword
        for keyword, tag in candidates.items()
        if keyword not in MEASURED.keys() | NOT_IN_PIXELS.keys() | EVER_DROPPED and tag >> 16 not in GROUPS
    }
    assert forgotten == set()


def test_the_tables_hold_only_attributes_and_each_once() -> None:
    known = dictionary()
    for names in (
        MEASURED,
        REWRITTEN,
        NOT_IN_PIXELS,
        EVER_DROPPED,
        {unit for units in UNITS.values() for unit in units},
    ):
        assert set(names) - known.keys() == set()
    assert not MEASURED.keys() & (NOT_IN_PIXELS.keys() | EVER_DROPPED)
    assert not [keyword for keyword in MEASURED if not SOUNDS_LIKE_PIXELS.search(keyword)]
    assert not [keyword for keyword in (*MEASURED, *NOT_IN_PIXELS) if known[keyword] >> 16 in GROUPS]
    assert all(dictionary_VM(tag_for_keyword(keyword)) for keyword in MEASURED)
    assert set(UNITS) <= set(MEASURED)


@pytest.mark.parametrize(
    ("encoding", "gone", "stays"),
    [
        (KEPT, {"ConcatenationUID", "PixelPaddingValue"}, {"Units", "WindowCenter", "RescaleSlope"}),
        (Encoding(16, 12, 0, "MONOCHROME2", padding=range(1)), {"IconImageSequence"}, {"PixelPaddingValue"}),
        (
            unsigned(12, "MONOCHROME2"),
            {"RealWorldValueMappingSequence", "Units", "WindowCenter", "RescaleSlope", "PlanarConfiguration"},
            {"PatientName", "PixelSpacing"},
        ),
        (unsigned(8, "RGB"), {"RedPaletteColorLookupTableData", "WindowCenter"}, {"PlanarConfiguration", "ICCProfile"}),
    ],
)
def test_what_is_dropped_depends_on_how_values_are_stored(encoding: Encoding, gone: set[str], stays: set[str]) -> None:
    assert gone <= dropped(CT, encoding)
    assert not stays & dropped(CT, encoding)


def test_an_acquisition_is_dropped_only_from_what_may_not_be_derived_with_it() -> None:
    enhanced = Dataset()
    enhanced.SOPClassUID = EnhancedMRImageStorage
    assert "MRAcquisitionType" in dropped(enhanced, KEPT)
    assert "MRAcquisitionType" not in dropped(CT, KEPT)


def test_private_elements_curves_overlays_and_the_unknown_are_foreign() -> None:
    foreign = [0x00291001, 0x50000010, 0x60003000, 0x60FF0050, 0xFFFEE000, 0x00500410]
    assert all(is_foreign(Tag(tag)) for tag in foreign)
    assert not any(is_foreign(Tag(keyword)) for keyword in ("Rows", "PixelSpacing", "PatientName"))
    others = "SourceImage ReferencedImage OriginalAttributes ContributingEquipment PredecessorDocuments Related"
    assert not any(of_this_image(f"{each}Sequence") for each in f"{others} XRay3DAcquisition".split())
