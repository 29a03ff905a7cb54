"""EDSR's sizes are its authors', and colours keep their mean."""

import numpy as np
import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.models import edsr
from srexp.models.layers.grey_levels import MEAN
from tests.models.counts import parameters


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("channels", "counts"), [(3, [1_369_859, 1_554_499, 1_517_571]), (1, [1_367_553, 1_552_193, 1_515_265])]
)
def test_parameter_counts_are_the_authors(channels: int, counts: list[int]) -> None:
    assert parameters("edsr", channels, 2, 3, 4) == counts


@pytest.mark.slow  # 40 million weights, six times
@pytest.mark.parametrize(
    ("channels", "counts"), [(3, [40_729_603, 43_680_003, 43_089_923]), (1, [40_720_385, 43_670_785, 43_080_705])]
)
def test_so_are_those_of_the_full_size(channels: int, counts: list[int]) -> None:
    assert parameters("edsr", channels, 2, 3, 4, width=256, blocks=32, share=0.1) == counts


def test_it_looks_as_far_as_its_convolutions_reach() -> None:
    sees = receptive_field(edsr.build(2, 1, width=4))
    assert sees is not None
    assert (sees.radius, sees.scale) == (36, 2)


def test_without_weights_the_mean_is_left() -> None:
    network = edsr.build(2, 3, width=4, blocks=1)
    for weight in network.trainable_weights:
        weight.assign(np.zeros(weight.shape))
    np.testing.assert_allclose(network(np.ones((1, 2, 3, 3)))[0, 0, 0], MEAN, rtol=1e-6)
