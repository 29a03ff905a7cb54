"""FSRCNN: the parameters of the paper, and PyTorch's deconvolution."""

import numpy as np
import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from tests.networks import built


@pytest.mark.parametrize(("channels", "count"), [(1, 12_464 + 173 + 172), (3, 24_683)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_parameter_counts_are_the_published_ones(scale: int, channels: int, count: int) -> None:
    assert built("fsrcnn", scale, channels).count_params() == count


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5])
def test_the_deconvolution_lies_where_pytorchs_does(scale: int) -> None:
    """Low pixel i spreads tap t to pixel i * scale + t - 4: padding 4, output padding scale - 1."""
    network = built("fsrcnn", scale, 1, wide=1, width=1, blocks=1)
    last = network.get_layer("last_part")
    taps = np.arange(1, 82, dtype=np.float32).reshape(9, 9)
    last.set_weights([taps[:, :, np.newaxis, np.newaxis], np.zeros(1)])
    features = np.zeros((1, 4, 5, 1), np.float32)
    features[0, 2, 1] = 1
    expected = np.zeros((4 * scale + 16, 5 * scale + 16))
    expected[2 * scale + 4 : 2 * scale + 13, scale + 4 : scale + 13] = taps
    restored = np.asarray(network.get_layer("restored")(last(features)))[0, :, :, 0]
    np.testing.assert_array_equal(restored, expected[8 : 8 + 4 * scale, 8 : 8 + 5 * scale])


def test_it_says_how_far_it_sees() -> None:
    assert [receptive_field(built("fsrcnn", scale, 1)).radius for scale in (2, 3, 4)] == [8, 8, 7]


def test_gaps_are_refused() -> None:
    with pytest.raises(RequestError, match="scale is too large for model=fsrcnn"):
        built("fsrcnn", 6, 1)
