"""Grey values against pydicom's own: unused bits, padding, modality table, window and polarity."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from srexp.data.formats.registry import read_image
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, signed, unsigned
from tests.data.dicom.rewriting import through

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")


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


@pytest.mark.parametrize("lossy", ["00", "01"])
@pytest.mark.parametrize(("high_bit", "beside"), [(15, 0x000F), (13, 0xC003), (11, 0xF000)])
def test_run_lengths_hold_whole_words_whose_unused_bits_are_left_out(
    write: Write, high_bit: int, beside: int, lossy: str
) -> None:
    pixels = unsigned(12)
    words = (pixels << (high_bit - 11)) | np.uint16(beside)
    path = write(words, LossyImageCompression=lossy)
    packed = pydicom.dcmread(path)
    packed.compress(RLELossless, generate_instance_uid=False)
    packed.BitsStored, packed.HighBit = 12, high_bit
    packed.save_as(path)
    np.testing.assert_array_equal(read_image(path).pixels[..., 0], pixels)


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


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("pixels", "intercept", "first"),
    [
        (np.array([[0, 1, 2, 3]], np.uint16), -1024, -1024),  # unsigned pixels, signed once they are rescaled
        (np.array([[-3, -2, -1, 0]], np.int16), 40003, 40000),  # the other way round
        (np.array([[-3, -2, -1, 0]], np.int16), 0, -3),
        (np.array([[7, 8, 9, 10]], np.uint16), 0, 7),
        (np.array([[0, 1, 2, 3]], np.uint16), 40000, 40000),
    ],
)
def test_a_window_table_has_the_sign_of_what_comes_in(
    write: Write, syntax: str, pixels: np.ndarray, intercept: int, first: int
) -> None:
    item = Dataset()
    item.LUTExplanation = "x"
    item.add_new("LUTData", "OW", np.array([0, 60, 120, 255], np.uint16).tobytes())
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [4, first, 8])
    tags = {"RescaleSlope": 1, "RescaleIntercept": intercept, "VOILUTSequence": Sequence([item])}
    path = write(pixels, syntax=syntax, **tags)
    expected = [round(value / 255 * 65535) for value in (0, 60, 120, 255)]
    assert read_image(path, intensity="window").pixels.ravel().tolist() == expected
    made = through(path)
    assert read_image(made, intensity="window").pixels.ravel().tolist() == expected
    assert pydicom.dcmread(made).VOILUTSequence[0].LUTDescriptor[1] == first


@pytest.mark.parametrize(
    ("descriptor", "data", "words"),
    [
        (None, b"12", "0 bits"),
        ([2, 0, 8], None, "has 0 values as LUTData"),
        ([4, 0, 8], b"12", "has 2 values as LUTData"),
        ([2, 0, 20], b"1234", "of 20 bits"),
    ],
)
def test_a_table_that_does_not_fit_its_descriptor_is_refused(
    write: Write, descriptor: list[int] | None, data: bytes | None, words: str
) -> None:
    item = Dataset()
    if descriptor:
        item.add_new("LUTDescriptor", "US", descriptor)
    if data:
        item.add_new("LUTData", "OW", data)
    path = write(unsigned(8), VOILUTSequence=Sequence([item]))
    with pytest.raises(UnreadableImageError, match=words) as refused:
        read_image(path, intensity="window")
    assert "LUTDescriptor (0028,3002)" in refused.value.reason
