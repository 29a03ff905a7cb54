"""ECBSR: what is trained equals what is shipped, and that has the published parameters."""

import numpy as np
import pytest

from srexp.models.layers.folding import folded
from tests.models.counts import parameters
from tests.networks import built, first_quick

COUNTS = {
    (4, 16, 3): (11_548, 13_723, 16_768),
    (4, 16, 1): (10_100, 10_825, 11_840),
    (4, 32, 3): (41_516, 45_851, 51_920),
    (6, 40, 3): (92_372, 97_787, 105_368),
}


@pytest.mark.parametrize(("size", "counts"), first_quick(COUNTS.items()), ids=str)
def test_parameter_counts_are_the_published_ones(size: tuple[int, int, int], counts: tuple[int, ...]) -> None:
    blocks, width, channels = size
    assert tuple(parameters("ecbsr", channels, 2, 3, 4, blocks=blocks, width=width, form="folded")) == counts


@pytest.mark.parametrize(("scale", "channels"), [(2, 3), (3, 1), (4, 1)])
def test_folding_changes_nothing(scale: int, channels: int) -> None:
    rng = np.random.default_rng(scale)
    trained = built("ecbsr", scale, channels, blocks=2)
    for weight in trained.trainable_weights:
        weight.assign_add(rng.normal(0, 0.05, weight.shape))
    low = rng.random((1, 9, 7, channels), dtype=np.float32)
    np.testing.assert_allclose(folded(trained)(low), trained(low), rtol=0, atol=2e-5)


def test_edges_are_found_and_not_trained() -> None:
    trained = built("ecbsr", 2, 1, blocks=1, width=4)
    block = trained.get_layer("backbone.0.0_branches")
    kernels = {layer.name: layer for layer in block.layers}
    ramp = np.arange(3.0)[:, np.newaxis] * np.ones(3)
    for name, gradient in (("across", ramp.T), ("down", ramp), ("round", ramp**2)):
        assert not kernels[name].trainable_weights
        assert abs(np.sum(np.asarray(kernels[name].kernel)[:, :, 0, 0] * gradient)) == {"round": 2}.get(name, 8)
