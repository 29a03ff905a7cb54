"""Where a detail is taken: off the border and off what is saturated, as long as anything else is left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.evaluation.figures.detail import BORDER, REACH, SPOT, square_at, worst_square

sides = st.integers(120, 260)
shares = st.floats(0, 0.999)


def grey(height, width):
    return np.full((height, width, 1), 0.5, np.float32)


def middle(square):
    return tuple((part.start + part.stop) // 2 for part in square)


@given(st.tuples(st.integers(12, 400), st.integers(12, 400)), st.integers(1, 4), shares, shares)
@settings(max_examples=60, deadline=None)
def test_the_square_lies_inside_and_on_the_grid_and_holds_the_worst_spot(size, scale, down, right):
    height, width = size[0] // scale * scale, size[1] // scale * scale
    error = np.zeros((height, width), np.float32)
    spot = int(down * height), int(right * width)
    error[spot] = 1
    square = worst_square(error, grey(height, width), (0, 1), scale=scale)
    parts = list(zip(square, (height, width), spot, strict=True))
    for part, length, _ in parts:
        assert 0 <= part.start < part.stop <= length
        assert part.start % scale == part.stop % scale == 0
    if all(length // BORDER + SPOT <= place < length - length // BORDER - SPOT for _, length, place in parts):
        assert all(part.start <= place < part.stop for part, _, place in parts)


@given(sides, sides, shares, shares, st.sampled_from([0.0, 1.0]))
@settings(max_examples=60, deadline=None)
def test_neither_border_nor_saturated_pixels_are_chosen(height, width, down, right, value):
    """However large the errors there are: a spot of the smallest error wins over them."""
    error, image = np.zeros((height, width), np.float32), grey(height, width)
    first = height // BORDER, width // BORDER
    error[: first[0]] = error[-first[0] :] = 100
    error[:, : first[1]] = error[:, -first[1] :] = 100
    clip = tuple(int(share * (length - 40)) for share, length in zip((down, right), (height, width), strict=True))
    image[clip[0] : clip[0] + 12, clip[1] : clip[1] + 12] = value
    error[clip[0] - 1 : clip[0] + 13, clip[1] - 1 : clip[1] + 13] = 100
    square = worst_square(error, image, (0, 1), scale=1, side=SPOT)
    for part, length in zip(square, (height, width), strict=True):
        assert part.start >= length // BORDER
        assert part.stop <= length - length // BORDER
    rows, columns = (slice(part.start - REACH, part.stop + REACH) for part in square)
    assert (image[rows, columns] == 0.5).all()


@given(sides, sides, shares, shares)
@settings(max_examples=30, deadline=None)
def test_where_all_is_saturated_the_worst_spot_off_the_border_is_chosen(height, width, down, right):
    error, image = np.zeros((height, width), np.float32), np.ones((height, width, 1), np.float32)
    place = tuple(
        length // BORDER + int(share * (length - 2 * (length // BORDER) - SPOT))
        for share, length in zip((down, right), (height, width), strict=True)
    )
    error[place[0] : place[0] + SPOT, place[1] : place[1] + SPOT] = 1
    square = worst_square(error, image, (0, 1), scale=1, side=SPOT)
    assert tuple(part.start for part in square) == place


@pytest.mark.parametrize("colour", [0, 1, 2])
def test_one_saturated_colour_is_enough(colour):
    error, image = np.zeros((300, 300), np.float32), np.full((300, 300, 3), 0.5, np.float32)
    error[150:158, 150:158], error[200:208, 200:208] = 9, 1
    image[154, 154, colour] = 1
    assert middle(worst_square(error, image, (0, 1), scale=1, side=SPOT)) == (204, 204)


def test_bands_of_a_tall_image_are_held_against_the_same_rows():
    error, image = np.zeros((900, 200), np.float32), grey(900, 200)
    error[430:438, 100:108], error[600:608, 100:108] = 9, 1  # on both sides of where a band ends
    image[444:446, 100:108] = 1
    assert middle(worst_square(error, image, (0, 1), scale=1, side=SPOT)) == (604, 104)


def clipped(texture):
    """A spot that is not quite white, on a soft or a coarse background; the errors are largest at its edge."""
    image, error = grey(400, 400) + texture, np.zeros((400, 400), np.float32)
    image[158:162, 158:162] = 0.8
    error[156:164, 156:164] = 100
    error[250, 200] = 1
    return worst_square(error, image, (0, 1), scale=2, side=64)


def test_an_edge_that_is_harder_than_all_else_is_not_chosen_though_nothing_is_saturated():
    ramp = np.linspace(0, 0.2, 400, dtype=np.float32)[:, None]
    rows, columns = clipped(ramp[..., None])
    assert (rows.start <= 250 < rows.stop, columns.start <= 200 < columns.stop) == (True, True)


def test_where_many_edges_are_hard_they_are_what_is_shown():
    stripes = np.where(np.arange(400) % 16 < 8, 0.0, 0.2).astype(np.float32)[:, None, None]
    rows, columns = clipped(stripes)
    assert (rows.start < 160, rows.stop > 160, columns.start < 160, columns.stop > 160) == (True,) * 4


def test_a_faint_line_wins_over_noise_and_the_edge_of_the_film_does_not():
    error = np.random.default_rng(0).exponential(1, (800, 800)).astype(np.float32)
    error[:10] = 60
    error[500:502, 300:400] = 12
    rows, columns = worst_square(error, grey(800, 800), (0, 1), scale=2)
    assert rows.start < 500 < rows.stop
    assert columns.start < 400
    assert columns.stop > 300


@given(st.tuples(sides, sides), shares, shares, st.integers(1, 4), st.integers(8, 300))
def test_a_square_lies_around_the_place_as_far_as_the_image_goes(shape, down, right, scale, side):
    shape = tuple(length // scale * scale for length in shape)
    place = tuple(int(share * length) for share, length in zip((down, right), shape, strict=True))
    for part, at, length in zip(square_at(place, shape, scale=scale, side=side), place, shape, strict=True):
        assert 0 <= part.start <= at < part.stop <= length
        assert part.start % scale == part.stop % scale == 0
