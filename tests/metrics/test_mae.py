"""Mean absolute errors against calculations by hand and against scikit-image's Sobel filter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.filters import sobel_h, sobel_v

from srexp.errors import RequestError
from srexp.metrics.mae import edge_mae, mae


def pair(seed, shape=(23, 31, 1), top=255):
    rng = np.random.default_rng(seed)
    return rng.integers(0, top + 1, shape).astype(float), rng.integers(0, top + 1, shape).astype(float)


def test_grey_levels_of_255_by_hand():
    high = np.zeros((10, 10, 1))
    restored = high.copy()
    restored[3, 4] = 50
    assert mae(restored, high, max_value=255) == 0.5
    assert mae(restored, high, max_value=65535) == pytest.approx(0.5 / 257)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_edge_weights_agree_with_scikit_image(channels, seed):
    restored, high = pair(seed, (23, 31, channels))
    # scikit-image leaves the outermost pixels out unless it is shown what lies beyond them.
    beyond = np.pad(high, ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    weights = np.stack([np.hypot(sobel_h(beyond[..., c]), sobel_v(beyond[..., c])) for c in range(channels)], axis=-1)
    expected = np.average(np.abs(restored - high), weights=weights[1:-1, 1:-1])
    assert edge_mae(restored, high, max_value=255) == pytest.approx(expected, abs=1e-6)


@given(st.integers(0, 1000), st.floats(0, 100))
def test_an_error_that_is_the_same_everywhere_is_the_same_at_edges(seed, error):
    high = pair(seed)[0]
    assert edge_mae(high + error, high, max_value=255) == pytest.approx(error, abs=1e-9)
    assert mae(high + error, high, max_value=255) == pytest.approx(error, abs=1e-9)


def test_an_error_on_the_edge_counts_and_one_in_the_flat_does_not():
    high = np.zeros((40, 40))
    high[:, 20:] = 200
    on_edge, in_flat = high.copy(), high.copy()
    on_edge[:, 19:21] += 10
    in_flat[:, 5:7] += 10
    assert mae(on_edge, high, max_value=255) == mae(in_flat, high, max_value=255)
    assert edge_mae(on_edge, high, max_value=255) == 10
    assert edge_mae(in_flat, high, max_value=255) == 0


def test_a_constant_target_has_no_edge():
    assert edge_mae(np.ones((20, 20, 1)), np.zeros((20, 20, 1)), max_value=255) is None


def test_identical_images_have_no_error():
    high = pair(0)[1]
    assert (mae(high, high, max_value=255), edge_mae(high, high, max_value=255)) == (0, 0)


@pytest.mark.parametrize("metric", [mae, edge_mae])
def test_refuses_what_cannot_be_compared(metric):
    with pytest.raises(RequestError, match=r"restored \(4, 4, 1\), target \(4, 5, 1\)"):
        metric(np.zeros((4, 4, 1)), np.zeros((4, 5, 1)), max_value=255)
    with pytest.raises(RequestError, match="not empty"):
        metric(np.zeros((0, 4, 1)), np.zeros((0, 4, 1)), max_value=255)
    with pytest.raises(RequestError, match=r"^a mean absolute error needs a positive data range"):
        metric(np.zeros((4, 4, 1)), np.zeros((4, 4, 1)), max_value=0)
