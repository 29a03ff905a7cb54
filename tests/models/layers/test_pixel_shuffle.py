"""Pixel shuffle against PyTorch's definition, written as reshaping."""

import keras
import numpy as np
import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.evaluation.cost import cost
from srexp.models.layers.pixel_shuffle import pixel_shuffle


def network(scale: int, channels: int, features: int | None = None) -> keras.Model:
    low = keras.Input((None, None, features or channels * scale**2))
    return keras.Model(low, pixel_shuffle(low, scale, channels, name="shuffle"))


@pytest.mark.parametrize(("scale", "channels"), [(1, 3), (2, 1), (2, 3), (3, 3), (4, 1), (4, 2)])
def test_the_order_is_pytorchs(scale: int, channels: int) -> None:
    model = network(scale, channels)
    for height, width in [(1, 1), (5, 3)]:
        features = np.random.default_rng(scale).random((2, height, width, channels * scale**2), dtype=np.float32)
        squares = features.reshape(2, height, width, channels, scale, scale)
        expected = squares.transpose(0, 1, 4, 2, 5, 3).reshape(2, height * scale, width * scale, channels)
        np.testing.assert_array_equal(model(features), expected)


def test_its_numbers_are_fixed_and_counted_nowhere(tmp_path) -> None:
    model = network(2, 3)
    assert model.trainable_weights == []
    assert (cost(model).parameters, cost(model).multiply_adds) == (0, 0)
    model.save(tmp_path / "shuffle.keras")
    loaded = keras.saving.load_model(tmp_path / "shuffle.keras")
    assert loaded.trainable_weights == []
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_it_looks_no_further_than_its_pixel() -> None:
    found = receptive_field(network(3, 1))
    assert found is not None
    assert (found.radius, found.scale) == (0, 3)


def test_the_image_is_float32_under_every_policy() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network(2, 1)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.outputs[0].dtype == "float32"


def test_features_beyond_the_squares_are_left_out() -> None:
    features = np.random.default_rng(0).random((1, 2, 3, 10), dtype=np.float32)
    np.testing.assert_array_equal(network(3, 1, 10)(features), network(3, 1)(features[..., :9]))
