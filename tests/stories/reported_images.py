"""What must come out of the images that people reported against other tools, by what reads them besides srexp."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image, ImageOps

Pixels = np.ndarray[Any, Any]

y, x = np.mgrid[:20, :24]
GREY = (x * 8 + y * 2).astype("u1")
GREY_16 = (x * 2000 + y * 500).astype("u2")
RGB = np.stack([GREY, 255 - GREY, (y * 10).astype("u1")], -1)
OPACITY = (x * 10).astype("u1")
#: TIFF 6.0 tag 274: from stored pixels to upright ones.
TURNED: dict[int, Callable[[Pixels], Pixels]] = {1: np.asarray, 2: np.fliplr, 6: lambda stored: np.rot90(stored, -1)}
ORIENTATION, ACROSS, DOWN = 274, 282, 283


@dataclass(frozen=True)
class Case:
    """What is right of one file.

    Args:
        pixels: Its images, upright, of its path: whole numbers of as many bits as it says.
        bits: Bit depth.
        refused: Beginnings of the reasons for which it isn't restored to a kind, though it is read.
        unreadable: The same, where it isn't even read.
        too_small: Whether it is read and can't be scored.
        served: Beginning of the reason for which `serve` doesn't take it, where that is another.
        told: Asserts what a restoration at x2 of the same kind says besides its values.
    """

    pixels: Callable[[Path], list[Pixels]]
    bits: int = 8
    refused: Mapping[str, str] = field(default_factory=dict)
    unreadable: str = ""
    too_small: bool = False
    served: str = ""
    told: Callable[[bytes], None] = lambda _: None

    def failing(self, kind: str) -> str:
        """Say why nothing of that kind comes out; empty where something does."""
        return self.unreadable or self.refused.get(kind, "")


def of_dicom(path: Path) -> list[Pixels]:
    """Give the frames, unsigned, as pydicom reads them; of what has no such element, with its usual default."""
    image = pydicom.dcmread(path)
    image.PixelRepresentation = image.get("PixelRepresentation", 0)
    image.SamplesPerPixel = image.get("SamplesPerPixel", 1)
    frames = image.pixel_array.reshape(-1, image.Rows, image.Columns).astype(int)
    return list(frames + image.PixelRepresentation * 2 ** (image.BitsStored - 1))


def of_upright_jpeg(path: Path) -> list[Pixels]:
    with Image.open(path) as image:
        return [np.asarray(ImageOps.exif_transpose(image))]


def of_nifti(path: Path) -> list[Pixels]:
    with path.open("rb") as file:
        volume = np.asarray(nibabel.Nifti1Image.from_stream(io.BytesIO(file.read())).dataobj)
    return [volume[..., position].T[::-1] for position in range(volume.shape[-1])]


def drawn(*images: Pixels) -> Callable[[Path], list[Pixels]]:
    return lambda _: list(images)


def elements(**expected: Any) -> Callable[[bytes], None]:
    """Expect elements of a DICOM object; None stands for one that is gone."""

    def check(content: bytes) -> None:
        image = pydicom.dcmread(io.BytesIO(content))
        for keyword, value in expected.items():
            if value is None:
                assert keyword not in image
            else:
                np.testing.assert_allclose(np.array(image[keyword].value, float), value, atol=1e-6, err_msg=keyword)

    return check


def shifted(content: bytes) -> None:
    [item] = pydicom.dcmread(io.BytesIO(content)).MaskSubtractionSequence
    assert list(item.MaskSubPixelShift) == [3, -1.5]
    elements(ImagerPixelSpacing=[0.15, 0.1])(content)


def regions(content: bytes) -> None:
    [region] = pydicom.dcmread(io.BytesIO(content)).SequenceOfUltrasoundRegions
    edges = [region[f"RegionLocation{end}0" if end[:3] == "Min" else f"RegionLocation{end}1"].value
             for end in ("MinX", "MinY", "MaxX", "MaxY")]  # fmt: skip
    assert edges == [4, 2, 43, 37]
    lines = {"TMLinePositionX0": 6, "TMLinePositionY0": 1, "TMLinePositionX1": 6, "TMLinePositionY1": 18,
             "DopplerSampleVolumeXPosition": 10, "DopplerSampleVolumeYPosition": 12}  # fmt: skip
    for keyword, pixel in lines.items():
        assert region[keyword].value in (2 * pixel, 2 * pixel + 1), keyword  # the centre of the pixel lies between
    assert (region.PhysicalDeltaX, region.PhysicalDeltaY) == (0.02, 0.02)


def still_suv(content: bytes) -> None:
    elements(PixelSpacing=[2, 1], ImagePositionPatient=[-0.5, -1, 0], RescaleSlope=0.5)(content)
    image = pydicom.dcmread(io.BytesIO(content))
    assert image.Units == "BQML"
    assert image.RealWorldValueMappingSequence[0].RealWorldValueSlope == 0.002


def turned(orientation: int) -> Callable[[bytes], None]:
    def check(content: bytes) -> None:
        page = tifffile.TiffFile(io.BytesIO(content)).pages[0]
        assert page.tags.valueof(ORIENTATION) == orientation

    return check


def described(content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as image:
        assert image.info["icc_profile"][36:40] == b"acsp"
        assert image.info["dpi"] == pytest.approx((600, 600), rel=1e-3)


def of_imagej(content: bytes) -> None:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        known, page = file.imagej_metadata, file.pages[0]
        if known["images"] == 3:
            assert (known["unit"], known["spacing"]) == ("um", 2)
        assert [tag[0] / tag[1] for tag in map(page.tags.valueof, (ACROSS, DOWN))] == [4, 4]


CASES = {
    "rt_image.dcm": Case(of_dicom, 16, told=elements(ImagePlanePixelSpacing=[0.4, 0.2], RTImagePosition=[-4.7, 7.8])),
    "xa_mask.dcm": Case(of_dicom, 16, told=shifted),
    "us_lines.dcm": Case(of_dicom, told=regions),
    "pet_suv.dcm": Case(of_dicom, 16, told=still_suv),
    "orientation_2.tif": Case(drawn(TURNED[2](GREY)), told=turned(2)),
    "orientation_6.tif": Case(drawn(TURNED[6](GREY)), told=turned(6)),
    "orientation_6.jpg": Case(of_upright_jpeg),
    "rgb16_profile.png": Case(drawn(RGB.astype("u2") * 257), 16, told=described),
    "imagej_units.tif": Case(
        drawn(*[GREY_16] * 3), 16, refused={"dicom": "holds 3 images, which don't make one DICOM file"}, told=of_imagej
    ),
    "imagej_one_directory.tif": Case(drawn(), 16, unreadable="holds 5 planes, of which 1 can be read"),
    "rgb_and_infrared.tif": Case(drawn(), unreadable="has 4 samples per pixel, 3 of colour"),
    "premultiplied.tif": Case(drawn((RGB.astype("u4") * OPACITY[..., None] // 255).astype("u1"))),
    "grey_trns.png": Case(drawn(np.where(x < 6, 0, GREY % 255))),
    "rgb_trns.png": Case(drawn(np.where((x < 6)[..., None], 0, RGB))),
    "wide.nii": Case(
        of_nifti,
        refused={"nifti": "would become 16 x 40000 pixels, where NIfTI has room for 32767"},
        too_small=True,
        served="the server doesn't take",
    ),
    "tall.jpg": Case(
        of_upright_jpeg,
        too_small=True,
        refused={kind: f"would become 80000 x 16 pixels, where {kind.upper()}" for kind in ("jpeg", "dicom")},
    ),
    "without_PixelRepresentation.dcm": Case(of_dicom, 12),
    "without_SamplesPerPixel.dcm": Case(of_dicom, 12),
    "without_SOPInstanceUID.dcm": Case(of_dicom, 16),
    "one_spacing.dcm": Case(of_dicom, 12),
    "nifti_without_ending": Case(of_nifti, 16, served="the server doesn't take"),
}
