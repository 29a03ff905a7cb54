"""How far an image is from its input once it is reduced again, whatever the parts in which it comes."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from srexp.data.degradation.imresize import resize
from srexp.data.degradation.reduced_again import PLACE, ReducedAgain


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("rows", [1, 2, 7, 16, 1000])
@pytest.mark.parametrize("channels", [1, 3])
def test_parts_are_measured_as_the_whole(scale, rows, channels):
    rng = np.random.default_rng(rows)
    low = rng.random((29, 11, channels), dtype=np.float32)
    restored = rng.normal(0.5, 0.5, (29 * scale, 11 * scale, channels)).astype(np.float32)
    told = []
    strips = (restored[top : top + rows] for top in range(0, len(restored), rows))
    passed = np.concatenate([*ReducedAgain(low, scale, told.append).passing(strips)])
    np.testing.assert_array_equal(passed, restored)
    reduced = resize(np.clip(restored, 0, 1), scale=Fraction(1, scale))
    difference = reduced.clip(0, 1) - low
    places = uniform_filter(difference, (PLACE, PLACE, 1))[2:-1, 2:-1]
    dark, bright = np.percentile(low, (0.1, 99.9))
    [(levels, percent)] = told
    assert levels == pytest.approx(255 * np.sqrt(np.mean(difference**2, dtype=np.float64)), rel=1e-6)
    assert percent == pytest.approx(100 * np.abs(places).max() / (bright - dark), rel=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (5, 3)])
def test_an_image_of_a_few_rows_is_measured_too(size):
    told = []
    low = np.zeros((*size, 1), np.float32)
    _ = [
        *ReducedAgain(low, 2, told.append).passing(iter(np.full((2 * size[0], 2 * size[1], 1), 0.2, np.float32)[None]))
    ]
    [(levels, percent)] = told
    assert levels == pytest.approx(51)
    assert percent == pytest.approx(2000, rel=1e-5)  # an image of one value counts as if it filled a hundredth


def test_the_true_image_is_at_no_distance_where_its_reduction_overshoots_what_can_be_stored():
    high = np.zeros((40, 40, 1), np.float32)
    high[11:29, 13:30] = 1
    overshooting = resize(high, scale=Fraction(1, 2))
    assert overshooting.max() > 1.05
    told = []
    _ = [*ReducedAgain(overshooting.clip(0, 1), 2, told.append).passing(iter([high]))]
    assert told == [(pytest.approx(0, abs=1e-4), pytest.approx(0, abs=1e-4))]


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_added_at_one_place_is_seen_in_a_large_image_that_fills_little_of_its_range(sign):
    low = np.linspace(0.2, 0.24, 300 * 400, dtype=np.float32).reshape(300, 400, 1)
    restored = resize(low, scale=2)
    told = []
    for added in (0, sign * 0.01):
        restored[100:110, 640:650] += added
        _ = [*ReducedAgain(low, 2, told.append).passing(iter([restored]))]
    before, after = told
    assert before.place_percent < 1
    assert after.levels < 0.1
    assert after.place_percent == pytest.approx(25, rel=0.1)
