"""DICOM against pydicom's own values, brought to the range by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
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

RNG = np.random.default_rng(3)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an image as DICOM: `write(pixels, BitsStored=12, ...)`; None as a value leaves an element out."""

    def write(pixels: np.ndarray, *, syntax: str = ExplicitVRLittleEndian, name: str = "a.dcm", **tags: object) -> Path:
        colour = pixels.ndim > 2 and pixels.shape[-1] == 3
        frames, rows, columns = (1, *pixels.shape[:2]) if pixels.ndim == 2 + colour else pixels.shape[:3]
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = syntax
        data.file_meta.MediaStorageSOPClassUID = CTImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        bits = 8 * pixels.dtype.itemsize
        described = {
            "Modality": "CT",
            "Rows": rows,
            "Columns": columns,
            "SamplesPerPixel": 3 if colour else 1,
            "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
            "BitsAllocated": bits,
            "BitsStored": bits,
            "HighBit": int(tags.get("BitsStored", bits)) - 1,
            "PixelRepresentation": int(pixels.dtype.kind == "i"),
            **({"PlanarConfiguration": 0} if colour else {}),
            **({"NumberOfFrames": frames} if frames > 1 else {}),
            **tags,
        }
        for keyword, value in described.items():
            if value is not None:
                setattr(data, keyword, value)
        raw = pixels.astype(pixels.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
        data.PixelData = raw + b"\0" * (len(raw) % 2)
        data["PixelData"].VR = "OW" if bits > 8 else "OB"
        path = tmp_path / name
        data.save_as(path, enforce_file_format=True)
        return path

    return write


def signed(bits: int, shape: tuple[int, ...] = (12, 10)) -> np.ndarray:
    return RNG.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(np.int16)


def unsigned(bits: int, shape: tuple[int, ...] = (12, 10)) -> np.ndarray:
    return RNG.integers(0, 2**bits, shape).astype(np.uint16 if bits > 8 else np.uint8)


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


def test_monochrome1_is_turned_over(write: Write) -> None:
    pixels = unsigned(10)
    image = read_image(write(pixels, BitsStored=10, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(image.pixels[..., 0], 1023 - pixels)


@pytest.mark.parametrize(("slope", "turned"), [(1, False), (0.001, False), (3.77, False), (-1, True), (-0.5, True)])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_rescale_only_relabels_but_for_its_sign(write: Write, slope: float, turned: bool, photometric: str) -> None:
    pixels = signed(12)
    path = write(
        pixels, BitsStored=12, RescaleSlope=slope, RescaleIntercept=-1024, PhotometricInterpretation=photometric
    )
    brightness = pixels.astype(int) + 2048
    expected = 4095 - brightness if turned != (photometric == "MONOCHROME1") else brightness
    np.testing.assert_array_equal(read_image(path).pixels[..., 0], expected)


def test_slope_of_zero_is_refused(write: Write) -> None:
    with pytest.raises(UnreadableImageError, match="RescaleSlope"):
        read_image(write(unsigned(8), RescaleSlope=0, RescaleIntercept=0))


def table(first: int, bits: int, values: list[int]) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item.LUTData = np.array(values, "<u2").tobytes()
    item["LUTData"].VR = "OW"
    return Sequence([item])


def test_modality_table_maps_to_its_own_bits_and_extends_its_ends(write: Write) -> None:
    pixels = np.array([[0, 9, 10, 11, 12, 255]], np.uint8)
    image = read_image(write(pixels, ModalityLUTSequence=table(10, 12, [100, 2000, 4095])))
    assert image.pixels.ravel().tolist() == [100, 100, 100, 2000, 4095, 4095]
    assert image.bits == 12


def test_modality_table_of_signed_values(write: Write) -> None:
    pixels = np.array([[-5, -2, -1, 0, 7]], np.int16)
    image = read_image(write(pixels, ModalityLUTSequence=table(-2, 8, [1, 2, 3])))
    assert image.pixels.ravel().tolist() == [1, 1, 2, 3, 3]


def test_padding_takes_the_darkest_value_and_not_the_range(write: Write) -> None:
    pixels = np.array([[-2000, 100, 300, 500]], np.int16)
    shifted = 2**15
    image = read_image(write(pixels, PixelPaddingValue=-2000))
    assert (image.pixels.ravel() - shifted).tolist() == [100, 100, 300, 500]


def test_padding_is_dark_in_monochrome1_too(write: Write) -> None:
    pixels = np.array([[255, 0, 100, 200]], np.uint8)
    image = read_image(write(pixels, PixelPaddingValue=255, PhotometricInterpretation="MONOCHROME1"))
    assert image.pixels.ravel().tolist() == [55, 255, 155, 55]


def test_padding_may_be_a_range(write: Write) -> None:
    pixels = np.array([[0, 16, 17, 40]], np.uint8)
    image = read_image(write(pixels, PixelPaddingValue=0, PixelPaddingRangeLimit=16))
    assert image.pixels.ravel().tolist() == [17, 17, 17, 40]


def test_padding_has_no_say_in_the_percentiles(write: Write) -> None:
    pixels = np.tile(np.arange(100, 200, dtype=np.int16), (10, 1))
    pixels[:5] = -30000
    image = read_image(write(pixels, PixelPaddingValue=-30000), intensity="percentile")
    assert image.pixels[5:].min() == 0
    assert image.pixels[5:].max() == 65535
    assert not image.pixels[:5].any()


def test_image_of_padding_alone_stays_as_it_is(write: Write) -> None:
    assert (read_image(write(np.full((3, 3), 7, np.uint8), PixelPaddingValue=7)).pixels == 7).all()


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_window_is_that_of_pydicom(write: Write, function: str, photometric: str) -> None:
    path = write(
        signed(12, (40, 40)),
        BitsStored=12,
        RescaleSlope=2,
        RescaleIntercept=-1000,
        WindowCenter=[40, 7],
        WindowWidth=[1500, 9],
        VOILUTFunction=function,
        PhotometricInterpretation=photometric,
    )
    data = pydicom.dcmread(path)
    shown = pydicom.pixels.apply_windowing(pydicom.pixels.apply_modality_lut(data.pixel_array, data), data)
    low, high = 2 * -2048 - 1000, 2 * 2047 - 1000
    unit = (shown - low) / (high - low)
    expected = (1 - unit if photometric == "MONOCHROME1" else unit) * 4095
    image = read_image(path, intensity="window")
    assert image.bits == 12
    assert np.abs(image.pixels[..., 0] - expected).max() <= 0.5 + 1e-6


def test_window_of_width_1_is_a_threshold(write: Write) -> None:
    image = read_image(write(np.array([[9, 10, 11]], np.uint8), WindowCenter=10.5, WindowWidth=1), intensity="window")
    assert image.pixels.ravel().tolist() == [0, 128, 255]


def test_window_table_is_requantised_to_the_stored_bits(write: Write) -> None:
    path = write(np.array([[0, 1, 2]], np.uint16), BitsStored=12, VOILUTSequence=table(0, 8, [0, 51, 255]))
    assert read_image(path, intensity="window").pixels.ravel().tolist() == [0, 819, 4095]
    assert read_image(path).pixels.ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 0, "WindowWidth": 0}, {"WindowWidth": 5}])
