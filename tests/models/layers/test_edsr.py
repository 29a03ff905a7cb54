"""EDSR's parts: what a block adds, the mean of photographs, the stages of an enlargement."""

import keras
import numpy as np
import pytest

from srexp.models.layers.edsr import enlarged, scaled_block, with_mean, without_mean


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_a_block_adds_its_share(share: float) -> None:
    features = keras.Input((None, None, 1))
    model = keras.Model(features, scaled_block(features, kernel=1, share=share, name="body.0"))
    for layer, weights in (("body.0.body.0", (2.0, -1.0)), ("body.0.body.2", (3.0, 0.5))):
        model.get_layer(layer).set_weights([np.full((1, 1, 1, 1), weights[0]), np.array(weights[1:])])
    value = np.array([[[[2.0]]]], np.float32)
    assert np.asarray(model(value)).item() == pytest.approx(2 + share * (3 * (2 * 2 - 1) + 0.5))


def test_the_mean_of_colours_goes_and_comes_back() -> None:
    low = keras.Input((None, None, 3))
    centred = without_mean(low)
    image = np.full((1, 2, 2, 3), 0.5, np.float32)
    np.testing.assert_allclose(keras.Model(low, centred)(image)[0, 0, 0], [0.0512, 0.0629, 0.096], rtol=1e-5)
    np.testing.assert_allclose(keras.Model(low, with_mean(centred))(image), image, rtol=1e-6)
    grey = keras.Input((None, None, 1))
    assert with_mean(without_mean(grey)) is grey


@pytest.mark.parametrize(("scale", "convolutions"), [(2, [16]), (3, [36]), (4, [16, 16]), (5, [100]), (8, [16] * 3)])
def test_powers_of_two_are_reached_in_stages(scale: int, convolutions: list[int]) -> None:
    features = keras.Input((None, None, 4))
    model = keras.Model(features, enlarged(features, scale, name="tail.0"))
    assert [layer.filters for layer in model.layers if type(layer) is keras.layers.Conv2D] == convolutions
    assert model(np.zeros((1, 3, 2, 4), np.float32)).shape == (1, 3 * scale, 2 * scale, 4)
    assert enlarged(features, 1, name="tail.0") is features
