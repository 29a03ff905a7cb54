"""How far an image is from its input once it is reduced again, whatever the parts in which it comes."""

from fractions import Fraction

import numpy as np
import pytest

from srexp.data.degradation.imresize import resize
from srexp.data.degradation.reduced_again import ReducedAgain


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
    assert told == [pytest.approx(255 * np.sqrt(np.mean((reduced - low) ** 2, dtype=np.float64)), rel=1e-6)]


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (5, 3)])
def test_an_image_of_a_few_rows_is_measured_too(size):
    told = []
    low = np.zeros((*size, 1), np.float32)
    _ = [
        *ReducedAgain(low, 2, told.append).passing(iter(np.full((2 * size[0], 2 * size[1], 1), 0.2, np.float32)[None]))
    ]
    assert told == [pytest.approx(51)]
