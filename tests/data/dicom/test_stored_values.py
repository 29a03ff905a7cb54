"""Stored values as the original means them: sign, polarity, padding, modality table and window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from srexp.data.dicom.header import read_header
from srexp.data.dicom.stored_values import encoding_of, sign_tables
from srexp.data.formats.registry import read_image
from srexp.data.image import Numbers
from tests.data.dicom.images import Write, signed, unsigned
from tests.data.dicom.rewriting import enlarged, quietly_read, through

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("make", [unsigned, signed])
@pytest.mark.parametrize("bits", [10, 12, 15, 16])
@pytest.mark.parametrize("scale", [1, 3])
def test_stored_values_come_back(radiograph: Write, photometric: str, make: Any, bits: int, scale: int) -> None:
    pixels = make(bits)
    path = radiograph(
        pixels, BitsStored=bits, PhotometricInterpretation=photometric, RescaleIntercept=-5, RescaleSlope=0.5
    )
    image = quietly_read(through(path, scale=scale))
    np.testing.assert_array_equal(image.pixel_array, enlarged(pixels, scale))
    assert image.pixel_array.dtype == pixels.dtype
    assert (image.BitsAllocated, image.BitsStored, image.HighBit) == (16, bits, bits - 1)
    assert (image.PhotometricInterpretation, image.RescaleSlope, image.RescaleIntercept) == (photometric, 0.5, -5)


@pytest.mark.parametrize(
    "pixels", [unsigned(8), unsigned(8, (5, 7, 3)), unsigned(16, (5, 7, 3)), unsigned(12, (3, 5, 7))]
)
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_bytes_colours_and_frames_come_back(radiograph: Write, pixels: Numbers, syntax: str) -> None:
    path = radiograph(pixels, syntax=syntax)
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels)
    assert image.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_a_negative_slope_and_high_bits_elsewhere(radiograph: Write) -> None:
    pixels = unsigned(12)
    path = radiograph(pixels, BitsStored=12, RescaleSlope=-2, RescaleIntercept=0)
    np.testing.assert_array_equal(quietly_read(through(path)).pixel_array, pixels)
    path = radiograph(pixels << 4, BitsStored=12, HighBit=15, name="b.dcm")
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels)
    assert image.HighBit == 11


@pytest.mark.parametrize(("padding", "limit"), [(0, None), (4095, None), (-2000, None), (-2000, -1990), (100, 110)])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_stays_and_nothing_becomes_padding(
    radiograph: Write, padding: int, limit: int | None, photometric: str
) -> None:
    pixels = (signed if padding < 0 else unsigned)(12, (20, 20))
    pixels[:, :6] = padding
    pixels[5:, :3] = limit or padding
    inside = ~((pixels >= min(padding, limit or padding)) & (pixels <= max(padding, limit or padding)))
    tags = {"PixelPaddingValue": padding, "PixelPaddingRangeLimit": limit, "BitsStored": 12}
    path = radiograph(pixels, PhotometricInterpretation=photometric, **tags)
    np.testing.assert_array_equal(quietly_read(through(path)).pixel_array, pixels)
    constant = through(path, scale=2, change=lambda high: np.full_like(high, (padding + 2048 * (padding < 0)) / 4095))
    values = quietly_read(constant).pixel_array
    large = enlarged(inside, 2)
    np.testing.assert_array_equal(values[~large], enlarged(pixels, 2)[~large])
    assert not np.isin(values[large], range(padding, (limit or padding) + 1)).any()
    lowest, raw = -(2**11) * (padding < 0), np.frombuffer(quietly_read(constant).PixelData, "<i2")
    assert lowest <= raw.min() <= raw.max() < lowest + 2**12  # pydicom drops what is above


def test_a_modality_table_is_applied_and_gone(radiograph: Write) -> None:
    table = Dataset()
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = [256, 0, 12], (np.arange(256) * 16).tolist(), "US"
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    pixels = unsigned(8)
    path = radiograph(pixels, ModalityLUTSequence=Sequence([table]), RescaleSlope=None)
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels.astype(int) * 16)
    assert (image.BitsAllocated, image.BitsStored, image.RescaleSlope) == (16, 12, 1)
    assert "ModalityLUTSequence" not in image


def test_a_windowed_image_is_stored_as_it_is_seen(radiograph: Write) -> None:
    path = radiograph(
        signed(12), BitsStored=12, PhotometricInterpretation="MONOCHROME1", WindowCenter=100, WindowWidth=900,
        RescaleSlope=1, RescaleIntercept=-1024, PixelPaddingValue=-2048, PresentationLUTShape="INVERSE",
    )  # fmt: skip
    image = quietly_read(through(path, intensity="window"))
    seen = read_image(path, 0, "window")
    np.testing.assert_array_equal(image.pixel_array, seen.pixels[..., 0])
    assert (image.PhotometricInterpretation, image.PixelRepresentation, image.RescaleIntercept) == ("MONOCHROME2", 0, 0)
    assert image.PresentationLUTShape == "IDENTITY"
    assert not {"WindowCenter", "PixelPaddingValue"} & set(image.dir())


def test_a_window_stays_where_values_mean_what_they_meant(radiograph: Write) -> None:
    tags = {"BitsStored": 12, "WindowCenter": 100, "WindowWidth": 900}
    kept = quietly_read(through(radiograph(unsigned(12), **tags)))
    assert (kept.WindowCenter, kept.WindowWidth) == (100, 900)


def test_colours_keep_what_their_values_mean_unless_they_were_changed(radiograph: Write) -> None:
    with radiograph(unsigned(8, (5, 7, 3)), RescaleSlope=1).open("rb") as file:
        header = read_header(file)
    kept, changed = (
        encoding_of(header, bits=8, channels=3, frame=0, intensity=intensity) for intensity in ("bits", "window")
    )
    assert (kept.modality_kept, changed.modality_kept) == (True, False)
    assert (kept.bits, kept.allocated, kept.photometric) == (8, 8, "RGB")


@pytest.mark.parametrize(
    ("first", "low", "high", "written", "vr"),
    [(65526, -20, 100, -10, "SS"), (65526, 0, 65535, 65526, "US"), (-10, 0, 65535, 65526, "US"), (0, -5, 9, 0, "US")],
)
def test_a_table_says_whether_its_first_value_has_a_sign(
    first: int, low: int, high: int, written: int, vr: str
) -> None:
    table, image = Dataset(), Dataset()
    table.add_new("LUTDescriptor", "SS" if first < 0 else "US", [4, first, 8])
    image.VOILUTSequence = Sequence([table])
    sign_tables(image, low, high)
    assert (table["LUTDescriptor"].VR, list(table.LUTDescriptor)) == (vr, [4, written, 8])


@pytest.mark.filterwarnings("ignore:Invalid value")  # pydicom's, of a length with the sign of its neighbour
@pytest.mark.parametrize(("length", "written"), [(4, 4), (2**15 - 1, 2**15 - 1), (2**15, -(2**15)), (0, 0)])
def test_a_long_table_has_its_length_in_the_kind_of_its_first_value(length: int, written: int) -> None:
    for first, expected in ((65526, written), (0, length)):
        table, image = Dataset(), Dataset()
        table.add_new("LUTDescriptor", "US", [length, first, 8])
        image.VOILUTSequence = Sequence([table])
        sign_tables(image, -20, 100)
        assert table["LUTDescriptor"].value[0] == expected


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("shape", ["IDENTITY", "INVERSE"])
@pytest.mark.parametrize("slope", [1, -1])
def test_a_presentation_lut_shape_turns_values_over(
    radiograph: Write, photometric: str, shape: str, slope: int
) -> None:
    """As dcmtk's dcmj2pnm shows them, also where the photometric interpretation contradicts it; both are kept."""
    pixels = unsigned(12)
    path = radiograph(
        pixels, BitsStored=12, PhotometricInterpretation=photometric, PresentationLUTShape=shape, RescaleSlope=slope,
        RescaleIntercept=0, RescaleType="US",
    )  # fmt: skip
    turned = (shape == "INVERSE") != (slope < 0)
    np.testing.assert_array_equal(read_image(path).pixels[..., 0], 4095 - pixels if turned else pixels)
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels)
    assert (image.PhotometricInterpretation, image.PresentationLUTShape) == (photometric, shape)
