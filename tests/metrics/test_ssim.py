"""SSIM against scikit-image and against the paper's equation written out with SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d
from skimage.metrics import structural_similarity

from srexp.errors import RequestError
from srexp.metrics.ssim import WINDOW, ssim


def by_the_paper(x, y, max_value):
    """Wang et al. 2004, equations 13 to 17, over the windows that lie inside the image."""
    axis = np.arange(11) - 5
    line = np.exp(-(axis**2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()

    def mean(image):
        return correlate2d(image, window, mode="valid")

    x, y = x.astype(np.float64), y.astype(np.float64)
    c1, c2 = (0.01 * max_value) ** 2, (0.03 * max_value) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return float(np.mean((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def noisy_pair(seed, dtype=np.uint8, shape=(37, 53, 1)):
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    high = rng.integers(0, top + 1, shape, dtype=dtype)
    noise = rng.normal(0, top * rng.uniform(0.001, 0.3), shape)
    return np.clip(np.rint(high + noise), 0, top).astype(dtype), high, top


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_image(dtype, channels, seed):
    restored, high, top = noisy_pair(seed, dtype, (37, 53, channels))
    expected = structural_similarity(
        restored,
        high,
        data_range=top,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        K1=0.01,
        K2=0.03,
    )
    assert ssim(restored, high, max_value=top) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_paper(dtype, seed):
    restored, high, top = noisy_pair(seed, dtype)
    expected = by_the_paper(restored[..., 0], high[..., 0], top)
    assert ssim(restored, high, max_value=top) == pytest.approx(expected, abs=1e-6)


def test_averages_the_channels():
    restored, high, top = noisy_pair(3, shape=(20, 30, 3))
    apart = [ssim(restored[..., [c]], high[..., [c]], max_value=top) for c in range(3)]
    assert ssim(restored, high, max_value=top) == pytest.approx(np.mean(apart), abs=1e-12)


def test_two_axes_are_one_channel():
    restored, high, top = noisy_pair(4)
    assert ssim(restored[..., 0], high[..., 0], max_value=top) == ssim(restored, high, max_value=top)


def test_constant_images_by_hand():
    # Without contrast only the luminance term is left: (2 a b + C1) / (a^2 + b^2 + C1), C1 = (0.01 * 255)^2 = 6.5025.
    a, b = np.full((16, 16, 1), 100.0), np.full((16, 16, 1), 110.0)
    assert ssim(a, b, max_value=255) == pytest.approx((22000 + 6.5025) / (22100 + 6.5025), abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(WINDOW, 24), st.integers(WINDOW, 24))
@settings(max_examples=25, deadline=None)
def test_is_symmetric_bounded_and_one_for_identical_images(seed, height, width):
    restored, high, top = noisy_pair(seed, shape=(height, width, 1))
    value = ssim(restored, high, max_value=top)
    assert -1 <= value <= 1
    assert value == pytest.approx(ssim(high, restored, max_value=top), abs=1e-12)
    assert ssim(high, high.copy(), max_value=top) == 1


def test_smallest_image_is_the_window():
    image = np.zeros((WINDOW, WINDOW, 1))
    assert ssim(image, image, max_value=255) == 1


@pytest.mark.parametrize("shape", [(10, 11, 1), (11, 10, 1), (1, 100, 3)])
def test_refuses_an_image_smaller_than_the_window(shape):
    with pytest.raises(RequestError, match=rf"{shape[0]} x {shape[1]} pixels[\s\S]*11 x 11"):
        ssim(np.zeros(shape), np.zeros(shape), max_value=255)


def test_refuses_shapes_that_differ():
    with pytest.raises(RequestError, match=r"restored \(20, 20, 1\), target \(20, 21, 1\)"):
        ssim(np.zeros((20, 20, 1)), np.zeros((20, 21, 1)), max_value=255)


@pytest.mark.parametrize("max_value", [0, -1, math.nan])
def test_refuses_a_range_that_is_not_positive(max_value):
    image = np.zeros((16, 16, 1))
    with pytest.raises(RequestError, match=r"^SSIM needs a positive data range"):
        ssim(image, image, max_value=max_value)
