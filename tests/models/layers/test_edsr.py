"""EDSR's parts: what a block adds, the stages of an enlargement."""

import keras
import numpy as np
import pytest

from srexp.models.layers.edsr import enlarged, scaled_block


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_a_block_adds_its_share(share: float) -> None:
    features = keras.Input((None, None, 1))
    model = keras.Model(features, scaled_block(features, kernel=1, share=share, name="body.0"))
    for layer, weights in (("body.0.body.0", (2.0, -1.0)), ("body.0.body.2", (3.0, 0.5))):
        model.get_layer(layer).set_weights([np.full((1, 1, 1, 1), weights[0]), np.array(weights[1:])])
    value = np.array([[[[2.0]]]], np.float32)
    assert np.asarray(model(value)).item() == pytest.approx(2 + share * (3 * (2 * 2 - 1) + 0.5))


@pytest.mark.parametrize(("scale", "convolutions"), [(2, [16]), (3, [36]), (4, [16, 16]), (5, [100]), (8, [16] * 3)])
def test_powers_of_two_are_reached_in_stages(scale: int, convolutions: list[int]) -> None:
    features = keras.Input((None, None, 4))
    model = keras.Model(features, enlarged(features, scale, name="tail.0"))
    assert [layer.filters for layer in model.layers if type(layer) is keras.layers.Conv2D] == convolutions
    assert model(np.zeros((1, 3, 2, 4), np.float32)).shape == (1, 3 * scale, 2 * scale, 4)
    assert enlarged(features, 1, name="tail.0") is features
