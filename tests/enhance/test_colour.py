"""Colours keep their chroma, and luminance is what the network makes of it."""

import numpy as np
import pytest
from skimage.color import rgb2ycbcr

from srexp.enhance.colour import for_colour, luminance

COLOURS = np.random.default_rng(0).random((10, 12, 3), dtype=np.float32)


def same(low):
    return low


def test_studio_luminance_is_that_of_rgb2ycbcr():
    assert luminance(COLOURS, "y")[..., 0] * 255 == pytest.approx(rgb2ycbcr(COLOURS)[..., 0], abs=1e-3)


@pytest.mark.parametrize("channel", ["grey", "y"])
def test_a_network_of_one_channel_changes_the_luminance_alone(channel):
    def brighter(low):
        assert low.shape[-1] == 1
        return low + np.float32(0.1)

    restored = for_colour(brighter, same, channels=1, channel=channel)(COLOURS)
    assert luminance(restored, channel) == pytest.approx(luminance(COLOURS, channel) + 0.1, abs=1e-5)
    assert rgb2ycbcr(restored)[..., 1:] == pytest.approx(rgb2ycbcr(COLOURS)[..., 1:], abs=1e-3)


def test_chroma_is_interpolated():
    def enlarge(low):
        return low.repeat(2, 0).repeat(2, 1)

    restored = for_colour(lambda low: enlarge(low) / 2, enlarge, channels=1, channel="grey")(COLOURS)
    assert restored.shape == (20, 24, 3)
    assert luminance(restored, "grey") == pytest.approx(luminance(enlarge(COLOURS), "grey") / 2, abs=1e-5)


def test_a_network_of_three_channels_takes_grey():
    grey = COLOURS[..., :1]
    restored = for_colour(lambda low: low * np.array([1, 2, 3], np.float32), same, channels=3, channel="rgb")(grey)
    assert restored == pytest.approx(grey * 2, abs=1e-6)
    assert np.array_equal(for_colour(same, same, channels=3, channel="rgb")(COLOURS), COLOURS)
