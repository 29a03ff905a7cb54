"""Frequency bands: they add up to the whole, and a wave lies where its frequency says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.errors import RequestError
from srexp.metrics.frequency_psnr import BANDS, band_mse, band_psnr
from srexp.metrics.psnr import psnr

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))


def pair(seed, shape):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, shape).astype(float), rng.integers(0, 256, shape).astype(float)


@given(st.integers(0, 2**32 - 1), shapes)
@settings(max_examples=60)
def test_bands_add_up_to_the_mean_squared_error(seed, shape):
    restored, high = pair(seed, shape)
    mse = np.mean((restored - high) ** 2)
    assert sum(band_mse(restored, high).values()) == pytest.approx(mse, rel=1e-12)


@pytest.mark.parametrize("size", [(64, 64), (63, 64), (64, 63), (63, 61)])
def test_agrees_with_a_full_transform(size):
    restored, high = pair(0, size)
    power = np.abs(np.fft.fft2(restored - high)) ** 2 / (size[0] * size[1]) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(size[0]), np.fft.fftfreq(size[1]), indexing="ij")) / 0.5
    expected = [power[(radius >= low) & (radius < top)].sum() for low, top in ((0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 9))]
    assert list(band_mse(restored, high).values()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("down", "right", "band"),
    [
        (0, 0, "coarse"),
        (7, 7, "coarse"),  # radius 9.9 of 32
        (0, 11, "medium"),
        (15, 14, "medium"),
        (0, 22, "fine"),
        (0, 32, "fine"),
        (16, 16, "fine"),
        (32, 32, "fine"),  # the corner, beyond Nyquist's frequency of either axis
    ],
)
def test_a_wave_lies_in_its_band(down, right, band):
    rows, columns = np.indices((64, 64))
    wave = 5 * np.cos(2 * np.pi * (down * rows + right * columns) / 64)
    high = np.full((64, 64), 100.0)
    found = band_psnr(high + wave, high, max_value=255)
    assert found[band] == pytest.approx(psnr(high + wave, high, max_value=255), abs=1e-9)
    assert [found[other] for other in BANDS if other != band] == [math.inf, math.inf]


@given(st.integers(0, 2**32 - 1), shapes)
@settings(max_examples=30)
def test_no_band_is_worse_than_the_whole(seed, shape):
    restored, high = pair(seed, shape)
    assert min(band_psnr(restored, high, max_value=255).values()) >= psnr(restored, high, max_value=255) - 1e-9


def test_identical_images_have_infinite_bands():
    image = pair(0, (20, 20, 1))[0]
    assert set(band_psnr(image, image, max_value=255).values()) == {math.inf}


def test_refuses_what_cannot_be_compared():
    with pytest.raises(RequestError, match=r"restored \(4, 4, 1\), target \(4, 5, 1\)"):
        band_psnr(np.zeros((4, 4, 1)), np.zeros((4, 5, 1)), max_value=255)
    with pytest.raises(RequestError, match=r"^PSNR by frequency needs[\s\S]*not empty"):
        band_mse(np.zeros((0, 4, 1)), np.zeros((0, 4, 1)))
    with pytest.raises(RequestError, match=r"^PSNR by frequency needs a positive data range"):
        band_psnr(np.zeros((4, 4, 1)), np.zeros((4, 4, 1)), max_value=-1)
