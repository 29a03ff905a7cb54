"""What edsr_se alone keeps; the contract of every network is in test_models.py."""

import numpy as np
import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.models import edsr_se
from tests.models.counts import parameters


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("channels", "counts"),
    [
        (1, [647_745, 650_625, 654_657]),  # at x2: 640 + 8 * (2 * 36,928 + 2,128) + 36,928 + 9*4*64+1
        (3, [653_507, 662_147, 674_243]),
    ],
)
def test_parameter_counts(channels: int, counts: list[int]) -> None:
    assert parameters("edsr_se", channels, 2, 3, 4) == counts


def test_attention_looks_at_the_whole_image_and_begins_as_none() -> None:
    model = edsr_se.build(2, 1, width=8, blocks=2)
    assert receptive_field(model) is None
    features = np.ones((1, 1, 1, 8), np.float32)
    np.testing.assert_array_equal(model.get_layer("block_1_weigh_excite")(features[..., :2]), features / 2)


@pytest.mark.parametrize("key", ["width", "blocks", "reduction"])
def test_sizes_below_one_are_refused_by_name(key: str) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        edsr_se.build(2, 1, **{key: 0})
