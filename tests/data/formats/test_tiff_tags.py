"""Pixels and planes as TIFF, ImageJ and OME describe them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from srexp.data.display import Display, Resolution
from srexp.data.formats.registry import frames_in, read_image
from srexp.data.image import UnreadableImageError
from tests.data.formats.rewriting import enlarged, through_and_lost, values

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")

STACK = values(16, (3, 6, 8))
#: Of UnitsLength in ome.xsd (2016-06) all but pixel and reference frame, in metres.
OME_LENGTHS = {
    "Ym": 1e24, "Zm": 1e21, "Em": 1e18, "Pm": 1e15, "Tm": 1e12, "Gm": 1e9, "Mm": 1e6, "km": 1e3, "hm": 1e2, "dam": 1e1,
    "m": 1.0, "dm": 1e-1, "cm": 1e-2, "mm": 1e-3, "\u00b5m": 1e-6, "nm": 1e-9, "pm": 1e-12, "fm": 1e-15, "am": 1e-18,
    "zm": 1e-21, "ym": 1e-24, "\u00c5": 1e-10, "ua": 149597870700.0, "ly": 9460730472580800.0,
    "pc": 3.0856775814913673e16, "thou": 2.54e-5, "li": 0.0254 / 12, "in": 0.0254, "ft": 0.3048, "yd": 0.9144,
    "mi": 1609.344, "pt": 0.0254 / 72,
}  # fmt: skip


def seen(path: Path) -> Display:
    return read_image(path).display


def written(path: Path, pixels: np.ndarray = STACK, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **options)
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution": (300, 150), "resolutionunit": 2}, Resolution(300, 150, 25.4)),
        ({"resolution": (300, 150), "resolutionunit": 3}, Resolution(300, 150, 10.0)),
        ({"resolution": (2, 1), "resolutionunit": 1}, Resolution(2, 1, None)),
    ],
)
def test_units_of_tiff(tmp_path: Path, options: dict[str, Any], expected: Resolution) -> None:
    assert seen(written(tmp_path / "a.tif", **options, metadata=None, photometric="minisblack")).resolution == expected


@pytest.mark.parametrize(
    ("unit", "length"),
    [("um", 1e-3), ("\\u00B5m", 1e-3), ("micron", 1e-3), ("mm", 1.0), ("inch", 25.4), ("cm", 10.0), ("nm", 1e-6)],
)
def test_units_of_imagej_stay_with_the_distance_of_planes(tmp_path: Path, unit: str, length: float) -> None:
    described = {"axes": "ZYX", "unit": unit, "spacing": 2.5, "min": 10.0, "max": 900.0}
    path = written(tmp_path / "a.tif", imagej=True, metadata=described, resolution=(4, 2))
    assert seen(path).resolution == Resolution(4, 2, length)
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    with tifffile.TiffFile(target) as file, tifffile.TiffFile(path) as before:
        assert file.is_imagej
        kept = file.imagej_metadata
        assert {key: kept[key] for key in ("unit", "spacing", "min", "max", "images", "slices")} == {
            "unit": before.imagej_metadata["unit"],
            "spacing": 2.5,
            "min": 10.0,
            "max": 900.0,
            "images": 3,
            "slices": 3,
        }
        assert file.pages[0].resolution == (8, 4)
        assert "Not for diagnosis" in file.pages[0].description
        np.testing.assert_array_equal(file.asarray(), np.stack([enlarged(each, 2) for each in STACK]))
    assert (seen(target).resolution, lost) == (Resolution(8, 4, length), [])
    _, lost = through_and_lost(path, tmp_path / "out" / "a.png", wanted="png")
    assert lost[-1] == "distance between planes not kept, for which PNG has no place"


def test_a_display_range_of_other_values_goes(tmp_path: Path) -> None:
    described = {"axes": "ZYX", "min": 10.0, "max": 900.0}
    path = written(tmp_path / "a.tif", imagej=True, metadata=described)
    [target], _ = through_and_lost(path, tmp_path / "out" / "a.tif", intensity="percentile")
    with tifffile.TiffFile(target) as file:
        assert not {"min", "max"} & set(file.imagej_metadata)


@pytest.mark.parametrize(("unit", "length"), [(None, 1e-3), ("mm", 1.0), ("\u00b5m", 1e-3), ("nm", 1e-6)])
def test_units_of_ome(tmp_path: Path, unit: str | None, length: float) -> None:
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2.0}
    units = {f"{key}Unit": unit for key in sizes} if unit else {}
    path = written(tmp_path / "a.ome.tif", metadata={"axes": "ZYX", **sizes, **units}, photometric="minisblack")
    across, down = seen(path).resolution.per(length)
    assert (across, down) == pytest.approx((2, 4))
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    with tifffile.TiffFile(target) as file:
        assert file.pages[0].resolutionunit == 3
        assert file.pages[0].resolution == pytest.approx((4 * 10 / length, 8 * 10 / length))
    assert lost == ["distance between planes not kept, for which TIFF has no place"]


@pytest.mark.parametrize("unit", OME_LENGTHS)
def test_every_unit_of_length_of_ome_is_a_length(tmp_path: Path, unit: str) -> None:
    path, named = tmp_path / "a.ome.tif", {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    described = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, **named}
    tifffile.imwrite(path, values(16, (6, 5)), metadata=described, photometric="minisblack")
    pixel, mm = seen(path).resolution, 1000 * OME_LENGTHS[unit]
    assert pixel.unit is not None
    assert pixel.per(pixel.unit) == pytest.approx((pixel.unit / (0.5 * mm), pixel.unit / (0.25 * mm)), rel=1e-12)
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    per_cm = 2 * 10 / (0.5 * mm)
    if 2**-30 < per_cm < 2**30:
        with tifffile.TiffFile(target) as file:
            assert file.pages[0].resolution == pytest.approx((per_cm, 2 * per_cm), rel=1e-6)
    assert lost == ([] if 2**-30 < per_cm < 2**30 else ["size of a pixel not kept, for which TIFF has no place"])


@pytest.mark.parametrize(
    ("units", "why"),
    [
        (("pixel", "pixel"), "in pixel, which is no length,"),
        (("reference frame", "reference frame"), "in reference frame, which is no length,"),
        (("mm", "furlong"), "in furlong, which is no length,"),
        (("Jane Doe, born 1970", "mm"), "in a unit that isn't known"),
        (("mm", None), "along one axis alone"),
    ],
)
def test_what_is_no_length_in_ome_is_said(tmp_path: Path, units: tuple[str | None, ...], why: str) -> None:
    path, sizes = tmp_path / "a.ome.tif", dict[str, Any]()
    for axis, unit in zip("XY", units, strict=True):
        sizes |= {f"PhysicalSize{axis}": 0.5, f"PhysicalSize{axis}Unit": unit} if unit else {}
    tifffile.imwrite(path, values(16, (6, 5)), metadata={"axes": "YX", **sizes}, photometric="minisblack")
    for target, kind in (("a.tif", "TIFF"), ("a.png", "PNG")):
        lost = through_and_lost(path, tmp_path / "out" / target, wanted=kind.lower())[1]
        assert lost == [f"size of a pixel {why} not kept, for which {kind} has no place"]


@pytest.mark.parametrize("written_as", ['"&#181;m"', "'µm'", '"\u03bcm"'])
def test_ome_may_quote_and_escape_as_xml_does(tmp_path: Path, written_as: str) -> None:
    sizes = " ".join(f"PhysicalSize{axis} = '0.5' PhysicalSize{axis}Unit={written_as}" for axis in "XY")
    xml = f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="x"><Image><Pixels {sizes}/></Image></OME>'
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, values(16, (6, 5)), description=xml.encode(), metadata=None, photometric="minisblack")
    assert seen(path).resolution.per(1e-3) == pytest.approx((2, 2))


@pytest.mark.parametrize(("unit", "length"), [("\\u00C5", 1e-7), ("ft", 304.8), ("\u00b5m", 1e-3)])
def test_units_of_imagej_beyond_ascii_are_lengths_and_stay(tmp_path: Path, unit: str, length: float) -> None:
    described = f"ImageJ=1.11a\nimages=1\nunit={unit}\n".encode()
    path = written(tmp_path / "a.tif", STACK[0], description=described, resolution=(4, 2), metadata=None)
    assert seen(path).resolution == Resolution(4, 2, length)
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    assert seen(target).resolution == Resolution(8, 4, length)
    assert lost == []


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "truncate": True, "metadata": {"axes": "ZYX"}},
        {"truncate": True, "photometric": "minisblack"},
        {"truncate": True, "photometric": "minisblack", "metadata": {"axes": "ZYX"}},
    ],
)
def test_planes_without_a_directory_are_not_lost_in_silence(tmp_path: Path, options: dict[str, Any]) -> None:
    path = written(tmp_path / "a.tif", **options)
    with pytest.raises(UnreadableImageError, match="holds 3 planes, of which 1 can be read"):
        frames_in(path)
    with pytest.raises(UnreadableImageError, match="holds 3 planes"):
        read_image(path)


def test_a_stack_of_metamorph_is_not_its_first_plane(tmp_path: Path) -> None:
    tags = [(33628, 4, 1, 200, True), (33629, 5, 3, (1, 1) * 3, True)]
    path = written(tmp_path / "a.stk", STACK[0], photometric="minisblack", metadata=None, extratags=tags)
    with pytest.raises(UnreadableImageError, match="holds 3 planes, of which 1 can be read"):
        frames_in(path)


def test_a_page_of_several_planes_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", np.zeros((5, 16, 16), np.uint8), volumetric=True, photometric="minisblack")
    with pytest.raises(UnreadableImageError, match="holds 5 planes in one page"):
        read_image(path)


def test_without_a_unit_tiff_counts_in_inches(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", metadata=None, photometric="minisblack", resolution=(300, 150))
    path.write_bytes(path.read_bytes().replace((296).to_bytes(2, "little"), (65000).to_bytes(2, "little")))
    assert seen(path).resolution == Resolution(300, 150, 25.4)


def test_the_first_image_of_ome_speaks_for_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for size in (0.5, 0.25):
            described = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size}
            file.write(STACK[0], metadata=described, photometric="minisblack")
    assert seen(path).resolution.per(1e-3) == pytest.approx((2, 2))


def test_imagej_is_described_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", imagej=True, metadata={"axes": "ZYX", "unit": "um"}, resolution=(4, 2))
    [target], _ = through_and_lost(path, tmp_path / "out" / "a.tif")
    with tifffile.TiffFile(target) as file:
        assert [page.description.startswith("ImageJ=") for page in file.pages] == [True, False, False]
        assert {page.resolution for page in file.pages} == {(4, 2)}


LUTS = [np.stack([np.full(256, 0), np.arange(256), np.full(256, red)]).astype(np.uint8) for red in (0, 9)]
COMPOSITE = {"axes": "CYX", "mode": "composite", "Ranges": (10.0, 900.0, 20.0, 1900.0), "LUTs": LUTS}


@pytest.mark.parametrize(("intensity", "kept"), [("bits", True), ("percentile", False)])
def test_channels_of_imagej_keep_their_colours_and_what_their_values_mean(
    tmp_path: Path, intensity: str, *, kept: bool
) -> None:
    meaning = {"cf": 0, "c0": -32768.0, "c1": 1.0, "vunit": "gray value"}
    path = written(tmp_path / "a.tif", STACK[:2], imagej=True, metadata={**COMPOSITE, **meaning})
    [target], _ = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2, intensity=intensity)
    with tifffile.TiffFile(target) as file:
        said = file.imagej_metadata
    np.testing.assert_array_equal(said["LUTs"], LUTS)
    assert said["mode"] == "composite"
    assert said.get("Ranges") == (COMPOSITE["Ranges"] if kept else None)
    assert {key: said[key] for key in meaning if key in said} == (meaning if kept else {})


def test_colours_and_ranges_of_channels_are_said_where_they_are_lost(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", STACK[:2], imagej=True, metadata=COMPOSITE)
    for wanted in ("png", "jpeg", "bmp"):
        _, lost = through_and_lost(path, tmp_path / "out" / "a.x", wanted=wanted)
        assert {f"{each} not kept, for which {wanted.upper()} has no place" for each in (
            "range of values to be shown", "colours of channels"
        )} <= set(lost)  # fmt: skip


def test_what_a_tiff_says_of_its_colours_stays_in_a_tiff(tmp_path: Path) -> None:
    white, primaries = (3127, 10000, 3290, 10000), tuple(range(1, 13))
    tags = [(318, 5, 2, white, True), (319, 5, 6, primaries, True), (301, 3, 256, tuple(range(256)), True)]
    tags += [(342, 3, 6, (0, 250) * 3, True), (532, 5, 6, (16, 1, 235, 1) * 3, True)]
    path = written(tmp_path / "a.tif", values(8, (6, 8, 3)), photometric="rgb", metadata=None, extratags=tags)
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    with tifffile.TiffFile(target) as file:
        kept = [np.ravel(file.pages[0].tags.valueof(tag)).tolist() for tag in (318, 319, 301, 342, 532)]
    assert kept == [list(white), list(primaries), list(range(256)), [0, 250] * 3, [16, 1, 235, 1] * 3]
    assert lost == []
    for wanted in ("png", "jpeg", "bmp", "dicom"):
        _, lost = through_and_lost(path, tmp_path / "out" / "a.x", wanted=wanted)
        assert f"gamma and chromaticities not kept, for which {wanted.upper()} has no place" in lost


def test_a_transfer_function_of_other_values_goes(tmp_path: Path) -> None:
    tags = [(301, 3, 256, tuple(range(256)), True)]
    path = written(tmp_path / "a.tif", values(8, (6, 8)), photometric="miniswhite", metadata=None, extratags=tags)
    assert seen(path).tone == ()


def test_a_curve_of_grey_values_stays_in_a_tiff(tmp_path: Path) -> None:
    tags = [(290, 3, 1, 3, True), (291, 3, 256, tuple(range(0, 2560, 10)), True)]
    path = written(tmp_path / "a.tif", values(8, (6, 8)), photometric="minisblack", metadata=None, extratags=tags)
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    with tifffile.TiffFile(target) as file:
        kept = [np.ravel(file.pages[0].tags.valueof(tag)).tolist() for tag in (290, 291)]
    assert (kept, lost) == ([[3], list(range(0, 2560, 10))], [])
    _, lost = through_and_lost(path, tmp_path / "out" / "a.x", wanted="png")
    assert lost == ["gamma and chromaticities not kept, for which PNG has no place"]


@pytest.mark.parametrize(("unit", "resolution"), [("inch", (300, 150)), ("centimeter", (100, 100)), ("none", (2, 1))])
def test_an_image_stays_where_it_lies_on_its_page(tmp_path: Path, unit: str, resolution: tuple[int, int]) -> None:
    """TIFF 6.0, XPosition and YPosition: in units of the resolution, of which pixels don't change the length."""
    tags = [(286, 5, 1, (3, 2), True), (287, 5, 1, (7, 3), True)]
    how = {"photometric": "minisblack", "metadata": None, "resolution": resolution, "resolutionunit": unit}
    path = written(tmp_path / "a.tif", values(8, (6, 8)), extratags=tags, **how)
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(target) as after:
        for tag, factor in ((296, 1), (286, 1), (287, 1), (282, 2), (283, 2)):
            was, is_ = (np.ravel(file.pages[0].tags.valueof(tag)) for file in (before, after))
            assert is_[0] / is_[-1] == pytest.approx(factor * was[0] / was[-1])
    assert lost == []
    _, lost = through_and_lost(path, tmp_path / "out" / "a.x", wanted="png")
    assert lost == ["place on its page not kept, for which PNG has no place"]


