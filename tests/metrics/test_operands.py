"""Images that can't be compared are refused in one way, whichever metric asks."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from srexp.errors import RequestError
from srexp.metrics.operands import planes, require_alike, strips, windowed


@pytest.mark.parametrize("other", [(4, 5, 1), (4, 4, 3), (4, 4)])
def test_two_sizes_are_refused(other):
    with pytest.raises(RequestError, match=r"^MS-SSIM needs two images of one size[\s\S]*restored \(4, 4, 1\), target"):
        require_alike("MS-SSIM", np.zeros((4, 4, 1)), np.zeros(other))


def test_an_empty_image_is_refused():
    with pytest.raises(RequestError, match="not empty"):
        require_alike("PSNR", np.zeros((0, 4)), np.zeros((0, 4)))


@pytest.mark.parametrize("range_", [0, -1, float("nan")])
def test_a_range_that_is_none_is_refused(range_):
    with pytest.raises(RequestError, match="PSNR needs a positive data range"):
        require_alike("PSNR", np.ones((4, 4)), np.ones((4, 4)), range_)


def test_channels_are_taken_apart_in_double_precision():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    found = planes(image)
    assert [plane.tolist() for plane in found] == [image[..., channel].tolist() for channel in range(3)]
    assert all(plane.dtype == np.float64 and plane.flags.c_contiguous for plane in found)
    assert [plane.tolist() for plane in planes(image[..., 0])] == [image[..., 0].tolist()]


@pytest.mark.parametrize("shape", [(11, 11), (37, 600), (150, 26)])
@pytest.mark.parametrize(("side", "sigma"), [(11, 1.5), (9, 1.8), (3, 0.6)])
def test_windows_are_those_of_scipy(shape, side, sigma):
    plane, half = np.random.default_rng(0).uniform(0, 65535, shape), side // 2
    expected = gaussian_filter(plane, sigma, radius=half)[half:-half, half:-half]
    assert windowed(plane, side, sigma) == pytest.approx(expected, rel=1e-13)
    assert windowed(plane.T, side, sigma) == pytest.approx(expected.T, rel=1e-13)


@pytest.mark.parametrize("rows", [3, 64, 65, 66, 67, 200])
def test_each_window_lies_in_one_strip(rows):
    plane = np.arange(rows, dtype=float)[:, np.newaxis]
    tops = [top for (strip,) in strips(3, plane) for top in strip[:-2, 0].tolist()]
    assert tops == list(range(rows - 2))
