"""DICOM out: stored values as the original means them, and a description that is true of the new image."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from srexp.data.formats.registry import frames_in, kind_of, read_image
from srexp.data.formats.writers import write_images
from srexp.data.image import Numbers, UnreadableImageError
from srexp.data.restored_image import Made, Origin, Restored
from srexp.types import Pixels

DCMDUMP = shutil.which("dcmdump")
RNG = np.random.default_rng(11)
Write = Callable[..., Path]
MADE = Made("chest version 3 (models:/m-1)", "identity", "0.1", 2)


def enlarged(low: Pixels, scale: int) -> Pixels:
    return low.repeat(scale, 0).repeat(scale, 1)


def through(path: Path, *, scale: int = 1, intensity: Any = "bits", made: Made = MADE, change: Any = None) -> Path:
    """Read a file, enlarge it by repeating pixels, in strips, and write it as DICOM."""
    origin = Origin(path, kind_of(path), tuple(frames_in(path)), intensity)

    def images():
        for frame in origin.frames:
            image = read_image(path, frame, intensity)
            high = enlarged(image.to_float(), scale)
            yield Restored.of(image, frame, scale, iter(np.array_split(change(high) if change else high, 3)))

    folder = path.parent / "out"
    folder.mkdir(exist_ok=True)
    made = Made(made.model, made.identity, made.version, scale)
    write_images(folder, f"{path.stem}.dcm", "dicom", origin, made, images=images())
    return folder / f"{path.stem}.dcm"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a radiograph with an element of most kinds; None as a value leaves an element out."""

    def write(pixels: Numbers, *, syntax: str = ExplicitVRLittleEndian, name: str = "a.dcm", **tags: Any) -> Path:
        colour = pixels.ndim > 2 and pixels.shape[-1] == 3
        frames, rows, columns = (1, *pixels.shape[:2]) if pixels.ndim == 2 + colour else pixels.shape[:3]
        bits = 8 * pixels.dtype.itemsize
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = syntax
        image.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        described = {
            "SOPClassUID": ComputedRadiographyImageStorage,
            "SOPInstanceUID": "1.2.3.4",
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "1.2.3.5",
            "FrameOfReferenceUID": "1.2.9",
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientName": "Müller^Eva",
            "PatientID": "p1",
            "StudyDate": "20200102",
            "Modality": "CR",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "SeriesDescription": "chest",
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
                setattr(image, keyword, value)
        raw = pixels.astype(pixels.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
        image.PixelData = raw + b"\0" * (len(raw) % 2)
        image["PixelData"].VR = "OW" if bits > 8 else "OB"
        path = tmp_path / name
        image.save_as(path, enforce_file_format=True)
        return path

    return write


def unsigned(bits: int, shape: tuple[int, ...] = (12, 10)) -> Numbers:
    return RNG.integers(0, 2**bits, shape).astype(np.uint16 if bits > 8 else np.uint8)


def signed(bits: int, shape: tuple[int, ...] = (12, 10)) -> Numbers:
    return RNG.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(np.int16)


def quietly_read(path: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = pydicom.dcmread(path)
        for element in image.iterall():
            assert element.value is not None or element.VM == 0
        assert image.pixel_array.size
    return image


# Values


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("make", [unsigned, signed])
@pytest.mark.parametrize("bits", [10, 12, 15, 16])
@pytest.mark.parametrize("scale", [1, 3])
def test_stored_values_come_back(write: Write, photometric: str, make: Any, bits: int, scale: int) -> None:
    pixels = make(bits)
    path = write(pixels, BitsStored=bits, PhotometricInterpretation=photometric, RescaleIntercept=-5, RescaleSlope=0.5)
    image = quietly_read(through(path, scale=scale))
    np.testing.assert_array_equal(image.pixel_array, enlarged(pixels, scale))
    assert image.pixel_array.dtype == pixels.dtype
    assert (image.BitsAllocated, image.BitsStored, image.HighBit) == (16, bits, bits - 1)
    assert (image.PhotometricInterpretation, image.RescaleSlope, image.RescaleIntercept) == (photometric, 0.5, -5)


@pytest.mark.parametrize(
    "pixels", [unsigned(8), unsigned(8, (5, 7, 3)), unsigned(16, (5, 7, 3)), unsigned(12, (3, 5, 7))]
)
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_bytes_colours_and_frames_come_back(write: Write, pixels: Numbers, syntax: str) -> None:
    path = write(pixels, syntax=syntax)
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels)
    assert image.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_a_negative_slope_and_high_bits_elsewhere(write: Write) -> None:
    pixels = unsigned(12)
    path = write(pixels, BitsStored=12, RescaleSlope=-2, RescaleIntercept=0)
    np.testing.assert_array_equal(quietly_read(through(path)).pixel_array, pixels)
    path = write(pixels << 4, BitsStored=12, HighBit=15, name="b.dcm")
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels)
    assert image.HighBit == 11


@pytest.mark.parametrize(("padding", "limit"), [(0, None), (4095, None), (-2000, None), (-2000, -1990), (100, 110)])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_stays_and_nothing_becomes_padding(
    write: Write, padding: int, limit: int | None, photometric: str
) -> None:
    pixels = (signed if padding < 0 else unsigned)(12, (20, 20))
    pixels[:, :6] = padding
    pixels[5:, :3] = limit or padding
    inside = ~((pixels >= min(padding, limit or padding)) & (pixels <= max(padding, limit or padding)))
    tags = {"PixelPaddingValue": padding, "PixelPaddingRangeLimit": limit, "BitsStored": 12}
    path = write(pixels, PhotometricInterpretation=photometric, **tags)
    np.testing.assert_array_equal(quietly_read(through(path)).pixel_array, pixels)
    constant = through(path, scale=2, change=lambda high: np.full_like(high, (padding + 2048 * (padding < 0)) / 4095))
    values = quietly_read(constant).pixel_array
    large = enlarged(inside, 2)
    np.testing.assert_array_equal(values[~large], enlarged(pixels, 2)[~large])
    assert not np.isin(values[large], range(padding, (limit or padding) + 1)).any()


def test_a_modality_table_is_applied_and_gone(write: Write) -> None:
    table = Dataset()
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = [256, 0, 12], (np.arange(256) * 16).tolist(), "US"
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    pixels = unsigned(8)
    path = write(pixels, ModalityLUTSequence=Sequence([table]), RescaleSlope=None)
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels.astype(int) * 16)
    assert (image.BitsAllocated, image.BitsStored, image.RescaleSlope) == (16, 12, 1)
    assert "ModalityLUTSequence" not in image


