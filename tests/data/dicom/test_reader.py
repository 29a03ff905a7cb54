"""DICOM against pydicom's own values, brought to the range by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from srexp.data.dicom import reader
from srexp.data.formats.registry import frames_in, identity_of, read_image, shape_of
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, signed, unsigned
from tests.data.dicom.rewriting import quietly_read, through

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")


@pytest.mark.parametrize("bits", range(8, 17))
def test_unsigned_values_keep_their_range(write: Write, bits: int) -> None:
    pixels = unsigned(bits)
    image = read_image(write(pixels, BitsStored=bits))
    np.testing.assert_array_equal(image.pixels[..., 0], pixels)
    assert image.bits == bits


@pytest.mark.parametrize("bits", [12, 13, 16])
def test_signed_values_are_shifted_over_the_stored_range(write: Write, bits: int) -> None:
    pixels = signed(bits)
    image = read_image(write(pixels, BitsStored=bits))
    np.testing.assert_array_equal(image.pixels[..., 0], pixels.astype(int) + 2 ** (bits - 1))


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=lambda uid: uid.name,
)
@pytest.mark.parametrize("pixels", [unsigned(8), signed(16), unsigned(8, (5, 7, 3)), unsigned(16, (3, 5, 7))])
def test_uncompressed_syntaxes_agree(write: Write, syntax: str, pixels: np.ndarray) -> None:
    path = write(pixels, syntax=syntax)
    offset = 2**15 if pixels.dtype.kind == "i" else 0
    frames = pixels if pixels.ndim == 3 and pixels.shape[-1] != 3 else pixels[np.newaxis]
    assert list(frames_in(path)) == list(range(len(frames)))
    assert shape_of(path) == frames.shape[1:3]
    for frame, expected in enumerate(frames):
        np.testing.assert_array_equal(read_image(path, frame).pixels.squeeze(), expected.astype(int) + offset)


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_rgb_rle_2frame.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "examples_rgb_color.dcm",
        "examples_ybr_color.dcm",
        "SC_rgb_rle_16bit.dcm",
        "SC_rgb_jls_lossy_sample.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
    ],
)
def test_colours_are_those_of_pydicom(name: str) -> None:
    path = Path(get_testdata_file(name))
    expected = pydicom.pixels.pixel_array(path, index=0)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.bits == 8 * expected.itemsize


@pytest.mark.parametrize(
    "name", ["OBXXXX1A.dcm", "OBXXXX1A_rle.dcm", "gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm"]
)
def test_palette_becomes_its_colours(samples_dir: Path, name: str) -> None:
    data = pydicom.dcmread(samples_dir / name)
    expected = pydicom.pixels.apply_color_lut(data.pixel_array, data)
    image = read_image(samples_dir / name)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.bits == 8 * expected.itemsize


def test_frame_that_is_not_there(write: Write) -> None:
    with pytest.raises(UnreadableImageError, match="has no frame 1"):
        read_image(write(unsigned(8)), 1)


@pytest.mark.parametrize("damaged", [False, True])
def test_every_frame_behind_an_extended_offset_table_is_read_and_written(write: Write, *, damaged: bool) -> None:
    pixels = unsigned(16, (3, 12, 10))
    path = write(pixels)
    image = pydicom.dcmread(path)
    image.compress(RLELossless, encapsulate_ext=True)
    assert len(image.ExtendedOffsetTable) == 24
    if damaged:  # it is not needed where each frame is one piece
        image.ExtendedOffsetTable = b"\xff" * 24
    image.save_as(path)
    for frame in range(3):
        np.testing.assert_array_equal(read_image(path, frame).pixels[..., 0], pixels[frame])
    made = quietly_read(through(path))
    np.testing.assert_array_equal(made.pixel_array, pixels)
    assert "ExtendedOffsetTable" not in made


def test_patient_is_that_of_the_header(write: Write) -> None:
    path = write(unsigned(8), PatientID="P 7", IssuerOfPatientID="H")
    assert reader.patient_of(path) == "H/P 7"


def test_patient_that_is_not_there_is_refused(write: Write) -> None:
    with pytest.raises(UnreadableImageError, match="has no PatientID"):
        reader.patient_of(write(unsigned(8)))


def test_nothing_is_printed_and_no_warning_given(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(unsigned(8), StudyDate="20200101", WindowCenter=3, WindowWidth=9)
    read_image(path, intensity="window")
    path.write_bytes(path.read_bytes().replace(b"20200101", b"DOE^JANE") + b"\0" * 100)
    read_image(path)
    assert capfd.readouterr() == ("", "")


def test_an_object_is_told_from_others_by_its_uids(write):
    path = write(unsigned(8), StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4", SOPInstanceUID="1.2.5")
    assert identity_of(path) == ("1.2.3", "1.2.4", "1.2.5", False)
    assert identity_of(through(path)).restored
    assert identity_of(write(unsigned(8), SOPInstanceUID=None, name="b.dcm"))[2] == ""
