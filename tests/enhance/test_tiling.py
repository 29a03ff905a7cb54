"""Tiles that cover an image exactly once, whatever its size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from srexp.enhance.tiling import fitted, joined, restore_in_strips, tile_shape, windows

halos = st.integers(0, 12)


@given(st.integers(1, 400), st.integers(1, 100), halos)
def test_windows_keep_every_pixel_once_and_far_from_inner_edges(length, inside, halo):
    tile = 2 * halo + inside
    covering = windows(length, tile, halo)
    size = fitted(length, tile, halo)
    assert size <= tile
    assert [pixel for one in covering for pixel in range(one.keep_from, one.keep_to)] == list(range(length))
    for one in covering:
        assert 0 <= one.start <= one.keep_from < one.keep_to <= one.start + size <= length
        assert one.start == 0 or one.keep_from - one.start >= halo
        assert one.start + size == length or one.start + size - one.keep_to >= halo


@given(st.integers(1, 400), st.integers(1, 100), halos)
def test_windows_are_no_more_and_no_larger_than_needed(length, inside, halo):
    tile = 2 * halo + inside
    count = len(windows(length, tile, halo))
    assert count == 1 or (count - 1) * inside + 2 * halo < length
    assert fitted(length, tile, halo) - 2 * halo <= -(-(length - 2 * halo) // count) or count == 1


@given(
    st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    halos,
    st.floats(1, 10_000),
    st.floats(0.01, 1000),
)
def test_tile_shape_stays_within_memory_and_image(shape, halo, bytes_per_pixel, memory_mb):
    height, width = tile_shape(shape, halo=halo, bytes_per_pixel=bytes_per_pixel, memory_mb=memory_mb)
    assert height <= shape[0]
    assert width <= shape[1]
    least = 2 * halo + max(2 * halo, 16)
    for side, whole in ((height, shape[0]), (width, shape[1])):
        assert side == fitted(whole, side, halo)
        assert side == whole or side - 2 * halo >= (least - 2 * halo) / 2  # what two share, of which one had room
    if height > least and width > least:
        assert height * width * bytes_per_pixel <= memory_mb * 2**20


def test_a_narrow_image_gets_tall_tiles():
    assert tile_shape((5000, 100), halo=4, bytes_per_pixel=2**20 / 1000, memory_mb=100) == (840, 100)
    assert tile_shape((100, 5000), halo=4, bytes_per_pixel=2**20 / 1000, memory_mb=100) == (100, 840)


def test_what_an_even_share_of_one_axis_leaves_the_other_one_has():
    """Eight rows of 334 pixels leave room for six columns, where eight of 355 would leave it for seven."""
    height, width = tile_shape((2500, 2048), halo=12, bytes_per_pixel=2048, memory_mb=246.5)
    assert (len(windows(2500, height, 12)), len(windows(2048, width, 12))) == (8, 6)


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.integers(0, 3),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_a_filter_in_tiles_equals_the_filter_on_the_whole(size, inside, halo, scale):
    def blur(batch):  # zero padding at its own edge, as wide as the halo, then enlargement
        smooth = uniform_filter(batch[0], (2 * halo + 1, 2 * halo + 1, 1), mode="constant")
        return smooth.repeat(scale, 0).repeat(scale, 1)[np.newaxis]

    low = np.random.default_rng(size).random((*size, 1), dtype=np.float32)
    shapes = set()

    def watched(batch):
        shapes.add(batch.shape)
        return blur(batch)

    tile = (2 * halo + inside[0], 2 * halo + inside[1])
    strips = restore_in_strips(watched, low, scale=scale, halo=halo, tile=tile)
    found = joined(strips, low.shape[0] * scale)
    assert found == pytest.approx(blur(low[np.newaxis])[0], abs=1e-6)
    assert len(shapes) == 1  # a network is compiled once for an image


def test_strips_and_the_image_are_float32():
    image = np.random.default_rng(0).random((40, 30, 1), dtype=np.float32)
    strips = [
        strip.copy()
        for strip in restore_in_strips(lambda batch: batch.astype(np.float64), image, scale=1, halo=3, tile=(16, 16))
    ]
    assert {strip.dtype for strip in strips} == {joined(strips, 40).dtype} == {np.dtype(np.float32)}


def test_nothing_is_no_image():
    with pytest.raises(ValueError, match="there is no strip"):
        joined([], 4)
    with pytest.raises(ValueError, match="without pixels"):
        next(restore_in_strips(lambda batch: batch, np.zeros((0, 4, 1), np.float32), scale=1, halo=1, tile=(9, 9)))
