"""Bicubic inside the network against an interpolation written from Keys's formula."""

import numpy as np
import pytest

from srexp.models import bicubic


def keys(distance: np.ndarray) -> np.ndarray:
    """Cubic convolution kernel with a = -0.5 (Keys 1981, equation 15)."""
    x = np.abs(distance)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def enlargement(size: int, scale: int) -> np.ndarray:
    """Matrix (size * scale, size) that enlarges a row, pixel centres aligned at half a pixel."""
    centres = (np.arange(size * scale) + 0.5) / scale - 0.5
    return keys(centres[:, None] - np.arange(size))


@pytest.mark.parametrize(("scale", "tolerance"), [(2, 1e-6), (3, 1e-3), (4, 1e-6)])
def test_equals_cubic_convolution_inside(scale: int, tolerance: float) -> None:
    # TensorFlow looks the kernel up in a table of 1,024 entries, which has no exact thirds.
    low = np.random.default_rng(3).random((12, 17), dtype=np.float32)
    expected = enlargement(12, scale) @ low @ enlargement(17, scale).T
    restored = np.asarray(bicubic.build(scale, 1)(low[None, ..., None]))[0, ..., 0]
    inside = slice(2 * scale, -2 * scale)  # nearer to the border, TensorFlow shortens the kernel
    np.testing.assert_allclose(restored[inside, inside], expected[inside, inside], rtol=0, atol=tolerance)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_constant_images_stay_constant(scale: int) -> None:
    low = np.full((1, 6, 5, 3), 0.37, np.float32)
    np.testing.assert_allclose(bicubic.build(scale, 3)(low), np.float32(0.37), rtol=1e-6)


def test_scale_one_gives_the_input_back() -> None:
    low = np.random.default_rng(3).random((2, 5, 4, 1), dtype=np.float32)
    np.testing.assert_array_equal(bicubic.build(1, 1)(low), low)
