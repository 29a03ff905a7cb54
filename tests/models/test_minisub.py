"""What minisub alone keeps; the contract of every network is in test_models.py."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.models import minisub
from tests.models.counts import parameters


@pytest.mark.parametrize(
    ("channels", "counts"),
    [
        (1, [10_113, 11_553, 13_569]),  # at x2: 1,664 + 1,040 + 2,320 + 544 + 528 + 2,320 + 544 + 9*4*32+1
        (3, [15_619, 19_939, 25_987]),
    ],
)
def test_parameter_counts(channels: int, counts: list[int]) -> None:
    assert parameters("minisub", channels, 2, 3, 4) == counts


def test_it_sees_5_pixels() -> None:
    assert [receptive_field(minisub.build(scale, 1)).radius for scale in (2, 3, 4)] == [2 + 1 + 1 + 1] * 3


@pytest.mark.parametrize("key", ["wide", "width", "mini"])
def test_sizes_below_one_are_refused_by_name(key: str) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        minisub.build(2, 1, **{key: 0})
