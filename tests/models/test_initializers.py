"""Initial weights: filters without brightness, and pairs that make ReLU linear."""

import numpy as np
import pytest

from srexp.models.initializers import GAIN, detail_filters, mirrored, scattered


@pytest.mark.parametrize("shape", [(9, 9, 1, 63), (9, 9, 3, 61), (3, 3, 1, 64), (1, 3, 1, 4)])
def test_detail_filters_are_paired_of_equal_norm_and_see_no_brightness(shape: tuple[int, ...]) -> None:
    filters = detail_filters(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    half = shape[-1] // 2
    assert filters.shape == shape
    np.testing.assert_array_equal(filters[..., half : 2 * half], -filters[..., :half])
    np.testing.assert_allclose(np.sqrt((filters**2).sum(axis=(0, 1, 2))), GAIN, rtol=1e-5)
    np.testing.assert_allclose(filters.sum(axis=(0, 1)), 0, atol=GAIN * 1e-5)


def test_detail_filters_prefer_fine_detail() -> None:
    filters = detail_filters(np.random.default_rng(0).standard_normal((9, 9, 1, 64)).astype(np.float32))
    spectrum = (np.abs(np.fft.fft2(filters[:, :, 0], axes=(0, 1))) ** 2).mean(axis=-1)
    assert spectrum[4, 4] > 10 * spectrum[1, 0]


def test_mirrored_layers_are_linear_through_relu() -> None:
    rng = np.random.default_rng(0)
    first, second = (np.linalg.qr(rng.standard_normal((8, 8)))[0].astype(np.float32) for _ in range(2))
    signal = rng.standard_normal(8).astype(np.float32)
    passing = np.concatenate([signal, -signal]).clip(0)
    for matrix in (first, second):
        passing = (passing @ mirrored(matrix)).clip(0)
    expected = signal @ first @ second
    np.testing.assert_allclose(passing[:8] - passing[8:], expected, atol=1e-5)
    assert np.linalg.norm(passing) == pytest.approx(np.linalg.norm(signal), rel=1e-5)


def test_scattered_outputs_read_one_place_each_as_pairs() -> None:
    rng = np.random.default_rng(0)
    pairs, (rows, columns) = mirrored(rng.standard_normal((4, 3)).astype(np.float32)), rng.integers(0, 3, (2, 3))
    kernel = scattered(pairs, rows, columns)
    assert kernel.shape == (3, 3, 8, 6)
    np.testing.assert_array_equal(kernel.sum(axis=(0, 1)), pairs)
    for output in range(6):
        np.testing.assert_array_equal(kernel[rows[output % 3], columns[output % 3], :, output], pairs[:, output])
