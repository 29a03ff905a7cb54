"""PNG, JPEG and BMP against the arrays they were written from."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.image import UnreadableImageError

RNG = np.random.default_rng(1)
BYTES = RNG.integers(0, 256, (20, 30), np.uint8)
WORDS = RNG.integers(0, 2**16, (20, 30), np.uint16)
COLOURS = RNG.integers(0, 256, (20, 30, 3), np.uint8)
WIDE = RNG.integers(0, 2**16, (20, 30, 3), np.uint16)


def written(path: Path, image: Image.Image | np.ndarray, **options: object) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp"])
@pytest.mark.parametrize("pixels", [BYTES, COLOURS], ids=["grey", "rgb"])
def test_8_bits_come_back_exactly(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    path = written(tmp_path / f"a.{suffix}", pixels)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels.squeeze(), pixels)
    assert (image.bits, image.lossy) == (8, False)
    assert shape_of(path) == (20, 30)
    assert list(frames_in(path)) == [0]


def test_16_bit_grey_png_keeps_16_bits(tmp_path: Path) -> None:
    image = read_image(written(tmp_path / "a.png", WORDS))
    np.testing.assert_array_equal(image.pixels[..., 0], WORDS)
    assert image.bits == 16


def test_16_bit_colour_png_keeps_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(WIDE))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, WIDE)
    assert image.bits == 16


def test_16_bit_transparency_is_laid_over_black(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.png", np.dstack([WIDE, np.full((20, 30), 65535, np.uint16)])
    pixels[0, 0, 3] = 0
    path.write_bytes(imagecodecs.png_encode(pixels))
    image = read_image(path)
    assert image.pixels.shape == (20, 30, 3)
    assert not image.pixels[0, 0].any()
    np.testing.assert_array_equal(image.pixels[1:], WIDE[1:])


def test_opaque_alpha_is_dropped_and_transparent_pixels_are_black(tmp_path: Path) -> None:
    pixels = np.dstack([COLOURS, np.full((20, 30), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(written(tmp_path / "a.png", pixels)).pixels, COLOURS)
    pixels[0, 0, 3] = 0
    read = read_image(written(tmp_path / "b.png", pixels)).pixels
    assert not read[0, 0].any()
    np.testing.assert_array_equal(read[1:], COLOURS[1:])


def test_palette_becomes_its_colours(tmp_path: Path) -> None:
    palette = Image.fromarray(COLOURS).quantize(16)
    read = read_image(written(tmp_path / "a.png", palette))
    np.testing.assert_array_equal(read.pixels, np.asarray(palette.convert("RGB")))


def test_grey_with_alpha(tmp_path: Path) -> None:
    pixels = Image.merge("LA", [Image.fromarray(BYTES), Image.new("L", (30, 20), 255)])
    np.testing.assert_array_equal(read_image(written(tmp_path / "a.png", pixels)).pixels[..., 0], BYTES)


def test_one_bit_becomes_black_and_white_of_8_bits(tmp_path: Path) -> None:
    mask = Image.fromarray(BYTES > 127)
    image = read_image(written(tmp_path / "a.png", mask))
    np.testing.assert_array_equal(image.pixels[..., 0], (BYTES > 127) * 255)
    assert image.bits == 8


def test_jpeg_is_lossy_and_decodes_as_pillow_does(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jpg", COLOURS, quality=90)
    image = read_image(path)
    assert image.lossy
    with Image.open(path) as reference:
        np.testing.assert_array_equal(image.pixels, np.asarray(reference))


def test_content_decides_the_format_and_not_the_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jpg", BYTES, format="PNG")
    assert not read_image(path).lossy
    path = written(tmp_path / "b.png", BYTES, format="JPEG")
    assert read_image(path).lossy


def test_percentile_stretches_and_window_does_not(tmp_path: Path) -> None:
    dim = (BYTES // 4).astype(np.uint8)
    path = written(tmp_path / "a.png", dim)
    np.testing.assert_array_equal(read_image(path, intensity="window").pixels[..., 0], dim)
    stretched = read_image(path, intensity="percentile").pixels
    assert (stretched.min(), stretched.max()) == (0, 255)


def test_cmyk_is_refused_with_the_mend(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jpg", Image.new("CMYK", (8, 8)))
    with pytest.raises(UnreadableImageError, match=r"mode CMYK[\s\S]*save it as grey or RGB"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_file_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = written(tmp_path / f"a.{suffix}", RNG.integers(0, 256, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UnreadableImageError, match="damaged or"):
        read_image(path)


def test_only_the_first_image_exists(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="has no frame 1"):
        read_image(written(tmp_path / "a.png", BYTES), frame=1)