def test_a_windowed_image_is_stored_as_it_is_seen(write: Write) -> None:
    path = write(
        signed(12), BitsStored=12, PhotometricInterpretation="MONOCHROME1", WindowCenter=100, WindowWidth=900,
        RescaleSlope=1, RescaleIntercept=-1024, PixelPaddingValue=-2048, PresentationLUTShape="INVERSE",
    )  # fmt: skip
    image = quietly_read(through(path, intensity="window"))
    seen = read_image(path, 0, "window")
    np.testing.assert_array_equal(image.pixel_array, seen.pixels[..., 0])
    assert (image.PhotometricInterpretation, image.PixelRepresentation, image.RescaleIntercept) == ("MONOCHROME2", 0, 0)
    assert image.PresentationLUTShape == "IDENTITY"
    assert not {"WindowCenter", "PixelPaddingValue"} & set(image.dir())


# Description


def test_it_is_derived_from_the_original(write: Write) -> None:
    path = write(unsigned(12), BitsStored=12, WindowCenter=2000, WindowWidth=3000)
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
def test_a_type_of_fewer_values_becomes_a_whole_one(write: Write, given: str | None) -> None:
    after = quietly_read(through(write(unsigned(12), BitsStored=12, ImageType=given)))
    assert list(after.ImageType) == ["DERIVED", "SECONDARY"]


def test_images_of_a_series_made_alike_share_a_series(write: Write) -> None:
    first, second = (write(unsigned(8), name=f"{n}.dcm", SOPInstanceUID=f"1.2.3.4.{n}") for n in (1, 2))
    made = [pydicom.dcmread(through(path)) for path in (first, second)]
    other = pydicom.dcmread(through(first, made=Made("m", "another identity", "0.1", 2)))
    assert made[0].SeriesInstanceUID == made[1].SeriesInstanceUID != other.SeriesInstanceUID
    assert len({image.SOPInstanceUID for image in (*made, other)}) == 3


