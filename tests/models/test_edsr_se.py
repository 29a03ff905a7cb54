"""What edsr_se alone keeps; the contract of every network is in test_models.py."""

import numpy as np
import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.models import edsr_se


@pytest.mark.parametrize(
    ("scale", "channels", "count"),
    [
        (2, 1, 647_745),  # 640 + 8 * (2 * 36,928 + 2,128) + 36,928 + 9*4*64+1
        (3, 3, 662_147),
        (4, 1, 654_657),
    ],
)
def test_parameter_count(scale: int, channels: int, count: int) -> None:
    assert edsr_se.build(scale, channels).count_params() == count


def test_attention_looks_at_the_whole_image_and_begins_as_none() -> None:
    model = edsr_se.build(2, 1, width=8, blocks=2)
    assert receptive_field(model) is None
    features = np.ones((1, 1, 1, 8), np.float32)
    np.testing.assert_array_equal(model.get_layer("block_1_weigh_excite")(features[..., :2]), features / 2)


@pytest.mark.parametrize("key", ["width", "blocks", "reduction"])
def test_sizes_below_one_are_refused_by_name(key: str) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        edsr_se.build(2, 1, **{key: 0})
