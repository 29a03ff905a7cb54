"""The residual block: what it computes, and that it hands its input through at first."""

import keras
import numpy as np

from srexp.models.layers.residual import residual_block

IMAGE = np.random.default_rng(1).normal(size=(1, 5, 6, 4)).astype(np.float32)


def test_it_hands_its_input_through_at_first() -> None:
    features = keras.Input((None, None, 4))
    model = keras.Model(features, residual_block(features, name="block"))
    np.testing.assert_array_equal(model(IMAGE), IMAGE)
    assert [layer.name for layer in model.layers[1:]] == ["blocka", "blockb", "block"]
    assert model.count_params() == 2 * (9 * 4 * 4 + 4)


def test_it_adds_what_activation_and_attention_make_of_its_convolutions() -> None:
    features = keras.Input((None, None, 4))
    out = residual_block(
        features,
        name="block",
        activate=keras.layers.Activation("tanh"),
        ending="he_normal",
        attend=keras.layers.Rescaling(0.5),
    )
    model = keras.Model(features, out)
    first, second = model.get_layer("blocka"), model.get_layer("blockb")
    expected = IMAGE + np.asarray(second(np.tanh(first(IMAGE)))) / 2
    np.testing.assert_allclose(model(IMAGE), expected, rtol=0, atol=1e-6)
