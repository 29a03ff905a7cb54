"""PNG, JPEG and BMP keep how they are to be shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from srexp.data.formats import raster_writer
from srexp.data.formats.registry import read_image
from srexp.data.image import UnreadableImageError
from srexp.data.restored_image import Restored
from srexp.types import Pixels
from tests.data.formats.rewriting import png, through, through_and_lost, tiff, values


def test_resolution_profile_and_orientation_go_along(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a name that stays behind"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, kind in (("a.png", "PNG"), ("a.jpg", "JPEG")):
        source = Image.fromarray(values(8, (16, 16, 3)))
        source.save(tmp_path / name, dpi=(100, 100), exif=exif, icc_profile=profile)
        [target] = through(tmp_path / name, tmp_path / "out" / name, scale=2)
        with Image.open(target) as image:
            assert (image.format, image.size) == (kind, (32, 32))
            assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
            assert image.info["icc_profile"] == profile
            assert dict(image.getexif()) == {0x0112: 6}
        if (
            kind == "PNG"
        ):  # whose chunk begins with the order of bytes, without JPEG's prefix (PNG specification 11.3.4.5)
            assert target.read_bytes().partition(b"eXIf")[2][:2] in (b"II", b"MM")


def test_a_jpeg_loses_as_little_as_it_can(tmp_path: Path) -> None:
    """At quality 95, and colours as fine as brightness."""
    for shape in ((16, 16), (16, 16, 3)):
        path = png(tmp_path / "a.png", values(8, shape))
        [target] = through(path, tmp_path / "out" / "a.jpg", wanted="jpeg")
        Image.fromarray(values(8, shape)).save(tmp_path / "b.jpg", quality=95, subsampling="4:4:4")
        with Image.open(target) as made, Image.open(tmp_path / "b.jpg") as best:
            assert (made.quantization, made.layer) == (best.quantization, best.layer)


def test_what_is_not_known_is_not_said(tmp_path: Path) -> None:
    for wanted in ("png", "jpeg", "bmp"):
        path = png(tmp_path / "a.png", values(8))
        [target] = through(path, tmp_path / "out" / "a.x", wanted=wanted)
        with Image.open(target) as image:
            assert not {"exif", "icc_profile"} & image.info.keys()
            assert image.info.get("dpi", (0, 0)) == (0, 0)
            assert image.mode == "L"
        assert b"Exif" not in target.read_bytes()


def test_transparency_and_palettes_become_opaque_colours(tmp_path: Path) -> None:
    colours = values(8, (8, 8, 3))
    opacity = np.full((8, 8, 1), 255, np.uint8)
    opacity[:, :4] = 0
    Image.fromarray(np.concatenate([colours, opacity], -1)).save(tmp_path / "rgba.png")
    Image.fromarray(colours).quantize(8).save(tmp_path / "palette.png")
    for name in ("rgba.png", "palette.png"):
        [target] = through(tmp_path / name, tmp_path / "out" / name)
        with Image.open(target) as image:
            assert image.mode == "RGB"
        np.testing.assert_array_equal(read_image(target).pixels, read_image(tmp_path / name).pixels)


def test_what_a_file_has_no_room_for_is_refused_before_it_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused: Iterator[Pixels] = iter(())  # which would be taken for rows that are missing
    for kind, longest in (("png", 10**6), ("jpeg", 65500)):
        for shape in ((1, longest + 1, 1), (longest + 1, 1, 3)):
            with pytest.raises(UnreadableImageError, match=f"where {kind.upper()} has room for {longest}") as refused:
                raster_writer.write(tmp_path / "a", kind, Restored(0, shape, 8, unused))
            assert refused.value.fix == "format=tiff"
        for shape in ((1, longest, 1), (longest, 1, 1)):
            image = Restored(0, shape, 8, iter([np.zeros(shape, np.float32)]))
            raster_writer.write(tmp_path / "a", kind, image)
            assert read_image(tmp_path / "a").pixels.shape == shape
    with pytest.raises(UnreadableImageError, match="more than BMP holds"):
        raster_writer.write(tmp_path / "a", "bmp", Restored(0, (40_000, 36_000, 3), 8, unused))
    assert raster_writer._BMP_BYTES + 14 + 40 + 1024 < 2**32  # its headers and palette, with the length in 32 bits


@pytest.mark.slow
def test_a_profile_is_kept_up_to_what_can_be_read_again(tmp_path: Path) -> None:
    for kind, most in (("png", 2**24), ("jpeg", 255 * 65519)):
        for length in (3 * 2**20, most, most + 1):
            path = tiff(tmp_path / "a.tif", values(8), iccprofile=b"x" * length)
            [target], lost = through_and_lost(path, tmp_path / "out" / "a", wanted=kind)
            kept = read_image(target).display.profile
            assert (len(kept or b""), len(lost)) == ((length, 0) if length <= most else (0, 1))


def test_more_pixels_than_jpeg_can_hold_are_refused(tmp_path: Path) -> None:
    for size in ((1, 32_750), (32_750, 1)):
        Image.new("L", size).save(tmp_path / "a.jpg")
        [target] = through(tmp_path / "a.jpg", tmp_path / "out" / "a.jpg", scale=2)
        with Image.open(target) as image:
            assert image.size == (2 * size[0], 2 * size[1])
    Image.new("L", (2, 32_751)).save(tmp_path / "a.jpg")
    with pytest.raises(UnreadableImageError, match="would become 65502 x 4 pixels, where JPEG has room for 65500"):
        through(tmp_path / "a.jpg", tmp_path / "out" / "a.jpg", scale=2)
