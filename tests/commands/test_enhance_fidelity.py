"""`enhance check=true` finds what a network invents at one place, and leaves what it merely sharpens alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file

from srexp.data.degradation.imresize import resize
from srexp.data.formats.registry import read_image
from srexp.experiment.restoration import file_restoration
from srexp.types import Pixels
from tests.commands.enhancing import enhance, rows

pytestmark = pytest.mark.usefixtures("root")

SIDE = 160  # of the input
NETWORK = "zoo/hybrid-cxr-x2"


@cache
def radiograph() -> Pixels:
    """The middle of a radiograph that no network of the zoo has seen, reduced by bicubic interpolation."""
    whole = read_image(Path(get_testdata_file("RG1_UNCR.dcm"))).to_float()
    top, left = ((side - 2 * SIDE) // 2 for side in whole.shape[:2])
    return resize(whole[top : top + 2 * SIDE, left : left + 2 * SIDE], scale=Fraction(1, 2)).clip(0, 1)


def png(path: Path, low: Pixels, bits: int) -> None:
    stored = np.round(low[..., 0] * (2**bits - 1))
    Image.fromarray(stored.astype(np.uint8 if bits == 8 else np.uint16)).save(path)


def tiff(path: Path, low: Pixels, bits: int) -> None:
    tifffile.imwrite(path, np.round(low[..., 0] * (2**bits - 1)).astype(np.uint16), photometric="minisblack")


def dicom(path: Path, low: Pixels, bits: int) -> None:
    image = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    for name in ("RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "SmallestImagePixelValue"):
        if name in image:
            delattr(image, name)
    image.Rows = image.Columns = SIDE
    image.PixelRepresentation, image.BitsStored, image.HighBit = 0, bits, bits - 1
    image.PixelData = np.round(low[..., 0] * (2**bits - 1)).astype(np.uint16).tobytes()
    image.save_as(path)


FORMS: dict[str, tuple[Callable[[Path, Pixels, int], None], int]] = {
    "8.png": (png, 8),
    "16.png": (png, 16),
    "16.tif": (tiff, 16),
    "12.dcm": (dicom, 12),
    "16.dcm": (dicom, 16),
}


@pytest.fixture
def invent(monkeypatch):
    """Makes every network add a disc to what it gives."""
    usual = file_restoration.strip_predictor

    def plant(diameter: float, levels: float, row: float, column: float) -> None:
        def predictor(*args, **options):
            strips = usual(*args, **options)

            def with_disc(low: Pixels) -> Iterator[Pixels]:
                done = 0
                for strip in strips(low):
                    rows, columns = np.ogrid[done : done + strip.shape[0], : strip.shape[1]]
                    within = (rows - row) ** 2 + (columns - column) ** 2 <= (diameter / 2) ** 2
                    done += len(strip)
                    yield strip + np.float32(levels / 255) * within[..., np.newaxis]

            return with_disc

        monkeypatch.setattr(file_restoration, "strip_predictor", predictor)

    return plant


def checked(output: str, **options) -> tuple[dict[str, dict[str, str]], list[str]]:
    result = enhance(NETWORK, "in", output, check=True, names=True, **options)
    return {row["input"]: row for row in rows(output)}, result["warnings"]


@pytest.mark.slow
def test_a_disc_that_a_network_adds_is_marked_in_every_kind_of_file(tmp_path, invent, capsys):
    (tmp_path / "in").mkdir()
    for name, (write, bits) in FORMS.items():
        write(tmp_path / "in" / name, radiograph(), bits)
    honest, warnings = checked("honest")
    assert warnings == []
    assert all(float(row["worst_place_percent"]) < 3 for row in honest.values())
    invent(10, 60, 2 * SIDE // 3, SIDE)
    found, [warning] = checked("invented")
    assert "5 files reduced again: at a place of 4 x 4 pixels more than 6 % of its range from the input: " in warning
    assert warning in " ".join(capsys.readouterr().out.split())
    for name, row in found.items():
        assert (row["marked"], honest[name]["marked"]) == ("worst_place_percent above 6", "")
        assert name in warning
        assert float(row["worst_place_percent"]) > 15
        assert float(row["distance_grey_levels"]) < 1, f"{name}: the mean over the image wouldn't have shown it"


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("diameter", "levels", "place"),
    [
        (6, 60, (160, 160)),
        (8, 40, (8, 8)),
        (8, -40, (311, 60)),
        (12, 25, (100, 315)),
        (30, 25, (160, 161)),
        (120, 25, (100, 100)),
    ],
)
def test_discs_of_a_size_and_contrast_are_found_wherever_they_lie(tmp_path, invent, diameter, levels, place):
    (tmp_path / "in").mkdir()
    png(tmp_path / "in" / "a.png", radiograph() * 0.6 + 0.2, 8)
    invent(diameter, levels, *place)
    _, warnings = checked("out")
    assert any("at a place" in warning for warning in warnings)


def test_a_faint_disc_on_an_image_that_fills_little_of_its_range_is_found(tmp_path, invent):
    (tmp_path / "in").mkdir()
    png(tmp_path / "in" / "a.png", radiograph() * 0.03, 16)
    assert checked("honest")[1] == []
    invent(10, 60 * 0.03, SIDE, SIDE)
    assert "at a place" in checked("invented")[1][0]
