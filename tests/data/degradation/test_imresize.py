"""resize against MATLAB's definition, as a dense oracle, and its properties."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.data.degradation import imresize
from srexp.data.degradation.imresize import enlarged_rows, resize
from srexp.errors import RequestError

SCALES = [Fraction(1, s) for s in range(1, 9)] + [Fraction(s) for s in range(1, 5)] + [Fraction(2, 3), Fraction(7, 5)]
SIDES = st.integers(1, 40)


def matlab_weights(length: int, scale: float) -> np.ndarray:
    """Write MATLAB's `contributions` down literally, one output pixel after the other, in float64."""

    def kernel(x):
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    shrink = min(scale, 1.0)
    width = 4 / shrink
    out = math.ceil(scale * length - 1e-9)
    mirror = [*range(length), *reversed(range(length))]
    weights = np.zeros((out, length))
    for x in range(1, out + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - width / 2)
        for index in range(left, left + math.ceil(width) + 2):
            weights[x - 1, mirror[(index - 1) % (2 * length)]] += shrink * kernel(shrink * (u - index))
    return weights / weights.sum(axis=1, keepdims=True)


def image(height, width, channels=1, seed=0):
    return np.random.default_rng(seed).random((height, width, channels), dtype=np.float32)


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (5, 6), (31, 24)])
def test_equals_matlab(scale, shape):
    high = image(*shape, channels=3)
    rows, columns = (matlab_weights(side, float(scale)) for side in shape)
    expected = np.stack(
        [rows @ channel @ columns.T for channel in np.moveaxis(high, -1, 0).astype(np.float64)], axis=-1
    )
    got = resize(high, scale=scale)
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_known_weights_of_factor_two():
    impulse = np.zeros((1, 16, 1))
    impulse[0, 8] = 1
    # Keys' kernel at 0.25, 0.75, 1.25, 1.75 of a pixel of the output, halved.
    np.testing.assert_allclose(resize(impulse, scale=1 / 2).ravel() * 256, [0, 0, -3, 29, 111, -9, 0, 0], atol=1e-4)


def test_a_float_scale_means_the_fraction():
    high = image(30, 33)
    np.testing.assert_array_equal(resize(high, scale=1 / 3), resize(high, scale=Fraction(1, 3)))
    assert resize(high, scale=0.1).shape == (3, 4, 1)
    assert resize(high, scale=1.4).shape == (42, 47, 1)
    assert resize(image(194, 1), scale=1 / 97).shape == (2, 1, 1)


@given(SIDES, st.integers(1, 4), st.data())
@settings(max_examples=60, deadline=None)
def test_rows_alone_are_the_same_to_the_last_bit(height, scale, data):
    low = image(height, 5, channels=3)
    start, stop = sorted((data.draw(st.integers(0, height * scale - 1)), data.draw(st.integers(1, height * scale))))
    rows = slice(start, max(stop, start + 1))
    np.testing.assert_array_equal(enlarged_rows(low, scale, rows), resize(low, scale=scale)[rows])


def test_rows_alone_are_made_of_no_more_than_they_reach(monkeypatch):
    """Two of the input, and the two on either side that cubic interpolation takes."""
    seen = []
    monkeypatch.setattr(imresize, "resize", lambda low, scale: seen.append(low.copy()) or resize(low, scale=scale))
    low = image(100, 5)
    enlarged_rows(low, 3, slice(30, 36))
    enlarged_rows(low, 3, slice(31, 34))
    for each in seen:
        np.testing.assert_array_equal(each, low[8:14])


@given(SIDES, SIDES, st.sampled_from(SCALES), st.floats(0, 1, width=32))
@settings(max_examples=60, deadline=None)
def test_constants_stay_constant(height, width, scale, value):
    flat = np.full((height, width, 1), value, np.float32)
    np.testing.assert_allclose(resize(flat, scale=scale), value, atol=1e-6)


