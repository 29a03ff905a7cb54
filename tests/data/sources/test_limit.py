"""Some of the images: of as many patients as possible, and from each split alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.data.sources.limit import spread
from srexp.data.sources.source import Item
from srexp.errors import RequestError

ITEMS = [Item(f"{patient}{n}", Path(), n, patient) for patient in "abc" for n in range(3)]


@pytest.mark.parametrize(
    ("limit", "keys"),
    [(1, ["a0"]), (3, ["a0", "b0", "c0"]), (4, ["a0", "a1", "b0", "c0"]), (99, [item.key for item in ITEMS])],
)
def test_each_patient_gives_one_before_any_gives_two(limit: int, keys: list[str]) -> None:
    assert [item.key for item in spread(ITEMS, limit)] == keys


def test_splits_take_turns() -> None:
    fixed = [Item(f"{split}{n}", Path(), 0, f"{split}{n}", split) for split in ("train", "test") for n in range(5)]
    assert [item.key for item in spread(fixed, 4)] == ["train0", "train1", "test0", "test1"]


def test_without_a_limit_all_stay_and_none_at_all_is_refused() -> None:
    assert spread(ITEMS, None) == ITEMS
    with pytest.raises(RequestError, match=r"dataset\.limit is not positive"):
        spread(ITEMS, 0)
