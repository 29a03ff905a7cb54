"""Images that can't be compared are refused in one way, whichever metric asks."""

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.metrics.operands import planes, require_alike


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
