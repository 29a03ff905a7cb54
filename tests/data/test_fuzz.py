"""Damaged files, two thousand in the slow lane: each is a sound image or refused, quickly and in little memory."""

from __future__ import annotations

import contextlib
import io
import random
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file

from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.image import UnreadableImageError

GREY = np.random.default_rng(5).integers(0, 256, (24, 20), np.uint8)
WORDS = np.random.default_rng(6).integers(0, 2**16, (24, 20), np.uint16)
COLOURS = np.random.default_rng(7).integers(0, 256, (24, 20, 3), np.uint8)

DICOMS = [
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPGExtended.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_small_odd.dcm",
    "image_dfl.dcm",
]
INTEGERS = [
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\xea\x60",
    b"\x60\xea\0\0",
]


def pngs() -> list[bytes]:
    images = [Image.fromarray(pixels) for pixels in (GREY, WORDS, COLOURS)]
    images += [images[2].quantize(9), images[2].convert("RGBA"), Image.fromarray(GREY > 99)]
    encoded = []
    for image in images:
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        encoded.append(buffer.getvalue())
    return [*encoded, imagecodecs.png_encode(np.dstack([WORDS] * 3))]


def tiffs() -> list[bytes]:
    kinds: list[tuple[np.ndarray, dict[str, object]]] = [
        (GREY, {}),
        (WORDS, {"compression": "lzw", "predictor": 2}),
        (WORDS, {"compression": "zlib", "tile": (16, 16)}),
        (COLOURS, {"compression": "jpeg", "photometric": "rgb"}),
        (COLOURS, {"photometric": "rgb", "planarconfig": "contig", "bigtiff": True}),
        (np.stack([GREY, GREY]), {"photometric": "minisblack"}),
        (GREY, {"compression": "packbits", "rowsperstrip": 5}),
        (WORDS.astype(np.float32), {}),
    ]
    encoded = []
    for pixels, options in kinds:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, **options)
        encoded.append(buffer.getvalue())
    return encoded


def dicoms() -> list[bytes]:
    return [Path(get_testdata_file(name)).read_bytes() for name in DICOMS]


def damaged(whole: bytes, chance: random.Random) -> bytes:
    """Change, cut out, repeat or overwrite bytes, more often near the beginning, where the claims are."""
    data = bytearray(whole)
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = int(len(data) * chance.random() ** chance.choice([1, 4]))
        length = chance.randrange(1, 60)
        change = chance.randrange(6)
        if change == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif change == 1 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif change == 2:
            data[at : at + 4] = chance.choice(INTEGERS)
        elif change == 3:
            del data[at : at + length]
        elif change == 4:
            data[at:at] = data[at : at + length]
        else:
            del data[at + length :]
    return bytes(data)


@pytest.mark.parametrize("files", [200, pytest.param(700, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seeds", [pngs, tiffs, dicoms])
def test_damaged_files_are_loaded_or_refused(
    tmp_path: Path, seeds: Callable[[], list[bytes]], files: int, grown: Callable[[], int]
) -> None:
    chance = random.Random(seeds.__name__)
    wholes = seeds()
    reasons = []
    for number in range(files):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(damaged(chance.choice(wholes), chance))
        intensity = chance.choice(["bits", "window", "percentile"])
        started = time.process_time()
        for attempt in (shape_of, frames_in):
            with contextlib.suppress(UnreadableImageError):
                attempt(path)
        try:
            image = read_image(path, 0, intensity)
        except UnreadableImageError as error:
            reasons.append(error.reason)
        else:
            height, width, channels = image.pixels.shape
            assert min(height, width) >= 1
            assert channels in (1, 3)
            assert image.pixels.max() <= image.max_value
        assert time.process_time() - started < 5
        path.unlink()
    assert files / 7 < len(reasons) < files - 5
    assert all(reason and "\n" not in reason for reason in reasons)
    assert grown() < 500 * 2**20
