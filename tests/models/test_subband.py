"""What subband alone keeps; the contract of every network is in test_models.py."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.evaluation.cost import cost
from srexp.models import subband
from tests.models.counts import parameters


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("channels", "counts"),
    [
        (1, [231_620, 234_505, 238_544]),  # at x2: 320 + 896, 6 stages of 37,152, 3 crosses of 2,112, 289 + 867
        (3, [236_236, 244_891, 257_008]),
    ],
)
def test_parameter_counts(channels: int, counts: list[int]) -> None:
    assert parameters("subband", channels, 2, 3, 4) == counts


def test_it_sees_22_pixels_through_the_squares_of_the_enlarged_image() -> None:
    found = receptive_field(subband.build(3, 1, width=2, groups=1))
    assert found is not None
    assert (found.radius, found.scale) == (2 + 1 + 3 * 3 * 2 + 1, 3)


def test_one_group_and_one_stream_are_built_alike() -> None:
    assert cost(subband.build(2, 1, groups=1, width=4, stages=1, units=1)).parameters == 1_004
    alone = subband.build(1, 1, width=4)
    assert not [layer.name for layer in alone.layers if "detail" in layer.name or "cross" in layer.name]


@pytest.mark.parametrize("key", ["width", "groups", "stages", "units"])
def test_sizes_below_one_are_refused_by_name(key: str) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        subband.build(2, 1, **{key: 0})


def test_groups_must_divide_the_features() -> None:
    with pytest.raises(RequestError, match=r"model.width can't be divided(?s:.*)model.width=30"):
        subband.build(2, 1, width=32, groups=5)
