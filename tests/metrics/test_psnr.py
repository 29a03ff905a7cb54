"""PSNR against scikit-image and against calculations by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import peak_signal_noise_ratio

from srexp.errors import RequestError
from srexp.metrics.psnr import psnr

images = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_image(dtype, channels, seed):
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    high = rng.integers(0, top + 1, (37, 53, channels), dtype=dtype)
    noise = rng.normal(0, top * 10.0 ** -rng.integers(1, 3), high.shape)
    restored = np.clip(np.rint(high + noise), 0, top).astype(dtype)
    expected = peak_signal_noise_ratio(high, restored, data_range=top)
    assert psnr(restored, high, max_value=top) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("error", "max_value", "decibels"),
    [
        (1, 255, 48.1308036087),  # 20 log10(255)
        (1, 65535, 96.3294660753),
        (255, 255, 0.0),  # black against white
        (0.1, 1.0, 20.0),
        (2, 255, 42.1102036954),
    ],
)
def test_constant_error_by_hand(error, max_value, decibels):
    high = np.zeros((5, 7, 1))
    assert psnr(high + error, high, max_value=max_value) == pytest.approx(decibels, abs=1e-9)


def test_one_wrong_pixel_by_hand():
    high = np.zeros((10, 10, 1), np.uint8)
    restored = high.copy()
    restored[3, 4] = 10  # MSE = 100 / 100 = 1
    assert psnr(restored, high, max_value=255) == pytest.approx(20 * math.log10(255))


def test_unsigned_differences_do_not_wrap():
    low, high = np.full((4, 4, 1), 254, np.uint8), np.full((4, 4, 1), 255, np.uint8)
    assert psnr(low, high, max_value=255) == psnr(high, low, max_value=255) == pytest.approx(48.1308036087)


def test_sixteen_bits_keep_the_precision_of_float64():
    high = np.zeros((1000, 1000, 1), np.uint16)
    restored = high.copy()
    restored[0, 0] = 1  # MSE = 1e-6, lost in a float32 sum of large levels
    assert psnr(restored + 60000, high + 60000, max_value=65535) == pytest.approx(20 * math.log10(65535) + 60)


@given(images)
def test_identical_images_are_infinitely_alike(image):
    assert psnr(image, image.copy(), max_value=255) == math.inf


@given(st.data())
def test_is_symmetric_and_never_nan(data):
    a = data.draw(images)
    b = data.draw(hnp.arrays(np.uint8, a.shape))
    value = psnr(a, b, max_value=255)
    assert value >= 0
    assert value == psnr(b, a, max_value=255)


@given(images, st.integers(1, 60), st.integers(1, 60))
@settings(max_examples=50)
def test_larger_error_scores_lower(image, error, more):
    high = image.astype(np.float64)
    assert psnr(high + error + more, high, max_value=255) < psnr(high + error, high, max_value=255)


@given(images, st.integers(1, 200))
@settings(max_examples=50)
def test_does_not_depend_on_the_unit(image, error):
    high = image.astype(np.float64)
    in_levels = psnr(high + error, high, max_value=255)
    assert psnr((high + error) / 255, high / 255, max_value=1.0) == pytest.approx(in_levels, abs=1e-6)


@pytest.mark.parametrize("other", [(4, 5, 1), (4, 4, 3), (4, 4), (1, 4, 1)])
def test_refuses_shapes_that_differ(other):
    with pytest.raises(RequestError, match=r"restored \(4, 4, 1\), target"):
        psnr(np.zeros((4, 4, 1)), np.zeros(other), max_value=255)


def test_refuses_an_empty_image():
    with pytest.raises(RequestError, match="not empty"):
        psnr(np.zeros((0, 4, 1)), np.zeros((0, 4, 1)), max_value=255)


@pytest.mark.parametrize("max_value", [0, -1, math.nan])
def test_refuses_a_range_that_is_not_positive(max_value):
    with pytest.raises(RequestError, match=r"^PSNR needs a positive data range"):
        psnr(np.zeros((4, 4, 1)), np.ones((4, 4, 1)), max_value=max_value)
