"""Bilinear resizing to another image's size: TensorFlow's, which needs to know the size, is the oracle."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from srexp.models.layers.bilinear import resize_to


def network() -> keras.Model:
    small, like = keras.Input((None, None, 3)), keras.Input((None, None, 2))
    return keras.Model([small, like], resize_to(small, like, name="resized"))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
def test_any_size_to_any_size(rng: np.random.Generator, tmp_path) -> None:
    network().save(tmp_path / "resize.keras")
    loaded = keras.saving.load_model(tmp_path / "resize.keras")
    for before, after in [((1, 1), (4, 2)), ((2, 3), (15, 17)), ((5, 4), (5, 4)), ((7, 9), (3, 20))]:
        small, like = rng.random((2, *before, 3), dtype="float32"), rng.random((2, *after, 2), dtype="float32")
        np.testing.assert_allclose(loaded([small, like]), tf.image.resize(small, after), rtol=0, atol=1e-6)


def test_pixels_beyond_256_are_counted_in_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy("float32")
    small = np.float32([[[[0, 0, 0], [1, 1, 1]]]])  # exact in bfloat16
    restored = model([small, np.zeros((1, 1, 600, 2), "float32")])
    np.testing.assert_allclose(restored, tf.image.resize(small, (1, 600)), rtol=0, atol=1e-6)
