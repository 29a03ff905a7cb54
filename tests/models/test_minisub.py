"""What minisub alone keeps; the contract of every network is in test_models.py."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.models import minisub


@pytest.mark.parametrize(
    ("scale", "channels", "count"),
    [
        (2, 1, 10_113),  # 1,664 + 1,040 + 2,320 + 544 + 528 + 2,320 + 544 + 9*4*32+1
        (3, 1, 11_553),
        (4, 1, 13_569),
        (2, 3, 15_619),
        (3, 3, 19_939),
        (4, 3, 25_987),
    ],
)
def test_parameter_count(scale: int, channels: int, count: int) -> None:
    model = minisub.build(scale, channels)
    assert model.count_params() == count
    found = receptive_field(model)
    assert found is not None
    assert found.radius == 2 + 1 + 1 + 1


@pytest.mark.parametrize("key", ["wide", "width", "mini"])
def test_sizes_below_one_are_refused_by_name(key: str) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        minisub.build(2, 1, **{key: 0})
