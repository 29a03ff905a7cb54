"""ESPCN: the parameters of the paper, and of the weights that its successors compare with."""

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.evaluation.cost import cost
from tests.networks import built


@pytest.mark.parametrize(("channels", "counts"), [(1, (21_284, 22_729, 24_752)), (3, (26_796, 31_131, 37_200))])
def test_parameter_counts_are_the_published_ones(channels: int, counts: tuple[int, ...]) -> None:
    assert tuple(cost(built("espcn", scale, channels)).parameters for scale in (2, 3, 4)) == counts


def test_a_sigmoid_keeps_the_image_in_range() -> None:
    network = built("espcn", 2, 1, end="sigmoid")
    linear = built("espcn", 2, 1)
    for model in (network, linear):
        *_, last = (layer for layer in model.layers if layer.name == "conv3")
        last.bias.assign(np.full(4, 9, np.float32))
    low = np.random.default_rng(0).random((1, 5, 6, 1), dtype=np.float32)
    assert 0.9 < np.asarray(network(low)).min() <= np.asarray(network(low)).max() <= 1
    assert np.asarray(linear(low)).max() > 1


@pytest.mark.parametrize("filters", [[64], [64, 0], [64, 32, 16]])
def test_other_lists_are_refused(filters: list[int]) -> None:
    with pytest.raises(RequestError, match="filters doesn't describe ESPCN"):
        built("espcn", 2, 1, filters=filters)
