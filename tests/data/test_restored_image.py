"""Restored strips to stored values."""

from __future__ import annotations

import numpy as np
import pytest

from srexp.data.image import Numbers
from srexp.data.restored_image import Restored
from srexp.errors import SrexpError


@pytest.mark.parametrize(
    ("strip", "told"),
    [(np.full((4, 4, 1), np.nan), "not numbers"), (np.zeros((4, 5, 1)), "shape"), (np.zeros((3, 4, 1)), "3 rows")],
)
def test_what_a_broken_model_gives_is_not_written(strip: Numbers, told: str) -> None:
    image = Restored(0, (4, 4, 1), 8, iter([strip.astype(np.float32)]))
    with pytest.raises(SrexpError, match=told):
        image.pixels(8)


def test_values_beyond_the_range_are_clipped_and_halves_go_up() -> None:
    strip = np.array([[[-0.2], [0.5 / 255], [0.5], [1.4]]], np.float32)
    assert Restored(0, (1, 4, 1), 8, iter([strip])).pixels(8).ravel().tolist() == [0, 1, 128, 255]