def test_the_geometry_is_that_of_the_finer_grid(write: Write) -> None:
    path = write(
        unsigned(8), PixelSpacing=[0.8, 0.6], ImagerPixelSpacing=[0.4, 0.4], NominalScannedPixelSpacing=[0.1, 0.1],
        ImagePositionPatient=[10, -20, 30], ImageOrientationPatient=[0, 1, 0, 0, 0, -1], SpacingBetweenSlices=5,
        SliceThickness=4, ShutterShape="RECTANGULAR", ShutterLeftVerticalEdge=2, ShutterRightVerticalEdge=9,
        ShutterUpperHorizontalEdge=1, ShutterLowerHorizontalEdge=12,
    )  # fmt: skip
    image = quietly_read(through(path, scale=2))
    assert list(image.PixelSpacing) == [0.4, 0.3]
    assert (list(image.ImagerPixelSpacing), list(image.NominalScannedPixelSpacing)) == ([0.2, 0.2], [0.05, 0.05])
    assert (image.SpacingBetweenSlices, image.SliceThickness) == (5, 4)
    # A quarter of a pixel towards the corner: along the rows (+y) by 0.15, along the columns (-z) by 0.2.
    assert list(image.ImagePositionPatient) == pytest.approx([10, -20.15, 30.2])
    assert list(image.ImageOrientationPatient) == [0, 1, 0, 0, 0, -1]
    edges = [image[f"Shutter{edge}"].value for edge in ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge")]
    assert edges == [round(1.5 * 2 + 0.5), round(8.5 * 2 + 0.5), round(0.5 * 2 + 0.5)]


def test_what_described_other_pixels_or_a_vendor_is_gone(write: Write) -> None:
    icon = Dataset()
    icon.Rows = icon.Columns = 1
    path = write(
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


def test_loss_is_remembered(write: Write) -> None:
    path = write(unsigned(8), LossyImageCompression="01", LossyImageCompressionRatio=10)
    image = quietly_read(through(path))
    assert (image.LossyImageCompression, image.LossyImageCompressionRatio) == ("01", 10)
    lossy = Path(get_testdata_file("JPEG-lossy.dcm"))
    copied = path.with_name("lossy.dcm")
    shutil.copy(lossy, copied)
    assert pydicom.dcmread(through(copied)).LossyImageCompression == "01"


def test_an_enhanced_object_is_finer_in_its_functional_groups(tmp_path: Path) -> None:
    path = tmp_path / "eCT.dcm"
    shutil.copy(get_testdata_file("eCT_Supplemental.dcm"), path)
    before, after = pydicom.dcmread(path), pydicom.dcmread(through(path, scale=2))
    spacing = before.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    finer = after.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    assert list(finer) == pytest.approx([each / 2 for each in spacing])
    assert after.NumberOfFrames == before.NumberOfFrames
    first, moved = (
        image.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
        for image in (before, after)
    )
    assert np.linalg.norm(np.subtract(first, moved)) == pytest.approx(np.hypot(*spacing) / 4, rel=1e-4)
    [derivation] = after.SharedFunctionalGroupsSequence[0].DerivationImageSequence
    assert derivation.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert after.SourceImageEvidenceSequence[0].StudyInstanceUID == before.StudyInstanceUID
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array.repeat(2, -2).repeat(2, -1))


def test_ultrasound_regions_follow(write: Write) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = 2, 8
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = 0, 11
    region.PhysicalDeltaX, region.PhysicalDeltaY, region.ReferencePixelX0 = 0.5, 0.25, 4
    image = quietly_read(through(write(unsigned(8), SequenceOfUltrasoundRegions=Sequence([region])), scale=2))
    [made] = image.SequenceOfUltrasoundRegions
    places = [made[f"RegionLocation{name}"].value for name in ("MinX0", "MaxX1", "MinY0", "MaxY1")]
    assert places == [4, 17, 0, 23]
    assert (made.PhysicalDeltaX, made.PhysicalDeltaY, made.ReferencePixelX0) == (0.25, 0.125, 8)


def test_a_tile_of_a_slide_is_refused(write: Write) -> None:
    with pytest.raises(UnreadableImageError, match="whole-slide"):
        through(write(unsigned(8), TotalPixelMatrixRows=100))


def test_more_pixels_than_dicom_holds_are_refused(write: Write) -> None:
    image = Restored(0, (70_000, 1, 1), 8, iter(()))
    path = write(unsigned(8))
    with pytest.raises(UnreadableImageError, match="65535"):
        write_images(path.parent, "b.dcm", "dicom", Origin(path, "dicom", (0,), "bits"), MADE, images=[image])


def test_another_kind_becomes_a_secondary_capture_of_nobody(tmp_path: Path) -> None:
    import imagecodecs

    pixels = unsigned(16)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(pixels))
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels)
    assert (image.PatientName, image.PatientID, image.Modality, image.ConversionType) == ("", "", "OT", "WSD")
    path.write_bytes(imagecodecs.png_encode(unsigned(16, (6, 5, 3))))
    assert quietly_read(through(path)).BitsStored == 8


# Strangers


REAL = (
    *("MR_small.dcm", "CT_small.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "image_dfl.dcm", "JPGExtended.dcm"),
    *("examples_palette.dcm", "SC_rgb_rle_2frame.dcm", "emri_small.dcm", "examples_ybr_color.dcm"),
)


@pytest.mark.parametrize("name", REAL)
def test_real_files_come_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    shutil.copy(get_testdata_file(name), path)
    same = through(path)
    for frame in frames_in(path):
        before, after = read_image(path, frame), read_image(same, frame)
        if before.bits == after.bits:
            np.testing.assert_array_equal(after.pixels, before.pixels)
        else:  # a palette with entries of 16 bits became colours of 8
            assert (before.bits, after.bits) == (16, 8)
            assert after.to_float() == pytest.approx(before.to_float(), abs=0.51 / 255)
    quietly_read(through(path, scale=2))


@pytest.mark.skipif(DCMDUMP is None, reason="no dcmtk on this machine; .ci/run installs it")
@pytest.mark.parametrize("name", REAL)
def test_dcmdump_reads_them_without_complaint(tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(get_testdata_file(name), tmp_path))
    done = subprocess.run([str(DCMDUMP), through(path, scale=2)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
