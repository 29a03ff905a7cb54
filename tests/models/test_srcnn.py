"""What SRCNN alone keeps; the contract of every network is in test_models.py."""

import keras
import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.models import srcnn
from srexp.training import numerics
from tests.models.counts import parameters
from tests.networks import built


@pytest.mark.parametrize(
    ("channels", "kernels", "count"),
    [
        (1, [9, 5, 5], 57_281),  # 9*9*64+64 + 5*5*64*32+32 + 5*5*32+1
        (3, [9, 5, 5], 69_251),
        (1, [9, 1, 5], 8_129),
    ],
)
def test_parameter_counts_are_the_papers(channels: int, kernels: list[int], count: int) -> None:
    assert parameters("srcnn", channels, 1, 2, 3, 4, kernels=kernels) == [count] * 4


def test_no_filter_of_srcnn_begins_dead() -> None:
    for name in ("extract", "map"):
        kernel = srcnn.build(2, 1, kernels=[9, 5, 5], filters=[64, 32]).get_layer(name).get_weights()[0]
        assert (np.abs(kernel).sum(axis=(0, 1, 2)) > 0).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_borders_are_no_edges(policy: str) -> None:
    """On a constant image the filters beside the one that copies it see nothing, at the border either."""
    network = numerics.built(policy, lambda: built("srcnn", 1, 1))
    features = keras.Model(network.input, network.get_layer("extract").output)(np.full((1, 9, 12, 1), 0.8, np.float32))
    assert np.abs(features[..., 1:]).max() < 1e-4


@pytest.mark.parametrize(
    ("channels", "given", "named"),
    [
        (1, {"kernels": [9, 4, 5]}, "model.kernels"),
        (1, {"kernels": [9, 5]}, "model.kernels"),
        (1, {"filters": [64]}, "model.filters"),
        (3, {"filters": [64, 2]}, "model.filters"),
    ],
)
def test_other_lists_are_refused(channels: int, given: dict[str, list[int]], named: str) -> None:
    with pytest.raises(RequestError, match=named):
        built("srcnn", 2, channels, **given)
