"""The energy of detail against the Haar transform, as a matrix and as filters, and against its definition by means."""

import math

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import uniform_filter
from scipy.signal import convolve2d

from srexp.errors import RequestError
from srexp.metrics.detail_energy import detail_energy
from tests.metrics.oracles import CASES, pair

HAAR = np.array([[1, 1], [1, -1]]) / math.sqrt(2)


def by_the_transform(image):
    """Detail bands of the orthonormal Haar transform of each 2 x 2 pixels."""
    blocks = sliding_window_view(image, (2, 2))
    bands = (HAAR @ blocks @ HAAR.T).reshape(*blocks.shape[:2], 4)
    return np.sum(bands[..., 1:] ** 2)


def by_the_means(image):
    """Four times the variance of each 2 x 2 pixels."""
    mean, square = (uniform_filter(values, 2)[1:, 1:] for values in (image, image**2))
    return 4 * np.sum(square - mean**2)


def by_band_filters(image):
    bands = [[[1, 1], [-1, -1]], [[1, -1], [1, -1]], [[1, -1], [-1, 1]]]
    return sum(np.sum(convolve2d(image, np.array(band) / 2, mode="valid") ** 2) for band in bands)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("oracle", [by_the_transform, by_the_means, by_band_filters])
def test_agrees_with_others(case, oracle):
    restored, high = pair(case)
    expected = oracle(restored) / oracle(high)
    assert detail_energy(restored, high, max_value=255) == pytest.approx(expected, rel=1e-9)


def test_below_one_is_smooth_and_above_one_is_invented():
    _, high = pair("noise")
    noise = np.random.default_rng(0).normal(0, 10, high.shape)
    assert detail_energy(uniform_filter(high, 3), high, max_value=255) < 0.8
    assert detail_energy(high, high, max_value=255) == 1
    assert detail_energy(high + noise, high, max_value=255) > 1.2
    assert detail_energy(high + 20, high, max_value=255) == 1


def test_sums_over_channels_and_knows_no_range():
    (a, b), ramp = pair("noise"), np.indices((64, 64)).sum(0) * 1.0
    expected = (by_the_means(a) + by_the_means(ramp)) / (by_the_means(b) + by_the_means(ramp))
    images = np.stack([a, ramp], axis=-1), np.stack([b, ramp], axis=-1)
    assert detail_energy(*images, max_value=255) == pytest.approx(expected, rel=1e-9)
    assert detail_energy(*images, max_value=4095) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(12, 12), (1, 1), (5, 1, 3)])
def test_a_target_without_detail_has_no_value(shape):
    flat = np.full(shape, 100.1)
    assert detail_energy(flat, flat, max_value=255) is None


def test_refuses_shapes_that_differ_and_no_range():
    with pytest.raises(RequestError, match=r"^energy of detail needs two images of one size[\s\S]*\(20, 21\)"):
        detail_energy(np.zeros((20, 20)), np.zeros((20, 21)), max_value=255)
    with pytest.raises(RequestError, match=r"^energy of detail needs a positive data range"):
        detail_energy(np.zeros((20, 20)), np.zeros((20, 20)), max_value=-1)
