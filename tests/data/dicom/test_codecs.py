"""Every compression is decoded to the same pixels, and the loss of some is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from srexp.data.formats.registry import frames_in, read_image

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ("MR_small.dcm", "MR_small_RLE.dcm"),
        ("MR_small.dcm", "MR_small_bigendian.dcm"),
        ("MR_small.dcm", "MR_small_expb.dcm"),
        ("MR_small.dcm", "MR_small_implicit.dcm"),
        ("MR_small.dcm", "MR_small_jp2klossless.dcm"),
        ("MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm"),
        ("MR_small.dcm", "MR_small_padded.dcm"),
    ],
)
def test_one_image_in_every_lossless_syntax(plain: str, other: str) -> None:
    images = [read_image(Path(get_testdata_file(name))) for name in (plain, other)]
    assert images[0].digest() == images[1].digest()
    assert not images[1].lossy


@pytest.mark.parametrize("other", ["big_endian", "RLE", "jpeg_2k_lossless", "jpeg_ls_lossless"])
def test_every_frame_in_every_lossless_syntax(samples_dir: Path, other: str) -> None:
    plain, compressed = samples_dir / "emri_small.dcm", samples_dir / f"emri_small_{other}.dcm"
    assert list(frames_in(compressed)) == list(range(10))
    for frame in (9, 0, 4):
        assert read_image(plain, frame).digest() == read_image(compressed, frame).digest()


def test_jpeg_of_12_bits_is_decoded() -> None:
    image = read_image(Path(get_testdata_file("JPGExtended.dcm")))
    assert (image.pixels.shape, image.bits, image.lossy) == ((1024, 256, 1), 12, True)
    assert (image.pixels.min(), image.pixels.max()) == (0, 264)


def test_unsigned_codestream_of_signed_values() -> None:
    image = read_image(Path(get_testdata_file("J2K_pixelrep_mismatch.dcm")))
    assert image.bits == 13
    assert (image.pixels.min(), image.pixels.max()) == (4096 - 2000, 4096 + 1896)


@pytest.mark.parametrize(
    ("name", "lossy"),
    [("RG3_UNCR.dcm", False), ("RG3_UNCI.dcm", True), ("RG3_J2KI.dcm", True), ("RG3_J2KR.dcm", False)],
)
def test_lossy_is_said_whatever_the_last_syntax(samples_dir: Path, name: str, lossy: bool) -> None:
    assert read_image(samples_dir / name).lossy is lossy
