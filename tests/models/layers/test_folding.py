"""Branches restore what the convolution restores that they fold to, at the border, too."""

import keras
import numpy as np
import pytest
from keras import layers

from srexp.models.layers.folding import branched, folded


def branches(padded: keras.KerasTensor) -> keras.KerasTensor:
    wide = layers.Conv2D(6, 1, bias_initializer="ones")(padded)
    edges = layers.DepthwiseConv2D(3, use_bias=False, trainable=False)(layers.Conv2D(5, 1)(padded))
    return layers.Add()([layers.Conv2D(5, 3)(padded), layers.Conv2D(5, 3, bias_initializer="ones")(wide), edges])


def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    low = keras.Input((None, None, 2), name="low")
    features = layers.ReLU(name="rectified")(branched(low, branches, name="first"))
    return keras.Model(low, layers.Conv2D(1, 3, padding="same", name="last")(features), name="mine")


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (9, 11)])
def test_one_convolution_restores_the_same(size: tuple[int, int]) -> None:
    trained = network()
    plain = folded(trained)
    low = np.random.default_rng(0).random((1, *size, 2), dtype=np.float32)
    np.testing.assert_allclose(plain(low), trained(low), rtol=0, atol=2e-6)


def test_what_is_left_is_plain() -> None:
    plain = folded(network())
    assert plain.name == "mine"
    assert [layer.name for layer in plain.layers] == ["low", "first", "rectified", "last"]
    assert plain.count_params() == (9 * 2 * 5 + 5) + (9 * 5 * 1 + 1)


def test_branches_are_found_in_a_network_that_was_saved(tmp_path) -> None:
    trained = network()
    trained.save(tmp_path / "mine.keras")
    again = folded(keras.saving.load_model(tmp_path / "mine.keras"))
    for one, other in zip(again.get_weights(), folded(trained).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_without_branches_stays_itself() -> None:
    plain = folded(network())
    assert folded(plain) is plain