@given(SIDES, SIDES, st.sampled_from(SCALES), st.floats(-2, 2), st.floats(-2, 2))
@settings(max_examples=60, deadline=None)
def test_linear(height, width, scale, a, b):
    one, other = image(height, width, seed=1), image(height, width, seed=2)
    mixed = resize(a * one + b * other, scale=scale)
    np.testing.assert_allclose(mixed, a * resize(one, scale=scale) + b * resize(other, scale=scale), atol=5e-6)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_reduction_by_a_divisor_keeps_the_mean(rows, columns, factor):
    high = image(rows * factor, columns * factor)
    low = resize(high, scale=Fraction(1, factor))
    assert low.mean(dtype=np.float64) == pytest.approx(high.mean(dtype=np.float64), abs=1e-6)


@given(st.integers(2, 8))
@settings(max_examples=7, deadline=None)
def test_reduction_adds_no_energy(factor):
    noise = image(24 * factor, 24 * factor) - 0.5
    low = resize(noise, scale=Fraction(1, factor))
    # White noise spread over factor^2 pixels: the kernel's squared weights sum to less than one per axis and factor.
    assert low.var() < noise.var() / factor**2 * 1.1


@given(st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(1, 4), Fraction(2)]))
@settings(max_examples=8, deadline=None)
def test_symmetric(scale):
    high = image(24, 36)
    low = resize(high, scale=scale)
    np.testing.assert_allclose(resize(high[::-1, ::-1], scale=scale), low[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(resize(high.swapaxes(0, 1), scale=scale), low.swapaxes(0, 1), atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_region_gives_the_bits_of_the_whole(factor):
    high = image(40 * factor, 50 * factor)
    low = resize(high, scale=Fraction(1, factor))
    part = resize(high[10 * factor : 30 * factor, 20 * factor : 45 * factor], scale=Fraction(1, factor))
    np.testing.assert_array_equal(part[2:-2, 2:-2], low[12:28, 22:43])


@pytest.mark.parametrize(
    ("array", "arguments", "named"),
    [
        (np.ones((4, 4)), {"scale": 2}, "one image"),
        (np.ones((0, 4, 1)), {"scale": 2}, "not empty"),
        (np.ones((4, 0, 1)), {"scale": 2}, "not empty"),
        (np.ones((4, 4, 0)), {"scale": 2}, "not empty"),
        (np.ones((1, 4, 4, 1)), {"scale": 2}, "one image"),
        (np.ones((4, 4, 1)), {"scale": -0.5}, "above 0"),
        (np.ones((4, 4, 1)), {"scale": 0}, "above 0"),
    ],
)
def test_refuses(array, arguments, named):
    with pytest.raises(RequestError, match=named):
        resize(array, **arguments)


@pytest.mark.realdata
@pytest.mark.parametrize(("scale", "psnr", "ssim"), [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)])
def test_set5_bicubic_rows(real_data, scale, psnr, ssim):
    from PIL import Image
    from skimage.metrics import structural_similarity

    def grey_levels(pixels):
        return np.clip(np.floor(pixels + 0.5), 0, 255)

    rows = []
    for path in sorted((real_data / "sr" / "Set5").glob("*.bmp")):
        colour = np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)
        height, width = (side - side % scale for side in colour.shape[:2])
        luma = grey_levels(16 + colour[:height, :width] / 255 @ [[65.481], [128.553], [24.966]])
        low = grey_levels(resize(luma, scale=Fraction(1, scale)))
        restored = grey_levels(resize(low, scale=scale))
        a, b = (x[scale:-scale, scale:-scale, 0].astype(np.float64) for x in (luma, restored))
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
        rows.append((10 * np.log10(255**2 / np.mean((a - b) ** 2)), structural_similarity(a, b, **options)))
    assert len(rows) == 5
    mean = np.mean(rows, axis=0)
    assert mean[0] == pytest.approx(psnr, abs=0.01)
    assert mean[1] == pytest.approx(ssim, abs=0.0005)
