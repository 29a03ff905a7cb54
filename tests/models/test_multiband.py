"""What multiband alone keeps; the contract of every network is in test_models.py."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.models import multiband
from tests.models.counts import parameters


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("channels", "attention", "counts"),
    [
        (1, True, [217_789, 219_949, 222_973]),  # at x2: 960 + 4 * 20,832 + 2,412 + 4,656 + 3 * 41,568 + 9*4*48+1
        (3, True, [222_975, 229_455, 238_527]),
        (1, False, [215_377, 217_537, 220_561]),
        (3, False, [220_563, 227_043, 236_115]),
    ],
)
def test_parameter_counts(channels: int, attention: bool, counts: list[int]) -> None:
    assert parameters("multiband", channels, 2, 3, 4, attention=attention) == counts


def test_it_is_local_without_attention_alone() -> None:
    assert receptive_field(multiband.build(2, 1, width=4, trunk=4)) is None
    found = receptive_field(multiband.build(2, 1, width=4, trunk=4, attention=False))
    assert found is not None
    assert found.radius == 1 + 2 + 1 + 2 * 2 + 3 * 2 + 1  # smoothed twice, a first layer, blocks, a last layer


@pytest.mark.parametrize("key", ["width", "trunk"])
def test_sizes_below_one_are_refused_by_name(key: str) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        multiband.build(2, 1, **{key: 0})
