"""Grey levels within a network, and back."""

import keras
import numpy as np

from srexp.models.layers.grey_levels import MEAN, from_levels, to_levels


def test_the_mean_of_colours_goes_and_comes_back() -> None:
    low, image = keras.Input((None, None, 3)), np.full((1, 2, 2, 3), 0.5, np.float32)
    levels = to_levels(low, MEAN)
    np.testing.assert_allclose(keras.Model(low, levels)(image)[0, 0, 0], [13.056, 16.0395, 24.48], rtol=1e-5)
    np.testing.assert_allclose(keras.Model(low, from_levels(levels, MEAN))(image), image, rtol=1e-6)


def test_without_a_mean_there_are_levels_alone() -> None:
    low, image = keras.Input((None, None, 3)), np.full((1, 2, 2, 3), 0.5, np.float32)
    levels = to_levels(low)
    np.testing.assert_array_equal(keras.Model(low, levels)(image), 255 * image)
    np.testing.assert_allclose(keras.Model(low, from_levels(levels))(image), image, rtol=1e-6)
