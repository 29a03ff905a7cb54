"""What is no usable image is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, unsigned

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Modality": "RTDOSE"}, "is an RT dose grid, not an image"),
        ({"Modality": "SEG"}, "is a segmentation, not an image"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "has 32 bits allocated per sample, where 8 or 16 can be read"),
        ({"BitsAllocated": 1, "BitsStored": 1}, "has 1 bits allocated"),
        ({"BitsStored": 5}, "stores 5 of 16 bits"),
        ({"BitsStored": 12, "HighBit": 3}, "stores 12 of 16 bits with high bit 3"),
        ({"Rows": None}, r"lacks Rows \(0028,0010\)"),
        ({"BitsStored": 16, "BitsAllocated": None}, r"lacks BitsAllocated \(0028,0100\)"),
        ({"Rows": 60000, "Columns": 60000}, "claims 60000 x 60000 pixels"),
        ({"Columns": 0}, "there is no image"),
        ({"Rows": 13}, "is truncated: 240 bytes of pixel data where 260 are needed"),
        ({"NumberOfFrames": 10**9}, "is truncated: 240 bytes"),
        ({"PhotometricInterpretation": "DOE JANE"}, "an unknown photometric interpretation"),
        ({"PhotometricInterpretation": "RGB"}, "has 1 samples per pixel with RGB"),
    ],
)
def test_what_is_no_usable_image_is_refused_with_the_reason(write: Write, tags: dict[str, object], words: str) -> None:
    path = write(unsigned(16), **tags)
    for attempt in (read_image, frames_in, shape_of):
        with pytest.raises(UnreadableImageError, match=words):
            attempt(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rtdose.dcm", "RT dose grid"),
        ("rtplan.dcm", "RT plan"),
        ("liver_1frame.dcm", "segmentation"),
        ("test-SR.dcm", "structured report"),
        ("waveform_ecg.dcm", "waveform"),
        ("MR_truncated.dcm", "truncated"),
        ("no_meta.dcm", "a DICOM file starts with 128 bytes and then DICM"),
        ("meta_missing_tsyntax.dcm", "no Transfer Syntax UID"),
        ("SC_rgb_rle_32bit.dcm", "32 bits"),
        ("JPEG2000-embedded-sequence-delimiter.dcm", "where the header says 1024 x 256 x 1"),
    ],
)
def test_odd_files_of_pydicom_are_refused_with_the_reason(name: str, words: str) -> None:
    with pytest.raises(UnreadableImageError, match=words):
        read_image(Path(get_testdata_file(name)))
