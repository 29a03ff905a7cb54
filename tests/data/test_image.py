"""Bit depth, channels, rounding, transparency and the digest of one image."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.color import rgb2ycbcr

from srexp.data.display import Display
from srexp.data.image import (
    MAX_PIXELS,
    Channel,
    Stored,
    UnreadableImageError,
    check_size,
    displayed,
    over_black,
    quantised,
    refusing,
    stored,
    stretch,
    to_channel,
)


def colour(bits: int) -> Stored:
    return stored(np.random.default_rng(0).integers(0, 2**bits, (13, 17, 3)), bits, lossy=False)


@pytest.mark.parametrize("bits", [8, 10, 12, 15, 16])
def test_bit_depth_alone_decides_the_range(bits: int) -> None:
    dark = stored(np.array([[0, 1]]), bits, lossy=False)
    assert dark.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert dark.to_float().dtype == np.float32
    assert dark.to_float().ravel().tolist() == pytest.approx([0, 1 / (2**bits - 1)])
    assert stored(np.array([[2**bits - 1]]), bits, lossy=False).to_float().item() == 1.0


def test_luminance_is_that_of_matlab() -> None:
    image = colour(8)
    expected = np.floor(rgb2ycbcr(image.pixels)[..., 0] + 0.5)
    np.testing.assert_array_equal(to_channel(image, "y").pixels[..., 0], expected)


def test_luminance_of_16_bits_is_that_of_8_bits_on_a_finer_grid() -> None:
    eight = colour(8)
    sixteen = stored(eight.pixels.astype(np.uint32) * 257, 16, lossy=False)
    fine = to_channel(sixteen, "y").pixels / 257
    assert np.abs(fine - to_channel(eight, "y").pixels).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_grey_of_equal_channels_is_that_channel(rng: np.random.Generator, bits: int) -> None:
    grey = stored(rng.integers(0, 2**bits, (9, 8, 1)), bits, lossy=False)
    repeated = to_channel(grey, "rgb")
    assert repeated.pixels.shape == (9, 8, 3)
    np.testing.assert_array_equal(to_channel(repeated, "grey").pixels, grey.pixels)


def test_grey_weighs_by_bt601() -> None:
    pure = stored(np.eye(3, dtype=np.uint8)[np.newaxis] * 255, 8, lossy=False)
    assert to_channel(pure, "grey").pixels.ravel().tolist() == [76, 150, 29]


def test_channels_that_are_there_already_cost_nothing() -> None:
    grey, rgb = stored(np.zeros((2, 2)), 8, lossy=True), colour(8)
    assert to_channel(grey, "grey") is grey
    assert to_channel(grey, "y") is grey
    assert to_channel(rgb, "rgb") is rgb
    assert to_channel(stored(rgb.pixels, 8, lossy=True), "y").lossy


def test_digest_tells_pixels_shape_and_depth_apart_and_not_memory_layout(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (6, 4))
    reference = stored(pixels, 8, lossy=False).digest()
    assert stored(np.asfortranarray(pixels), 8, lossy=True).digest() == reference
    changed = pixels.copy()
    changed[5, 3] ^= 1
    others = [
        stored(changed, 8, lossy=False),
        stored(pixels.reshape(4, 6), 8, lossy=False),
        Stored(stored(pixels, 8, lossy=False).pixels, 7, lossy=False),
    ]
    digests = {reference, *(other.digest() for other in others)}
    assert len(digests) == 4


def test_pixels_cannot_be_changed_behind_the_digest() -> None:
    with pytest.raises(ValueError, match="read-only"):
        stored(np.zeros((2, 2)), 8, lossy=False).pixels[0, 0] = 1


@given(
    hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, 4095)),
    st.integers(1, 20),
    st.integers(-1000, 1000),
)
def test_stretch_ignores_gain_and_offset(values: np.ndarray, gain: int, offset: int) -> None:
    first = stretch(values, 8, lossy=False).pixels
    second = stretch(values * gain + offset, 8, lossy=False).pixels
    assert np.abs(first.astype(int) - second).max() <= 1  # a half may round either way


def test_stretch_uses_the_percentiles_of_valid_pixels_and_clips_the_rest() -> None:
    values = np.tile(np.arange(1000), (2, 1))
    values[0, 0] = 10**6
    valid = values < 10**6
    image = stretch(values, 12, lossy=False, valid=valid)
    low, high = np.percentile(values[valid], (0.5, 99.5))
    expected = np.floor(np.clip((values - low) / (high - low), 0, 1) * 4095 + 0.5)
    np.testing.assert_array_equal(image.pixels[..., 0], expected)


@pytest.mark.parametrize("values", [np.full((3, 3), 7), np.full((2, 2), np.nan), np.zeros((0, 0))])
def test_stretch_of_nothing_is_black(values: np.ndarray) -> None:
    assert not stretch(values, 16, lossy=False).pixels.any()


def test_quantised_rounds_to_the_nearest_and_reaches_both_ends() -> None:
    assert quantised(np.array([0, 0.49, 0.51, 1]), 1).tolist() == [0, 0, 1, 1]


def test_half_transparent_white_over_black_is_half_grey() -> None:
    pixels = np.full((1, 1, 4), 65535)
    pixels[..., 3] = 32768
    assert over_black(pixels, 16).ravel().tolist() == [32768] * 3


@pytest.mark.parametrize(("height", "width"), [(60_000, 60_000), (1, MAX_PIXELS + 1)])
def test_size_beyond_memory_is_refused(height: int, width: int) -> None:
    with pytest.raises(UnreadableImageError, match=f"claims {height} x {width} pixels"):
        check_size(height, width)


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, -1)])
def test_empty_size_is_refused(height: int, width: int) -> None:
    with pytest.raises(UnreadableImageError, match="no image"):
        check_size(height, width)


def test_refusing_keeps_text_of_the_file_to_itself() -> None:
    with pytest.raises(UnreadableImageError) as caught, refusing("damaged header"):
        raise ValueError("DOE^JANE")
    assert str(caught.value) == "damaged header"
    assert caught.value.__suppress_context__


def test_refusing_names_what_the_system_says() -> None:
    with pytest.raises(UnreadableImageError, match=r"can't be read \(Permission denied\)"), refusing("can't be read"):
        raise PermissionError(13, "secret text", "secret name")


def test_refusal_says_reason_and_mend_in_one_line() -> None:
    assert UnreadableImageError("is odd", fix="mend it").told() == "is odd (fix: mend it)"
    assert UnreadableImageError("is odd").told() == "is odd"


def test_what_is_trained_keeps_no_description_of_files() -> None:
    image = displayed(stored(np.arange(6).reshape(2, 3), 8, lossy=False), Display(orientation=6, profile=b"large"))
    assert image.pixels[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]
    assert not image.pixels.flags.writeable
    for channel in get_args(Channel):
        assert to_channel(image, channel).display == Display()


def test_the_widest_range_is_stretched_as_any_other() -> None:
    unit = np.linspace(0, 1, 1000).reshape(20, 50)
    widest = np.finfo(np.float64).max * (2 * unit - 1)
    pixels = [stretch(values, 16, lossy=False).pixels for values in (unit, widest, np.finfo(np.float32).max * unit)]
    for other in pixels[1:]:
        np.testing.assert_allclose(other.astype(int), pixels[0], atol=1)
