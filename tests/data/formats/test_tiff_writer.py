"""TIFF keeps how the values of each page were stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from tests.data.formats.rewriting import enlarged, through, tiff, values


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
