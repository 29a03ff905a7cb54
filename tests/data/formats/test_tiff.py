"""TIFF against the arrays it was written from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.image import UnreadableImageError

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")

BYTES = np.random.default_rng(1).integers(0, 256, (20, 30), np.uint8)
WORDS = np.random.default_rng(2).integers(0, 2**16, (20, 30), np.uint16)
COLOURS = np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8)
WIDE = np.random.default_rng(4).integers(0, 2**16, (20, 30, 3), np.uint16)


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
def test_thin_images_keep_their_shape(rng: np.random.Generator, tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = rng.integers(0, 256, shape, np.uint8)
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


KINDS = [np.uint8, np.uint16, np.float32]
OPACITY = np.linspace(0, 1, 30, dtype=np.float32)[np.newaxis].repeat(20, 0)


def in_range(unit: np.ndarray, kind: type) -> np.ndarray:
    """Values of a type for what lies in [0, 1]."""
    return unit.astype(kind) if kind is np.float32 else np.floor(unit * np.iinfo(kind).max + 0.5).astype(kind)


def read_as(path: Path, kind: type) -> np.ndarray:
    return read_image(path, intensity="percentile" if kind is np.float32 else "bits").pixels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("extra", ["unspecified", None, "assocalpha", "unassalpha"])
def test_every_extra_sample_is_what_its_tag_says(
    rng: np.random.Generator, tmp_path: Path, extra: str | None, colours: int, kind: type
) -> None:
    unit = rng.random((20, 30, colours)).astype(np.float32)
    over = in_range(unit * OPACITY[..., np.newaxis], kind)
    stored = over if extra == "assocalpha" else in_range(unit, kind)
    path = written(
        tmp_path / "a.tif",
        np.concatenate([stored, in_range(OPACITY, kind)[..., np.newaxis]], -1),
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig",
        extrasamples=[extra or "unspecified"],
        metadata=None,
    )
    if extra is None:  # the tag is missing
        path.write_bytes(path.read_bytes().replace((338).to_bytes(2, "little"), (65000).to_bytes(2, "little")))
    if extra in (None, "unspecified"):
        with pytest.raises(UnreadableImageError, match=f"has {colours + 1} samples per pixel, {colours} of colour"):
            read_as(path, kind)
        return
    read = read_as(path, kind)
    assert read.shape == (20, 30, colours)
    assert not read[:, 0].any()  # transparent
    if kind is np.float32:  # stretched as the visible colours are, then dimmed
        low, high = np.percentile(unit[:, 1:], (0.5, 99.5))
        expected = np.clip((unit - low) / (high - low), 0, 1) * OPACITY[..., np.newaxis] * 65535
        np.testing.assert_allclose(read, expected, atol=80)
    else:
        np.testing.assert_allclose(read.astype(int), over, atol=0 if extra == "assocalpha" else 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", ["assocalpha", "unassalpha"])
def test_opacity_of_an_image_in_which_white_is_zero(
    rng: np.random.Generator, tmp_path: Path, extra: str, kind: type
) -> None:
    dark = rng.random((20, 30)).astype(np.float32)
    dark[:2] = [[0], [1]]  # so that a stretch changes nothing
    stored = in_range(dark * OPACITY if extra == "assocalpha" else dark, kind)
    pixels = np.stack([stored, in_range(OPACITY, kind)], -1)
    path = written(
        tmp_path / "a.tif", pixels, photometric="miniswhite", planarconfig="contig", extrasamples=[extra], metadata=None
    )
    read = read_as(path, kind)[..., 0]
    white = 255 if kind is np.uint8 else 65535
    np.testing.assert_allclose(read / white, (1 - dark) * OPACITY, atol=0.012)


def test_floating_point_in_which_white_is_zero_is_turned_over(rng: np.random.Generator, tmp_path: Path) -> None:
    values = rng.random((20, 30)).astype(np.float32)
    dark = read_image(written(tmp_path / "a.tif", values, photometric="miniswhite"), intensity="percentile").pixels
    light = read_image(written(tmp_path / "b.tif", values, photometric="minisblack"), intensity="percentile").pixels
    np.testing.assert_allclose(dark.astype(int), 65535 - light.astype(int), atol=1)


@pytest.mark.parametrize("extra", ["assocalpha", "unassalpha"])
def test_half_precision_is_no_worse_than_its_own_values(rng: np.random.Generator, tmp_path: Path, extra: str) -> None:
    values = rng.random((20, 30, 2)) + 0.001
    values[..., 0] *= 30000 * (values[..., 1] if extra == "assocalpha" else 1)
    values[0, 0] = 60000, 0.25  # four times as bright as half precision can say
    half = values.astype(np.float16)
    options = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": [extra], "metadata": None}
    read, exact = (
        read_image(written(tmp_path / f"{kind}.tif", half.astype(kind), **options), intensity="percentile").pixels
        for kind in ("f2", "f8")
    )
    np.testing.assert_array_equal(read, exact)


def test_what_transparency_hides_has_no_say_in_a_stretch(rng: np.random.Generator, tmp_path: Path) -> None:
    values = np.full((20, 30, 2), 1.0, np.float32)
    values[..., 0] = -rng.random((20, 30))  # darker than 0, which is no black for them
    values[:, :5] = [1e9, 0]
    path = written(
        tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    read = read_image(path, intensity="percentile").pixels[..., 0]
    assert not read[:, :5].any()
    assert (read[:, 5:].min(), read[:, 5:].max()) == (0, 65535)


@pytest.mark.parametrize("extra", ["assocalpha", "unassalpha"])  # indices can't be multiplied
@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_with_opacity(rng: np.random.Generator, tmp_path: Path, bits: int, extra: str) -> None:
    indices = np.arange(200, dtype=np.uint8 if bits == 8 else np.uint16).reshape(10, 20)
    colours = rng.integers(0, 65536, (3, 2**bits), np.uint16)
    opacity = np.where(indices < 100, 0, 2**bits - 1).astype(indices.dtype)
    seen = np.moveaxis(colours[:, indices] >> 8, 0, -1)
    path = written(tmp_path / "a.tif", indices, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(read_image(path).pixels, seen)
    path = written(
        tmp_path / "b.tif",
        np.stack([indices, opacity], -1),
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=[extra],
        extratags=[(320, "H", colours.size, colours.ravel(), True)],
        metadata=None,
    )
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        photometric = file.pages[0].tags[262].valueoffset
    data[photometric : photometric + 2] = (3).to_bytes(2, "little")
    path.write_bytes(data)
    np.testing.assert_array_equal(read_image(path).pixels, np.where(opacity[..., np.newaxis] > 0, seen, 0))


def test_more_channels_than_colours_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", np.zeros((9, 8, 5), np.uint8), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UnreadableImageError, match=r"has 5 samples per pixel, 1 of colour, and ExtraSamples \(338\)"):
        read_image(path)


def test_a_thumbnail_on_the_first_page_is_not_the_image(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(WORDS[::4, ::4], subfiletype=1)
        file.write(WORDS)
    assert (list(frames_in(path)), shape_of(path)) == ([1], WORDS.shape)


def test_opacity_that_is_no_number_hides_and_more_than_all_is_all(rng: np.random.Generator, tmp_path: Path) -> None:
    values = np.stack([rng.random((20, 30)), np.ones((20, 30))], -1).astype(np.float32)
    values[0, :, 1], values[1, :, 1], values[2, :, 1] = np.nan, 7, -1
    path = written(
        tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    read = read_image(path, intensity="percentile").pixels[..., 0]
    assert not read[[0, 2]].any()
    low, high = np.percentile(values[[1, *range(3, 20)], :, 0], (0.5, 99.5))
    np.testing.assert_allclose(read[1], np.clip((values[1, :, 0] - low) / (high - low), 0, 1) * 65535, atol=2)
