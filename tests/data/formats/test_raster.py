"""PNG, JPEG and BMP against the arrays they were written from."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from srexp.data.display import Display, Resolution
from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.image import UnreadableImageError
from tests.data.formats.rewriting import chunked, through_and_lost

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")

BYTES = np.random.default_rng(1).integers(0, 256, (20, 30), np.uint8)
WORDS = np.random.default_rng(2).integers(0, 2**16, (20, 30), np.uint16)
COLOURS = np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8)
WIDE = np.random.default_rng(4).integers(0, 2**16, (20, 30, 3), np.uint16)


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
def test_truncated_file_is_refused(rng: np.random.Generator, tmp_path: Path, suffix: str, share: float) -> None:
    path = written(tmp_path / f"a.{suffix}", rng.integers(0, 256, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UnreadableImageError, match="damaged or"):
        read_image(path)


def test_only_the_first_image_exists(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="has no frame 1"):
        read_image(written(tmp_path / "a.png", BYTES), frame=1)


def packed(rows: np.ndarray, depth: int) -> bytes:
    """Rows of samples as a PNG stores them, without a filter."""
    bits = np.unpackbits(rows.astype(">u2").view(np.uint8).reshape(*rows.shape, 2), axis=-1)[..., 16 - depth :]
    return b"".join(b"\0" + np.packbits(row.ravel()).tobytes() for row in bits)


def png_of(path: Path, samples: np.ndarray, depth: int, colour: int, **chunks: bytes) -> Path:
    """Write a PNG by hand: its colour type and what chunks it has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = samples.shape[:2]
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    parts += [(kind.encode(), data) for kind, data in chunks.items()]
    parts += [(b"IDAT", zlib.compress(packed(samples.reshape(height, -1), depth))), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


@pytest.mark.parametrize(
    ("colour", "depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8)]
)
def test_a_transparent_colour_is_black(rng: np.random.Generator, tmp_path: Path, colour: int, depth: int) -> None:
    shape = (20, 30, 3) if colour == 2 else (20, 30)
    samples = rng.integers(1, 2**depth, shape) if depth > 1 else np.ones(shape, int)
    clear = np.zeros((20, 30), bool)
    clear[:, :6] = True
    key = 2 ** (depth - 1)  # a middle value, bright unless it is transparent
    samples[samples == key] = key + 1 if depth > 1 else key
    samples[~clear] = 0 if depth == 1 else samples[~clear]
    samples[clear] = key
    chunks = {"tRNS": struct.pack(f">{samples[0, 0].size}H", *[key] * samples[0, 0].size)}
    colours = rng.integers(1, 256, (2 ** min(depth, 8), 3))
    if colour == 3:
        chunks = {"PLTE": colours.astype(np.uint8).tobytes(), "tRNS": bytes([255] * key + [0])}
    image = read_image(png_of(tmp_path / "a.png", samples, depth, colour, **chunks))
    assert image.bits == max(depth, 8)
    expected = colours[samples] if colour == 3 else samples * (255 // (2**depth - 1) if depth < 8 else 1)
    expected = expected.reshape(20, 30, -1)
    np.testing.assert_array_equal(image.pixels, np.where(clear[..., np.newaxis], 0, expected))


@pytest.mark.parametrize("depth", [8, 16])
def test_opacity_leaves_grey_grey(tmp_path: Path, depth: int) -> None:
    samples = np.stack([WORDS >> (16 - depth), np.full(WORDS.shape, 2**depth - 1)], -1)
    samples[0, :, 1] = 0
    image = read_image(png_of(tmp_path / "a.png", samples, depth, 4))
    assert (image.pixels.shape, image.bits) == ((20, 30, 1), depth)
    np.testing.assert_array_equal(image.pixels[1:, :, 0], samples[1:, :, 0])
    assert not image.pixels[0].any()


def test_an_animation_is_refused_with_its_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(BYTES // n) for n in (1, 2, 3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    for ask in (read_image, shape_of):
        with pytest.raises(UnreadableImageError, match="holds 3 frames, of an animation"):
            ask(tmp_path / "a.png")


@pytest.mark.parametrize(("size", "refused"), [((30, 20), True), ((15, 10), False)])
def test_a_set_of_pictures_is_refused_but_not_what_a_phone_adds(
    tmp_path: Path, size: tuple[int, int], refused: bool
) -> None:
    path, exif = tmp_path / "a.jpg", Image.Exif()
    exif[0x0112] = 3
    picture = Image.fromarray(COLOURS)
    picture.save(path, format="MPO", save_all=True, append_images=[Image.new("RGB", size)], exif=exif)
    if refused:
        with pytest.raises(UnreadableImageError, match="holds 2 frames"):
            read_image(path)
        return
    image = read_image(path)
    picture.save(tmp_path / "b.jpg")
    np.testing.assert_array_equal(image.pixels, read_image(tmp_path / "b.jpg").pixels[::-1, ::-1])
    assert image.lossy


@pytest.mark.parametrize(
    ("jfif", "exif", "expected"),
    [
        ((1, 300, 150), None, Resolution(300, 150, 25.4)),
        ((2, 300, 150), None, Resolution(300, 150, 10.0)),
        ((0, 2, 1), None, Resolution(2, 1, None)),
        ((1, 300, 150), (72, 72, 2), Resolution(300, 150, 25.4)),
        ((0, 1, 1), (400, 200, 2), Resolution(400, 200, 25.4)),
        ((0, 1, 1), (400, 200, 3), Resolution(400, 200, 10.0)),
        ((0, 1, 1), (400, 200, 1), Resolution(400, 200, None)),
        ((0, 1, 1), (400, 200, None), Resolution(400, 200, 25.4)),
    ],
)
def test_a_jpeg_counts_in_its_own_units_and_then_in_those_of_exif(
    tmp_path: Path, jfif: tuple[int, int, int], exif: tuple[int, int, int | None] | None, expected: Resolution
) -> None:
    said = Image.Exif()
    for tag, value in zip((0x011A, 0x011B, 0x0128), exif or (), strict=False):
        if value is not None:
            said[tag] = value
    path = written(tmp_path / "a.jpg", BYTES, exif=said)
    content = path.read_bytes()
    density = content.index(b"JFIF\0") + 7
    path.write_bytes(content[:density] + struct.pack(">BHH", *jfif) + content[density + 5 :])
    assert read_image(path).display.resolution == expected


@pytest.mark.parametrize("bits", [12, 16])
def test_a_jpeg_of_more_bits_is_refused_with_its_bits(tmp_path: Path, bits: int) -> None:
    encode = imagecodecs.ljpeg_encode if bits == 16 else partial(imagecodecs.jpeg_encode, bitspersample=bits)
    (tmp_path / "a.jpg").write_bytes(encode(np.zeros((16, 24), np.uint16)))
    with pytest.raises(UnreadableImageError, match=rf"is a JPEG of {bits} bits, where 8 can be read[\s\S]*PNG or TIFF"):
        read_image(tmp_path / "a.jpg")


def test_a_bmp_of_version_5_has_its_profile_and_one_that_breaks_off_has_none(tmp_path: Path) -> None:
    path = bmp_of_version_5(tmp_path / "a.bmp", b"DEBM", profile=b"profile")
    assert read_image(path).display.profile == b"profile"
    path.write_bytes(path.read_bytes()[:-1])
    assert read_image(path).display.profile is None
    assert read_image(bmp_of_version_5(path, b"BGRs")).display == Display()


def bmp_of_version_5(path: Path, space: bytes, *, profile: bytes = b"", gamma: int = 0) -> Path:
    """A BMP that says in which space its colours are (Windows GDI, BITMAPV5HEADER)."""
    pixels, begin = COLOURS[::-1, :, ::-1], 14 + 124
    height, width, _ = pixels.shape
    rows = b"".join(row.tobytes() + bytes(-3 * width % 4) for row in pixels)
    head = struct.pack("<IiiHHII16x16x4s36x3I", 124, width, height, 1, 24, 0, len(rows), space, *3 * [gamma])
    head += struct.pack("<4I", 4, 124 + len(rows), len(profile), 0)
    path.write_bytes(b"BM" + struct.pack("<I4xI", begin + len(rows) + len(profile), begin) + head + rows + profile)
    return path


@pytest.mark.parametrize(("space", "gamma", "lost"), [(bytes(4), 1, True), (bytes(4), 0, False), (b"BGRs", 1, False)])
def test_what_a_bmp_says_of_its_gamma_is_said_to_be_lost(
    tmp_path: Path, space: bytes, gamma: int, *, lost: bool
) -> None:
    path = bmp_of_version_5(tmp_path / "a.bmp", space, gamma=gamma)
    for wanted in ("same", "png"):
        said = through_and_lost(path, tmp_path / "out" / "a", wanted=wanted)[1]
        assert [each.partition(" not kept")[0] for each in said] == ["gamma and chromaticities"] * lost


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x01" + b"1e-4\x002e-4", Resolution(10, 5, 1.0)),
        (b"\x02" + b"1e-4\x002e-4", None),  # radians
        (b"\x01" + b"1e-4", None),
        (b"", None),
    ],
)
def test_the_size_of_what_a_png_shows_is_that_of_its_pixels(
    tmp_path: Path, content: bytes, expected: Resolution | None
) -> None:
    path = written(tmp_path / "a.png", BYTES)
    path.write_bytes(chunked(path.read_bytes(), sCAL=content))
    found = read_image(path).display.resolution
    assert (found and found.per(1.0)) == (expected and pytest.approx(expected.per(1.0)))
