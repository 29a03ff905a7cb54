"""The border of an image, repeated, against NumPy."""

import keras
import numpy as np
import pytest

from srexp.models.layers.borders import repeat_border


@pytest.mark.parametrize("margin", [0, 1, 4])
def test_the_outermost_pixels_are_repeated(margin: int) -> None:
    image = np.random.default_rng(2).random((2, 5, 3, 2), dtype=np.float32)
    low = keras.Input((None, None, 2))
    extended = keras.Model(low, repeat_border(keras.layers.Identity()(low), margin))(image)
    expected = np.pad(image, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="edge")
    np.testing.assert_array_equal(extended, expected)