@pytest.mark.parametrize(
    ("unit", "mm"), [("millimeters", 1.0), ("Micrometers", 1e-3), ("nanometres", 1e-6), ("km", 1e6), ("pm", 1e-9)]
)
def test_units_are_known_however_they_are_called(tmp_path: Path, unit: str, mm: float) -> None:
    path, options = tmp_path / "a.tif", {"resolution": (4.0, 2.0), "metadata": {"axes": "ZYX", "unit": unit}}
    tifffile.imwrite(path, values(16, (2, 6, 5)), imagej=True, **options)
    assert read_image(path).display.resolution == Resolution(4, 2, mm)


@pytest.mark.parametrize("unit", ["furlong", "A", "deg/s"])
def test_a_unit_that_is_not_known_is_kept_or_said(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, values(16, (2, 6, 5)), imagej=True, resolution=(4, 2), metadata={"axes": "ZYX", "unit": unit}
    )
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    with tifffile.TiffFile(target) as file:
        assert file.imagej_metadata["unit"] == unit
        assert [file.pages[0].tags.valueof(tag) for tag in (282, 283)] == [(8, 1), (4, 1)]
    assert lost == []
    lost = through_and_lost(path, tmp_path / "out" / "a.png", scale=2, wanted="png")[1]
    assert lost == ["size of a pixel not kept, for which PNG has no place"]


@pytest.mark.parametrize("unit", ["pixel", "Jane Doe, born 1970"])
def test_what_is_no_unit_is_not_taken_along(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values(16, (2, 6, 5)), imagej=True, metadata={"axes": "ZYX", "unit": unit})
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", scale=2)
    assert unit.encode() not in target.read_bytes()
    assert lost == through_and_lost(path, tmp_path / "out" / "a.png", wanted="png")[1] == []
