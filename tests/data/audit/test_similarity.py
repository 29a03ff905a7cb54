"""A picture is found in a part of itself, and not in another one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from srexp.data.audit import similarity as parts
from srexp.data.audit.similarity import cells, decoded, signature, similarity, thumbnail
from srexp.data.image import stored
from tests.data.audit.textures import textures


@pytest.mark.parametrize("window", [(0.05, 1, 0, 0.95), (0.03, 0.97, 0.03, 0.97), (0, 1, 0, 1)])
def test_similarity_is_found_from_either_side(window: tuple[float, float, float, float]) -> None:
    image, stranger = textures(2, 300)
    top, bottom, left, right = (round(300 * edge) for edge in window)
    whole, part, other = (
        thumbnail(stored(pixels, 8, lossy=False)) for pixels in (image, image[top:bottom, left:right], stranger)
    )
    assert similarity(whole, part) > 0.95
    assert similarity(part, whole) > 0.95
    assert similarity(whole, part, window) > 0.95
    assert similarity(whole, 255 - part) < 0.5
    assert similarity(other, part) < 0.5


def test_a_thumbnail_is_the_means_of_its_cells_in_grey() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (256, 384, 3), np.uint8)
    grey = colours.astype(float) @ [0.299, 0.587, 0.114]
    means = grey.reshape(128, 2, 128, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(thumbnail(stored(colours, 8, lossy=False)), means, atol=0.6)  # grey is rounded
    assert thumbnail(stored(colours, 8, lossy=False)).dtype == np.float32
    small = thumbnail(stored(colours[:4, :6, :1], 8, lossy=False), 2)
    np.testing.assert_allclose(small, colours[:4, :6, 0].reshape(2, 2, 2, 3).mean(axis=(1, 3)), rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "wanted", "part", "expected"),
    [
        (3, 2, (), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]),
        (4, 2, (0.25, 0.75), [[0, 1, 0, 0], [0, 0, 1, 0]]),
        (4, 2, (-0.5, 1.5), [[0.75, 0.25, 0, 0], [0, 0, 0.25, 0.75]]),  # the end pixels go on
        (2, 3, (1.5, 3.0), [[0, 1], [0, 1], [0, 1]]),
        (4, 1, (0.125, 0.75), [[0.2, 0.4, 0.4, 0]]),
    ],
)
def test_cells_weigh_pixels_by_what_they_cover(given: int, wanted: int, part: tuple, expected: list) -> None:
    weights = cells(given, wanted, *part)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32


def unit(image: np.ndarray) -> np.ndarray:
    return decoded([signature(stored(image, 16, lossy=False))])[0] / 255


@pytest.mark.parametrize("span", [400.0, 1.5, 0.5])
def test_a_signature_is_stretched_but_for_its_extremes_and_not_beyond_one_level(span: float) -> None:
    """Of 576 cells five are brighter and five darker than all others, which lie evenly between."""
    cell = np.linspace(1000, 1000 + span, 576)
    cell[:5], cell[-5:] = 0, 5000
    fourths = np.repeat(np.repeat(np.random.default_rng(0).permutation(cell).reshape(24, 24), 4, 0), 4, 1)
    bayer = (np.arange(4)[:, np.newaxis] * 4 + np.arange(4)) / 16  # sixteenths of a level in the mean of a cell
    image = np.floor(fourths + np.tile(bayer, (24, 24))).astype(np.uint16)[..., np.newaxis]
    means = image[..., 0].reshape(24, 4, 24, 4).mean(axis=(1, 3))
    low, high = np.percentile(means, (1, 99))
    assert high - low == pytest.approx(span, abs=0.03 * span + 0.2)
    expected = np.clip((means - low) / (high - low if high - low > 1 else 1.0), 0, 1)
    np.testing.assert_allclose(unit(image), np.rint(255 * expected) / 255, atol=1e-6)


@pytest.mark.parametrize("side", [1024, 1535, 1023, 512])
def test_of_a_large_image_pixels_are_left_out(side: int) -> None:
    image = np.random.default_rng(0).integers(0, 60_000, (side, 1600, 1)).astype(np.uint16)
    step = 2 if side >= 1024 else 1
    np.testing.assert_array_equal(unit(image), unit(image[::step, ::step].copy()))
    other = image.copy()
    other[1::2] = other[:, 1::2] = 0
    assert np.array_equal(unit(image), unit(other)) is (step == 2)


def test_signatures_come_back_in_their_order() -> None:
    images = [np.random.default_rng(seed).integers(0, 256, (30, 40, 1), np.uint8) for seed in range(3)]
    texts = [signature(stored(image, 8, lossy=False)) for image in images]
    assert [len(text) for text in texts] == [768] * 3
    both = decoded(texts)
    assert both.shape == (3, 24, 24)
    for text, held in zip(texts, both, strict=True):
        np.testing.assert_array_equal(decoded([text])[0], held)
    assert decoded([]).shape == (0, 24, 24)


@pytest.mark.parametrize("span", [1.0, 0.01, 255.0])
def test_details_are_what_the_threshold_was_measured_with(span: float) -> None:
    """`SAME_FROM` was measured with these widths: whoever changes one has to measure again."""
    image = np.random.default_rng(0).random((32, 32))
    image = span * (image - image.min()) / np.ptp(image)
    band = (gaussian_filter(image, 1) - gaussian_filter(image, 3)) / span
    expected = band / (np.sqrt(gaussian_filter(band * band, 4.5)) + 0.02)
    np.testing.assert_allclose(parts._detail(image), expected, rtol=1e-6, atol=1e-9)
    assert not parts._detail(np.full((32, 32), 7.0)).any()


def test_compared_is_what_lies_in_both_without_a_rim_of_two_cells() -> None:
    middles = (np.arange(8) + 0.5) / 8
    for start, stop, first, last in ((0, 1, 2, 6), (0.0625, 1.0625, 2, 5), (-0.0625, 0.9375, 3, 6), (0, 2, 2, 3)):
        expected = [first <= cell < last for cell in range(8)]
        assert parts._inside(middles, start, stop).tolist() == expected, (start, stop)


@pytest.mark.parametrize(
    "case",
    [
        (0, 1, 0, 1, 90, 0.91057),
        (0.05, 1, 0, 0.95, 30, 0.98530),
        (0.08, 0.92, 0.08, 0.92, 90, 0.85523),
        (0.1, 0.9, 0.02, 0.98, 0, 0.98955),
        (0, 0.82, 0, 1, 0, 0.10947),
        (0, 0.9, 0.1, 1, 30, 0.0),
    ],
)
def test_similarities_are_what_the_threshold_was_measured_with(case: tuple[float, ...]) -> None:
    """As of `SAME_FROM`: other steps, levels or bounds give other numbers."""
    *window, noise, expected = case
    image = textures(1, 300)[0].astype(float)
    top, bottom, left, right = (round(300 * edge) for edge in window)
    part = image[top:bottom, left:right] + noise * np.random.default_rng(1).standard_normal(
        (bottom - top, right - left)
    )
    a, b = (
        thumbnail(stored(np.uint8(np.clip(pixels, 0, 255))[..., np.newaxis], 8, lossy=False))
        for pixels in (image, part)
    )
    assert similarity(a, b) == pytest.approx(expected, abs=1e-4)
