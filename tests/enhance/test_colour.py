"""Colours keep their chroma, and luminance is what the network makes of it."""

import numpy as np
import pytest
from skimage.color import rgb2ycbcr

from srexp.enhance.colour import for_colour, luminance

COLOURS = np.random.default_rng(0).random((10, 12, 3), dtype=np.float32)


def coloured(network, low, enlarge=None, **options):
    """A colour image through a network that gives its image in two parts, joined again."""
    enlarge = enlarge or (lambda low: low)
    restore = for_colour(
        lambda low: iter(np.array_split(network(low), 2)), lambda low, rows: enlarge(low)[rows], **options
    )
    return np.concatenate(list(restore(low)))


def test_studio_luminance_is_that_of_rgb2ycbcr():
    assert luminance(COLOURS, "y")[..., 0] * 255 == pytest.approx(rgb2ycbcr(COLOURS)[..., 0], abs=1e-3)


@pytest.mark.parametrize("channel", ["grey", "y"])
def test_a_network_of_one_channel_changes_the_luminance_alone(channel):
    def brighter(low):
        assert low.shape[-1] == 1
        return low + np.float32(0.1)

    restored = coloured(brighter, COLOURS, channels=1, channel=channel)
    assert luminance(restored, channel) == pytest.approx(luminance(COLOURS, channel) + 0.1, abs=1e-5)
    assert rgb2ycbcr(restored)[..., 1:] == pytest.approx(rgb2ycbcr(COLOURS)[..., 1:], abs=1e-3)


def test_chroma_is_interpolated():
    def enlarge(low):
        return low.repeat(2, 0).repeat(2, 1)

    restored = coloured(lambda low: enlarge(low) / 2, COLOURS, enlarge, channels=1, channel="grey")
    assert restored.shape == (20, 24, 3)
    assert luminance(restored, "grey") == pytest.approx(luminance(enlarge(COLOURS), "grey") / 2, abs=1e-5)


def test_a_network_of_three_channels_takes_grey():
    grey = COLOURS[..., :1]
    restored = coloured(lambda low: low * np.array([1, 2, 3], np.float32), grey, channels=3, channel="rgb")
    assert restored == pytest.approx(grey * 2, abs=1e-6)
    assert np.array_equal(coloured(lambda low: low, COLOURS, channels=3, channel="rgb"), COLOURS)


def test_many_rows_are_worked_on_in_parts():
    low, asked = np.random.default_rng(1).random((300, 4, 3), dtype=np.float32), []

    def enlarge(low, rows):
        asked.append(rows)
        return low[rows]

    parts = list(for_colour(lambda grey: iter([grey]), enlarge, channels=1, channel="grey")(low))
    assert np.concatenate(parts) == pytest.approx(low, abs=1e-6)
    assert [rows.start for rows in asked] == [0, 128, 256]
