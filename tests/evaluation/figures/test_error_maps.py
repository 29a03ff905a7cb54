"""Colours of errors that mean the same in every picture, on a scale that no model decides."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from srexp.evaluation.figures.error_maps import (
    ERROR_SCALES,
    MAX_GREY_LEVELS,
    coloured,
    error_map,
    error_map_rgb,
    error_scale,
)

maps = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(0, 255, width=32)
)


@given(maps, maps, st.floats(0, 255, width=32))
def test_equal_errors_get_equal_colours_whatever_the_picture(one, other, error):
    one[0, 0] = other[-1, -1] = error
    assert np.array_equal(error_map_rgb(one)[0, 0], error_map_rgb(other)[-1, -1])


@given(maps)
def test_a_colour_depends_on_nothing_but_its_error(error):
    together = error_map_rgb(error)
    apart = [error_map_rgb(np.array([[value]], np.float32))[0, 0] for value in error.ravel()]
    assert np.array_equal(together.reshape(-1, 3), apart)
    assert together.dtype == np.uint8


def test_larger_errors_are_brighter_and_warmer():
    colours = error_map_rgb(np.linspace(0, MAX_GREY_LEVELS, 200)[np.newaxis])[0].astype(float)
    brightness = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) >= 0).all()
    assert (np.diff(colours[:, 0]) >= -4).all()  # red grows; inferno gives a little back at its very end


def test_errors_beyond_the_scale_get_the_last_colour():
    first, last, beyond = error_map_rgb(np.array([[0, MAX_GREY_LEVELS, 255]]))[0]
    assert np.array_equal(last, beyond)
    assert first.sum() < 10
    assert last.sum() > 500
    assert np.array_equal(error_map_rgb(np.array([[16.0]]), max_grey_levels=16)[0, 0], last)


def test_error_is_in_grey_levels_of_255_and_clipped_first():
    high = np.array([[[0.5, 0.5, 0.5], [1, 1, 1]]], np.float32)
    restored = np.array([[[0.6, 0.4, 0.5], [7, 7, 7]]], np.float32)
    assert error_map(restored, high) == pytest.approx(np.array([[17, 0]]), abs=1e-4)


@given(maps, maps, st.floats(0, 255, width=32), st.sampled_from([0.5, 4.0, 8.0, 32.0]))
def test_equal_errors_of_two_models_get_equal_colours_of_a_page(one, other, error, top):
    one[0, 0] = other[-1, -1] = error
    assert np.array_equal(coloured(one, top)[0, 0], coloured(other, top)[-1, -1])


@pytest.mark.parametrize("top", [0.5, 4.0, 8.0])
def test_warmer_means_larger_on_a_page(top):
    colours = coloured(np.linspace(0, top, 500, endpoint=False)[np.newaxis], top)[0].astype(float)
    assert (np.diff(colours @ [0.299, 0.587, 0.114]) >= 0).all()
    assert (np.diff(colours[:, 0]) >= -4).all()  # red grows; inferno gives a little back at its very end
    assert len(np.unique(colours, axis=0)) == 64
    assert np.array_equal(coloured(np.array([[2 * top]]), top), coloured(np.array([[0.999 * top]]), top))


@pytest.mark.parametrize(
    ("bicubic", "expected"),
    [
        ([30.0, 31.0, 29.0], 32.0),
        ([48.0], 4.0),
        ([math.inf, 48.0, None], 4.0),
        ([5.0], 128.0),
        ([math.inf], 0.25),
        ([None], 0.25),
    ],
)
def test_the_scale_is_a_power_of_two_three_times_bicubics_usual_error(bicubic, expected):
    assert error_scale(bicubic) == expected
    assert expected in ERROR_SCALES
