from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

from srexp.data.audit import registration
from srexp.data.audit.registration import shift_of
from srexp.data.degradation.imresize import resize


def scene(seed: int, side: int = 300) -> np.ndarray:
    """Structure on several scales, as in a radiograph."""
    rng = np.random.default_rng(seed)
    layers = [gaussian_filter(rng.normal(size=(side, side)), sigma) * sigma for sigma in (1.5, 4, 12)]
    total = np.sum(layers, axis=0)
    return ((total - total.min()) / np.ptp(total)).astype(np.float32)


def pair(high: np.ndarray, moved_by: tuple[float, float], scale: int) -> tuple[np.ndarray, np.ndarray]:
    inner = slice(30, 30 + 240)
    moved = shift(high, moved_by, order=3, mode="nearest")[inner, inner, None].astype(np.float32)
    return resize(moved, scale=Fraction(1, scale)), high[inner, inner, None]


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("moved_by", [(0.0, 0.0), (1.3, -2.6), (-7.4, 5.2)])
def test_a_known_shift_is_found(scale, moved_by):
    found = shift_of(*pair(scene(scale), moved_by, scale))
    assert found == pytest.approx(moved_by, abs=0.25 * max(scale, 1))


def test_noise_blur_and_another_contrast_do_not_mislead():
    rng = np.random.default_rng(0)
    low, high = pair(scene(7), (3.0, -2.0), 2)
    worse = gaussian_filter(low, (0.7, 0.7, 0)) ** 0.7 * 0.8 + 0.1 + rng.normal(0, 0.02, low.shape)
    assert shift_of(worse.astype(np.float32), high) == pytest.approx((3.0, -2.0), abs=0.75)


@pytest.mark.parametrize(("height", "width"), [(96, 120), (120, 96)])
def test_colours_and_spare_rows_do_not_matter(height, width):
    low, high = (each[: height * n, : width * n] for n, each in enumerate(pair(scene(3), (0.0, 4.0), 2), start=1))
    spare = np.pad(high, ((0, 1), (0, 1), (0, 0)))
    assert shift_of(np.repeat(low, 3, axis=-1), np.repeat(spare, 3, axis=-1)) == pytest.approx((0, 4), abs=0.3)


def test_images_without_structure_are_not_shifted():
    flat = np.full((64, 64, 1), 0.5, np.float32)
    assert shift_of(flat, np.random.default_rng(0).random((128, 128, 1), np.float32)) == (0.0, 0.0)
    assert shift_of(flat[:1, :1], flat[:2, :2]) == (0.0, 0.0)


@pytest.mark.parametrize(("shape", "part"), [((1031, 40, 3), (3, 1027, 0, 40)), ((9, 1024, 1), (0, 9, 0, 1024))])
def test_what_is_compared_is_the_middle_in_grey_fading_towards_the_borders(shape: tuple, part: tuple):
    image = np.random.default_rng(0).random(shape, np.float32)
    top, bottom, left, right = part
    grey = image.astype(float).mean(axis=-1)[top:bottom, left:right]
    rows, columns = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, n + 1) / (n + 1)) for n in grey.shape)
    expected = (grey - grey.mean()) * np.outer(rows, columns)
    np.testing.assert_allclose(registration._windowed(image), expected, atol=1e-6)


@pytest.mark.realdata
def test_radiographs(real_data: Path):
    paths = sorted((real_data / "cxr" / "nih").glob("*.png"))[:3]
    for path in paths:
        image = np.asarray(Image.open(path).convert("L"), np.float32) / 255
        moved = shift(image, (2.5, -1.5), order=3, mode="nearest")[100:740, 100:740, None].astype(np.float32)
        low = resize(moved, scale=Fraction(1, 2))
        assert shift_of(low, image[100:740, 100:740, None]) == pytest.approx((2.5, -1.5), abs=0.5)
