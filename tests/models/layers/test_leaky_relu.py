"""Leaky ReLU is the same in a graph as out of it, behind the sum of a convolution too."""

import keras
import numpy as np

from srexp.enhance.predict import batch_predictor
from srexp.models.layers.leaky_relu import leaky_relu


def test_a_graph_keeps_the_slope_behind_a_sum() -> None:
    low = keras.Input((None, None, 2))
    convolution = keras.layers.Conv2D(2, 3, padding="same", bias_initializer="ones")
    added = keras.layers.Add()([low, convolution(low)])
    model = keras.Model(low, keras.layers.Conv2D(2, 1)(leaky_relu(added, 0.05, name="leaky")))
    image = np.random.default_rng(1).normal(0, 3, (1, 9, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(batch_predictor(model)(image), model(image), rtol=0, atol=1e-5)
    summed = np.asarray(keras.Model(low, added)(image))
    expected = np.where(summed > 0, summed, np.float32(0.05) * summed)
    np.testing.assert_allclose(keras.Model(low, model.get_layer("leaky").output)(image), expected, rtol=0, atol=1e-6)
