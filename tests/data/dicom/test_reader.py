"""DICOM against pydicom's own values, brought to the range by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from srexp.data.dicom import reader
from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, signed, unsigned


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


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ("MR_small.dcm", "MR_small_RLE.dcm"),
        ("MR_small.dcm", "MR_small_bigendian.dcm"),
        ("MR_small.dcm", "MR_small_expb.dcm"),
        ("MR_small.dcm", "MR_small_implicit.dcm"),
        ("MR_small.dcm", "MR_small_jp2klossless.dcm"),
        ("MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm"),
        ("MR_small.dcm", "MR_small_padded.dcm"),
    ],
)
def test_one_image_in_every_lossless_syntax(plain: str, other: str) -> None:
    images = [read_image(Path(get_testdata_file(name))) for name in (plain, other)]
    assert images[0].digest() == images[1].digest()
    assert not images[1].lossy


@pytest.mark.parametrize("other", ["big_endian", "RLE", "jpeg_2k_lossless", "jpeg_ls_lossless"])
def test_every_frame_in_every_lossless_syntax(samples_dir: Path, other: str) -> None:
    plain, compressed = samples_dir / "emri_small.dcm", samples_dir / f"emri_small_{other}.dcm"
    assert list(frames_in(compressed)) == list(range(10))
    for frame in (9, 0, 4):
        assert read_image(plain, frame).digest() == read_image(compressed, frame).digest()


def test_jpeg_of_12_bits_is_decoded() -> None:
    image = read_image(Path(get_testdata_file("JPGExtended.dcm")))
    assert (image.pixels.shape, image.bits, image.lossy) == ((1024, 256, 1), 12, True)
    assert (image.pixels.min(), image.pixels.max()) == (0, 264)


def test_unsigned_codestream_of_signed_values() -> None:
    image = read_image(Path(get_testdata_file("J2K_pixelrep_mismatch.dcm")))
    assert image.bits == 13
    assert (image.pixels.min(), image.pixels.max()) == (4096 - 2000, 4096 + 1896)


@pytest.mark.parametrize(
    ("name", "lossy"),
    [("RG3_UNCR.dcm", False), ("RG3_UNCI.dcm", True), ("RG3_J2KI.dcm", True), ("RG3_J2KR.dcm", False)],
)
def test_lossy_is_said_whatever_the_last_syntax(samples_dir: Path, name: str, lossy: bool) -> None:
    assert read_image(samples_dir / name).lossy is lossy


def test_frame_in_several_pieces(write: Write, tmp_path: Path) -> None:
    path = Path(get_testdata_file("MR_small_jp2klossless.dcm"))
    data = pydicom.dcmread(path)
    data.PixelData = encapsulate([pydicom.encaps.get_frame(data.PixelData, 0, number_of_frames=1)], 4)
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "pieces.dcm")
    assert read_image(tmp_path / "pieces.dcm").digest() == read_image(path).digest()


def test_frames_in_several_pieces(samples_dir: Path, tmp_path: Path) -> None:
    path = samples_dir / "emri_small_jpeg_2k_lossless.dcm"
    data = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=10))
    data.PixelData = encapsulate(frames, 3)
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "pieces.dcm")
    for frame in (0, 9):
        assert read_image(tmp_path / "pieces.dcm", frame).digest() == read_image(path, frame).digest()


def test_signed_codestream_of_unsigned_values_is_refused(tmp_path: Path) -> None:
    data = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    data.PixelRepresentation = 0
    data.save_as(tmp_path / "a.dcm")
    with pytest.raises(UnreadableImageError, match="contradicts itself"):
        read_image(tmp_path / "a.dcm")


def test_compressed_pixels_that_break_off_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(Path(get_testdata_file("MR_small_jp2klossless.dcm")).read_bytes()[:-400])
    with pytest.raises(UnreadableImageError, match="have no end"):
        read_image(path)


def test_compressed_frame_of_another_kind_is_refused(write: Write, tmp_path: Path) -> None:
    data = pydicom.dcmread(write(unsigned(8, (4, 4))))
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    data.PixelData = encapsulate([b"no codestream at all"])
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "b.dcm")
    with pytest.raises(UnreadableImageError, match="holds a frame that is not JPEG 2000"):
        read_image(tmp_path / "b.dcm")


def test_compressed_frames_that_are_too_few_are_refused(write: Write, tmp_path: Path) -> None:
    data = pydicom.dcmread(write(unsigned(8, (3, 4, 4))))
    data.compress(RLELossless)
    data.NumberOfFrames = 7
    data.save_as(tmp_path / "b.dcm")
    with pytest.raises(UnreadableImageError, match="3 compressed pieces for 7 frames"):
        frames_in(tmp_path / "b.dcm")


def test_frame_that_is_not_there(write: Write) -> None:
    with pytest.raises(UnreadableImageError, match="has no frame 1"):
        read_image(write(unsigned(8)), 1)


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
