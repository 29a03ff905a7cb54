"""SPAN's sizes are its authors' in both forms, and both compute the same."""

import numpy as np
import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.models import span
from srexp.models.layers.folding import folded
from tests.models.counts import parameters

FOLDED = {
    (48, 3): [410_700, 417_195, 426_288],
    (52, 3): [481_324, 488_359, 498_208],
    (48, 1): [406_372, 408_537, 411_568],
    (52, 1): [476_636, 478_981, 482_264],
    (28, 1): [139_052, 140_317, 142_088],
}


def test_parameter_counts_are_the_authors_as_trained() -> None:
    assert parameters("span", 3, 2, 3, 4) == [1_824_900, 1_831_395, 1_840_488]


@pytest.mark.parametrize(("width", "channels"), FOLDED)
def test_so_are_those_of_the_folded_form(width: int, channels: int) -> None:
    plain = parameters("span", channels, 2, 3, 4, width=width, form="folded")
    assert plain == FOLDED[width, channels]


def test_the_published_weights_of_28_features_are_as_many() -> None:
    assert parameters("span", 3, 4, width=28, form="folded") == [150_688]


def test_folded_it_computes_the_same() -> None:
    network, rng = span.build(3, 3, width=6, blocks=2), np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    plain = folded(network)
    low = np.random.default_rng(2).random((2, 9, 13, 3), dtype=np.float32)
    expected = np.asarray(network(low))
    assert np.abs(plain(low) - expected).max() < 1e-5 * np.abs(expected).max()
    adopting = span.build(3, 3, width=6, blocks=2, form="folded")
    for layer in plain.layers:  # the form that is built folded has the same
        adopting.get_layer(layer.name).set_weights(layer.get_weights())
    np.testing.assert_array_equal(adopting(low), plain(low))
    sees = [receptive_field(model) for model in (network, plain)]
    assert sees[0] is not None
    assert sees[1] is not None
    assert (sees[0].radius, sees[0].scale) == (sees[1].radius, sees[1].scale) == (9, 3)
