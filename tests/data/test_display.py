"""Orientation against Pillow's, and sizes of pixels in every unit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageOps

from srexp.data.display import (
    UNIT_MM,
    Display,
    Resolution,
    as_stored,
    orientation_of,
    upright,
    upright_size,
)

PIXELS = np.arange(6, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_as_others_turn_them_and_back(orientation: int) -> None:
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    turned = upright(PIXELS, orientation)
    np.testing.assert_array_equal(turned, expected)
    assert turned.shape == upright_size(2, 3, orientation)
    np.testing.assert_array_equal(as_stored(turned, orientation), PIXELS)


@pytest.mark.parametrize("value", [0, 9, None, "6", b"6", (6,), 6.5])
def test_what_is_no_orientation_turns_nothing(value: object) -> None:
    assert orientation_of(value) == 1


@pytest.mark.parametrize("unit", [None, *sorted(set(UNIT_MM.values()))])
def test_a_resolution_is_the_same_length_in_every_unit(unit: float | None) -> None:
    resolution = Resolution.of((8, (9, 3)), unit)
    assert resolution is not None
    for other in set(UNIT_MM.values()):
        across, down = resolution.per(other)
        assert across / down == pytest.approx(8 / 3)
        if unit:
            assert other / across == pytest.approx(unit / 8)
    pixel = Resolution.of_pixel([1 / 8, 1 / 3], unit)
    assert pixel is not None
    assert (pixel.across, pixel.down) == pytest.approx((8, 3))


@pytest.mark.parametrize("damaged", [0, -1, math.nan, math.inf, (1, 0), (), "", b"\xff", None])
def test_what_is_no_resolution_says_nothing(damaged: object) -> None:
    assert Resolution.of((damaged, 3), 25.4) is None
    assert Resolution.of((3, damaged), 25.4) is None
    assert Resolution.of_pixel((3, damaged), 25.4) is None


def test_a_turned_image_has_its_resolution_along_the_other_axes() -> None:
    display = Display(orientation=6, resolution=Resolution(4, 2, 25.4)).finer(3)
    assert display.resolution == Resolution(12, 6, 25.4)
    assert display.turned() == Display(resolution=Resolution(6, 12, 25.4))
    assert Display(orientation=3, resolution=Resolution(4, 2, 1.0)).turned() == Display(
        resolution=Resolution(4, 2, 1.0)
    )
