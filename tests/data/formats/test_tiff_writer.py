"""TIFF keeps how the values of each page were stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

from srexp.data.formats import tiff_writer
from srexp.data.formats.registry import read_image
from srexp.data.formats.tiff import restored_bytes
from srexp.data.restored_image import Origin, Restored
from tests.data.formats.rewriting import MADE, enlarged, png, through, tiff, values


def test_tiff_keeps_sign_polarity_packing_and_resolution(tmp_path: Path) -> None:
    for number, (pixels, options) in enumerate(
        [
            (values(16).view(np.int16), {"resolution": (10, 20), "resolutionunit": "CENTIMETER"}),
            (values(12), {"bitspersample": 12, "photometric": "miniswhite"}),
        ]
    ):
        path = tiff(tmp_path / f"{number}.tif", pixels, **options)
        [target] = through(path, tmp_path / "out" / path.name, scale=2)
        with tifffile.TiffFile(path) as before, tifffile.TiffFile(target) as after:
            first, second = before.pages[0], after.pages[0]
            for key in ("dtype", "bitspersample", "photometric", "resolutionunit"):
                assert getattr(first, key) == getattr(second, key)
            assert second.resolution == tuple(2 * each for each in first.resolution)
            assert "Not for diagnosis" in second.description
        np.testing.assert_array_equal(tifffile.imread(target), enlarged(tifffile.imread(path), 2))


def test_pages_beyond_4_gb_make_a_big_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiff(tmp_path / "a.tif", values(16, (2, 6, 8)))
    for limit, big in ((2 * 4 * 48 * 2, False), (2 * 4 * 48 * 2 - 1, True)):
        monkeypatch.setattr(tiff_writer, "_CLASSIC_BYTES", limit)
        [target] = through(path, tmp_path / "out" / "a.tif", scale=2)
        with tifffile.TiffFile(target) as file:
            assert (file.is_bigtiff, len(file.pages)) == (big, 2)


def test_each_page_and_its_profile_count_for_a_big_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for number, pixels in enumerate((values(8, (2, 3)), values(16, (5, 7)), values(8, (4, 3, 3)), values(8))):
            colours: dict[str, Any] = {"photometric": "rgb" if pixels.ndim > 2 else "minisblack"}
            if number == 3:
                colours = {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)}
            file.write(pixels, metadata=None, iccprofile=b"x" * 10, **colours)
    needed = 4 * (2 * 3 + 5 * 7 * 2 + 4 * 3 * 3 + 13 * 9 * 3) + 4 * 10
    for limit, big in ((needed, False), (needed - 1, True)):
        monkeypatch.setattr(tiff_writer, "_CLASSIC_BYTES", limit)
        [target] = through(path, tmp_path / "out" / "a.tif", scale=2)
        with tifffile.TiffFile(target) as file:
            assert (file.is_bigtiff, len(file.pages)) == (big, 4)


def test_whoever_asks_how_large_it_becomes_leaves_no_file_open(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", values(8))
    assert restored_bytes(path, [0], 2) == 4 * values(8).size
    assert str(path) not in {each.path for each in psutil.Process().open_files()}


def test_offsets_of_32_bits_reach_4_gb() -> None:
    assert 2**32 - 2**26 < tiff_writer._CLASSIC_BYTES < 2**32


def test_a_page_says_who_made_it_and_a_stack_what_it_is_as_well(tmp_path: Path) -> None:
    plain, stack = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(plain, values(8, (6, 8)))
    tifffile.imwrite(stack, values(8, (3, 6, 8)), imagej=True, metadata={"axes": "ZYX", "spacing": 2.0, "unit": "mm"})
    described = []
    for path in (plain, stack):
        [target] = through(path, tmp_path / "out" / path.name)
        with tifffile.TiffFile(target) as file:
            described.append([page.description for page in file.pages])
    [one], [first, *others] = described
    assert one == others[0] == MADE[1].sentence()
    assert first.splitlines()[:2] == ["ImageJ=1.11a", "images=3"]
    assert {"spacing=2.0", "unit=mm", f"srexp={MADE[1].sentence()}"} <= set(first.splitlines())


@pytest.mark.parametrize(
    ("pixels", "options", "compressed"),
    [
        (values(8), {}, True),
        (values(8).view(np.int8), {}, True),
        (values(16).view(np.int16), {}, True),
        (values(8), {"photometric": "miniswhite"}, True),
        (values(12), {"bitspersample": 12}, False),
        (values(16, (13, 9, 3)), {"photometric": "rgb"}, True),
    ],
)
def test_values_that_were_read_as_they_are_go_back_as_they_were(
    tmp_path: Path, pixels: np.ndarray, options: dict[str, Any], compressed: bool
) -> None:
    path = tiff(tmp_path / "a.tif", pixels, **options)
    [target] = through(path, tmp_path / "out" / "a.tif")
    [stretched] = through(path, tmp_path / "out" / "b.tif", intensity="percentile")
    with tifffile.TiffFile(path) as file, tifffile.TiffFile(target) as after, tifffile.TiffFile(stretched) as other:
        before, same, grey = file.pages[0], after.pages[0], other.pages[0]
        np.testing.assert_array_equal(same.asarray(), pixels)
        assert (same.dtype, same.photometric, same.shape) == (before.dtype, before.photometric, before.shape)
        assert (same.compression.name, same.software) == ("ADOBE_DEFLATE" if compressed else "NONE", "srexp 0.1")
        assert after.byteorder == "<"
        assert (grey.dtype.kind, grey.photometric.name) == ("u", "RGB" if pixels.ndim > 2 else "MINISBLACK")


def test_a_page_of_another_kind_says_no_more_than_it_knows(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", values(8))
    [target] = through(path, tmp_path / "out" / "a.tif", wanted="tiff")
    with tifffile.TiffFile(target) as file:
        page = file.pages[0]
        assert not {"Orientation", "InterColorProfile", "XPosition"} & {tag.name for tag in page.tags}
        assert (page.bitspersample, page.photometric.name) == (8, "MINISBLACK")


def test_one_plane_of_a_stack_is_none_any_more(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    described = {"axes": "TZCYX", "min": 10.0, "max": 90.0, "Ranges": (1.0, 9.0, 2.0, 8.0)}
    tifffile.imwrite(path, values(8, (1, 1, 2, 6, 8)), imagej=True, metadata=described)
    origin, image = Origin(path, "tiff", (1,), "bits"), read_image(path, 0)
    restored = Restored.of(image, 1, 1, iter([image.to_float()]))
    tiff_writer.write(tmp_path / "b.tif", origin, MADE[1], [restored])
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        lines = file.pages[0].description.splitlines()
        assert lines[:2] == ["ImageJ=1.11a", "images=1"]
        assert {"min=10.0", "max=90.0"} <= set(lines)
        assert not [line for line in lines if line.startswith(("channels=", "slices=", "frames="))]
        assert "Ranges" not in file.imagej_metadata
