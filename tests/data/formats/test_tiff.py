"""TIFF against the arrays it was written from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.image import UnreadableImageError

RNG = np.random.default_rng(2)
BYTES = RNG.integers(0, 256, (20, 30), np.uint8)
WORDS = RNG.integers(0, 2**16, (20, 30), np.uint16)
COLOURS = RNG.integers(0, 256, (20, 30, 3), np.uint8)
WIDE = RNG.integers(0, 2**16, (20, 30, 3), np.uint16)


def written(path: Path, pixels: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, pixels, **options)
    return path


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
@pytest.mark.parametrize("pixels", [BYTES, WORDS, COLOURS, WIDE], ids=["grey8", "grey16", "rgb8", "rgb16"])
def test_every_lossless_compression_comes_back_exactly(
    tmp_path: Path, pixels: np.ndarray, compression: str | None
) -> None:
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    path = written(tmp_path / "a.tif", pixels, compression=compression, photometric=kind)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels.squeeze(), pixels)
    assert (image.bits, image.lossy) == (8 * pixels.dtype.itemsize, False)
    assert shape_of(path) == (20, 30)


@pytest.mark.parametrize(
    "layout",
    [
        {"byteorder": ">"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"rowsperstrip": 3},
        {"predictor": 2, "compression": 8},
    ],
    ids=str,
)
def test_every_layout_comes_back_exactly(tmp_path: Path, layout: dict[str, object]) -> None:
    np.testing.assert_array_equal(read_image(written(tmp_path / "a.tif", WORDS, **layout)).pixels[..., 0], WORDS)


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1), (1, 7, 3), (7, 1, 3), (1, 1, 3), (3, 3)])
def test_thin_images_keep_their_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = RNG.integers(0, 256, shape, np.uint8)
    path = written(tmp_path / "a.tif", pixels, photometric="rgb" if len(shape) == 3 else "minisblack")
    image = read_image(path)
    assert image.pixels.shape == (*shape[:2], shape[2] if len(shape) == 3 else 1)
    np.testing.assert_array_equal(image.pixels.reshape(shape), pixels)


def test_planes_apart(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", np.moveaxis(WIDE, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(path).pixels, WIDE)


def test_12_packed_bits_keep_their_range(tmp_path: Path) -> None:
    pixels = WORDS[:, :20] >> 4
    packed = np.zeros((20, 30), np.uint8)
    packed[:, 0::3] = pixels[:, 0::2] >> 4
    packed[:, 1::3] = (pixels[:, 0::2] & 15) << 4 | pixels[:, 1::2] >> 8
    packed[:, 2::3] = pixels[:, 1::2] & 255
    path = written(tmp_path / "a.tif", packed, rowsperstrip=20)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        width, bits = tags["ImageWidth"].valueoffset, tags["BitsPerSample"].valueoffset
    data[width : width + 2], data[bits : bits + 2] = (20).to_bytes(2, "little"), (12).to_bytes(2, "little")
    path.write_bytes(data)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels[..., 0], pixels)
    assert image.bits == 12


@pytest.mark.parametrize("pixels", [BYTES, WORDS])
def test_white_is_zero_is_turned_over(tmp_path: Path, pixels: np.ndarray) -> None:
    path = written(tmp_path / "a.tif", pixels, photometric="miniswhite")
    white = np.iinfo(pixels.dtype).max
    np.testing.assert_array_equal(read_image(path).pixels[..., 0], white - pixels)


def test_signed_values_are_shifted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", (WORDS.astype(np.int32) - 32768).astype(np.int16))
    np.testing.assert_array_equal(read_image(path).pixels[..., 0], WORDS)


def test_palette_becomes_its_colours(tmp_path: Path) -> None:
    palette = Image.fromarray(COLOURS).quantize(16)
    palette.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, np.asarray(palette.convert("RGB")))


def test_one_bit_becomes_black_and_white_of_8_bits(tmp_path: Path) -> None:
    Image.fromarray(BYTES > 127).save(tmp_path / "a.tif")
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels[..., 0], (BYTES > 127) * 255)
    assert image.bits == 8


def test_transparent_pixels_are_black(tmp_path: Path) -> None:
    pixels = np.dstack([COLOURS, np.full((20, 30), 255, np.uint8)])
    pixels[0, 0, 3] = 0
    read = read_image(written(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])).pixels
    assert not read[0, 0].any()
    np.testing.assert_array_equal(read[1:], COLOURS[1:])


def test_jpeg_inside_is_lossy_and_in_the_right_colours(tmp_path: Path) -> None:
    flat = np.empty((16, 16, 3), np.uint8)
    flat[:] = (200, 30, 90)
    Image.fromarray(flat).save(tmp_path / "a.tif", compression="jpeg")
    image = read_image(tmp_path / "a.tif")
    assert image.lossy
    assert np.abs(image.pixels.astype(int) - flat).max() <= 4
    Image.fromarray(flat).convert("YCbCr").save(tmp_path / "b.tif", compression="jpeg")
    assert np.abs(read_image(tmp_path / "b.tif").pixels.astype(int) - flat).max() <= 4


def test_luminance_and_chrominance_without_jpeg_are_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).convert("YCbCr").save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError, match="photometric interpretation 6"):
        read_image(tmp_path / "a.tif")


def test_pages_are_frames_and_thumbnails_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for page in (WORDS, WORDS[::2, ::2], WORDS[::-1]):
            file.write(page, subfiletype=1 if page.shape[0] == 10 else 0)
    assert list(frames_in(path)) == [0, 2]
    np.testing.assert_array_equal(read_image(path, 2).pixels[..., 0], WORDS[::-1])
    with pytest.raises(UnreadableImageError, match="damaged"):
        read_image(path, 3)


def test_floating_point_needs_percentiles(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", BYTES.astype(np.float32) - 100)
    with pytest.raises(UnreadableImageError, match=r"no stored bit depth[\s\S]*dataset.intensity=percentile"):
        read_image(path)
    image = read_image(path, intensity="percentile")
    assert (image.bits, image.pixels.min(), image.pixels.max()) == (16, 0, 65535)


def test_32_bit_integers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="has 32 bits per sample, where 1 to 16 can be read"):
        read_image(written(tmp_path / "a.tif", WORDS.astype(np.uint32)))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_file_is_refused(tmp_path: Path, compression: str | None) -> None:
    path = written(tmp_path / "a.tif", WORDS, compression=compression)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableImageError, match="truncated"):
        read_image(path)


def test_missing_strips_are_refused_and_not_made_up(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", WORDS, rowsperstrip=5)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].tags["ImageLength"].valueoffset
    data[offset : offset + 2] = (40).to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(UnreadableImageError, match="truncated"):
        read_image(path)


def test_directory_in_circles_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", np.stack([BYTES, BYTES]), photometric="minisblack")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        second = file.pages[1].offset
        first = file.pages[0].offset
    tags = int.from_bytes(data[second : second + 2], "little")
    following = second + 2 + 12 * tags
    data[following : following + 4] = first.to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UnreadableImageError, match="damaged TIFF directory"):
        frames_in(path)
