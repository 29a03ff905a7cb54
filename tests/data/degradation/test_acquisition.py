"""Blur, noise and contrast against what they model."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from srexp.data.degradation.acquisition import Blur, Contrast, Noise, drawn
from srexp.data.degradation.imresize import resize
from tests.data.degradation.images import image, rng


def test_blur_is_a_gaussian_and_takes_energy_away():
    high = image(60, 60)
    blurred = [Blur(sigma=sigma)(high, 1, rng()) for sigma in (0.5, 1.0, 2.0)]
    np.testing.assert_allclose(blurred[1][..., 0], gaussian_filter(high[..., 0], 1.0), atol=1e-6)
    variances = [float(picture.var()) for picture in (high, *blurred)]
    assert variances == sorted(variances, reverse=True)
    # White noise after a Gaussian filter: variance / (4 pi sigma^2).
    assert variances[3] / variances[0] == pytest.approx(1 / (4 * np.pi * 2.0**2), rel=0.15)
    np.testing.assert_allclose(Blur(sigma=1.0)(high, 3, rng()), resize(blurred[1], scale=1 / 3), atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.2, 0.9])
@pytest.mark.parametrize("photons", [100.0, 4000.0])
@pytest.mark.parametrize("scale", [1, 3])
def test_noise_has_the_variance_of_dose_and_read_out(value, photons, scale):
    flat = np.full((300 * scale, 300 * scale, 1), value, np.float32)
    low = Noise(photons=photons, read_noise=0.02)(flat, scale, rng()).astype(np.float64)
    assert low.mean() == pytest.approx(value, abs=0.002)
    assert low.var() == pytest.approx(value / photons + 0.02**2, rel=0.05)
    # Independent from pixel to pixel.
    neighbours = np.corrcoef(low[:, :-1].ravel(), low[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_noise_survives_undershoot():
    edge = np.zeros((16, 16, 1), np.float32)
    edge[:, 8:] = 1
    assert resize(edge, scale=0.5).min() < 0
    assert np.isfinite(Noise()(edge, 2, rng())).all()


def test_contrast_is_the_given_share_of_the_range():
    high = image(8, 8)
    low = Contrast(level=0.5, grey=0.2)(high, 1, rng())
    np.testing.assert_allclose(low, 0.2 + 0.5 * (high - 0.2), atol=1e-6)


def test_strengths_spread_around_the_typical_one():
    source = rng()
    draws = np.array([drawn(3.0, 2.0, source) for _ in range(2000)])
    assert 1.5 <= draws.min() < 1.51
    assert 5.99 < draws.max() <= 6.0
    assert np.median(draws) == pytest.approx(3.0, rel=0.1)
    assert drawn(3.0, 1.0, source) == 3.0
