"""TIFF keeps how the values of each page were stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from srexp.data.formats import tiff_writer
from tests.data.formats.rewriting import MADE, enlarged, through, tiff, values


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


def test_offsets_of_32_bits_reach_4_gb() -> None:
    assert 2**32 - 2**26 <= tiff_writer._CLASSIC_BYTES < 2**32


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