def test_window_that_is_not_there_is_refused(write: Write, window: dict[str, int]) -> None:
    with pytest.raises(UnreadableImageError, match=r"no VOI window[\s\S]*dataset.intensity=bits"):
        read_image(write(unsigned(8), **window), intensity="window")


def test_colour_is_not_windowed(write: Write) -> None:
    pixels = unsigned(8, (4, 5, 3))
    np.testing.assert_array_equal(read_image(write(pixels), intensity="window").pixels, pixels)


def test_overlay_in_the_unused_bits_is_left_out(write: Write) -> None:
    pixels = unsigned(12)
    image = read_image(write(pixels | 0x8000, BitsStored=12))
    np.testing.assert_array_equal(image.pixels[..., 0], pixels)


def test_values_in_the_upper_bits_are_brought_down(write: Write) -> None:
    pixels = unsigned(12)
    image = read_image(write(pixels << 4, BitsStored=12, HighBit=15))
    np.testing.assert_array_equal(image.pixels[..., 0], pixels)
    assert image.bits == 12


def test_each_frame_is_described_by_its_own_functional_group(write: Write) -> None:
    def group(slope: int, center: int) -> Dataset:
        rescale, window, item = Dataset(), Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept = slope, 0
        window.WindowCenter, window.WindowWidth = center, 3
        item.PixelValueTransformationSequence = Sequence([rescale])
        item.FrameVOILUTSequence = Sequence([window])
        return item

    pixels = np.array([[[0, 1, 2, 3]], [[0, 1, 2, 3]]], np.uint8)
    path = write(pixels, PerFrameFunctionalGroupsSequence=Sequence([group(1, 1), group(-1, -1)]))
    assert read_image(path, 0).pixels.ravel().tolist() == [0, 1, 2, 3]
    assert read_image(path, 1).pixels.ravel().tolist() == [255, 254, 253, 252]
    assert read_image(path, 0, "window").pixels.ravel().tolist() == [64, 191, 255, 255]
    assert read_image(path, 1, "window").pixels.ravel().tolist() == [255, 191, 64, 0]


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
