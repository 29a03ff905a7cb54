"""MS-SSIM against TensorFlow and against the paper's equation written out with SciPy and scikit-image."""

import math

import numpy as np
import pytest
from scipy.signal import correlate2d
from skimage.measure import block_reduce

from srexp.errors import RequestError
from srexp.metrics.ms_ssim import SMALLEST, WEIGHTS, ms_ssim

SIZES = [(176, 176), (200, 231), (353, 180)]


def pair(seed, shape, top=255):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, top + 1, (shape[0] // 8 + 1, shape[1] // 8 + 1, *shape[2:]))
    high = coarse.repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]].astype(np.float64)
    restored = np.clip(np.rint(high + rng.normal(0, top * rng.uniform(0.01, 0.3), high.shape)), 0, top)
    return restored, high


def by_the_paper(x, y, top):
    """Equation 7, over the windows that lie inside the image, with the luminance of the coarsest scale."""
    axis = np.arange(11) - 5
    line = np.exp(-(axis**2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    c1, c2 = (0.01 * top) ** 2, (0.03 * top) ** 2
    product = 1.0
    for number, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mx, my, xx, yy, xy = (correlate2d(image, window, mode="valid") for image in (x, y, x * x, y * y, x * y))
        similarity = (2 * (xy - mx * my) + c2) / (xx - mx**2 + yy - my**2 + c2)
        if number == 4:
            similarity = similarity * (2 * mx * my + c1) / (mx**2 + my**2 + c1)
        product *= similarity.mean() ** weight
        x, y = (np.pad(image, [(0, side % 2) for side in image.shape], mode="symmetric") for image in (x, y))
        x, y = (block_reduce(image, (2, 2), np.mean) for image in (x, y))
    return product


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("top", [255, 4095, 65535])
def test_agrees_with_the_paper(shape, top):
    restored, high = pair(1, shape, top)
    assert ms_ssim(restored, high, max_value=top) == pytest.approx(by_the_paper(restored, high, top), abs=1e-9)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_tensorflow(shape, channels, seed):
    import tensorflow as tf

    restored, high = pair(seed, (*shape, channels), top=1)
    images = [tf.constant(image[np.newaxis], tf.float32) for image in (restored, high)]
    expected = float(tf.image.ssim_multiscale(*images, max_val=1.0)[0])
    assert ms_ssim(restored, high, max_value=1) == pytest.approx(expected, abs=1e-5)  # it computes in float32


def test_averages_the_channels_and_takes_two_axes():
    restored, high = pair(2, (180, 190, 3))
    apart = [ms_ssim(restored[..., c], high[..., c], max_value=255) for c in range(3)]
    assert ms_ssim(restored, high, max_value=255) == pytest.approx(np.mean(apart), abs=1e-12)


def test_sees_detail_less_than_ssim_does():
    from srexp.metrics.ssim import ssim

    high = pair(3, (200, 200))[1]
    restored = high + np.where(np.indices(high.shape).sum(0) % 2, 8.0, -8.0)
    assert ssim(restored, high, max_value=255) < ms_ssim(restored, high, max_value=255) < 1


def test_opposite_images_have_none_of_it():
    high = pair(4, (200, 200))[1]
    assert ms_ssim(255 - high, high, max_value=255) == 0


def test_constant_images_by_hand():
    # No contrast: only the luminance of the last scale is left, (2 a b + C1) / (a^2 + b^2 + C1), to its exponent.
    a, b = np.full((176, 176), 100.0), np.full((176, 176), 110.0)
    luminance = (22000 + 6.5025) / (22100 + 6.5025)
    assert ms_ssim(a, b, max_value=255) == pytest.approx(luminance ** WEIGHTS[-1], abs=1e-9)
    assert ms_ssim(a, a, max_value=255) == 1


@pytest.mark.parametrize("shape", [(SMALLEST - 1, 400), (400, SMALLEST - 1, 3), (11, 11)])
def test_an_image_without_five_scales_has_no_value(shape):
    image = np.zeros(shape)
    assert ms_ssim(image, image, max_value=255) is None
    assert SMALLEST == 176


def test_refuses_shapes_that_differ_and_no_range():
    with pytest.raises(RequestError, match=r"restored \(200, 200\), target \(200, 201\)"):
        ms_ssim(np.zeros((200, 200)), np.zeros((200, 201)), max_value=255)
    for bad in (0, -1, math.nan):
        with pytest.raises(RequestError, match=r"^MS-SSIM needs a positive data range"):
            ms_ssim(np.zeros((200, 200)), np.zeros((200, 200)), max_value=bad)
