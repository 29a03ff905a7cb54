"""Eight views of an image, each turned back before they are averaged."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from srexp.enhance.self_ensemble import self_ensemble


def picture(height=9, width=14, channels=1):
    return np.random.default_rng(height).random((height, width, channels), dtype=np.float32)


def averaged(network, low, scale=1):
    """The mean over the views, of a network that gives its image in two parts."""
    (image,) = self_ensemble(lambda view: iter(np.array_split(network(view), 2)), scale)(low)
    return image


def twice(low):
    return low.repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_views_are_turned_back(channels):
    low = picture(channels=channels)
    assert averaged(twice, low, scale=2) == pytest.approx(twice(low), abs=1e-6)


def test_all_eight_views_are_different_and_asked_for_once():
    low, views = picture(8, 8), []
    averaged(lambda view: views.append(view.tobytes()) or view, low)
    assert len(set(views)) == len(views) == 8


def test_what_prefers_a_direction_no_longer_does():
    def smear(low):  # to the right only
        return uniform_filter(low, (1, 3, 1), origin=(0, 1, 0), mode="nearest")

    low = picture(12, 12)
    assert np.abs(smear(low) - smear(low[:, ::-1])[:, ::-1]).max() > 0.1
    for turned in (low[:, ::-1], np.rot90(low), low.swapaxes(0, 1)):
        back = averaged(smear, np.ascontiguousarray(turned))
        assert np.sort(back, axis=None) == pytest.approx(np.sort(averaged(smear, low), axis=None), abs=1e-6)


def test_the_spread_is_the_standard_deviation_of_the_eight():
    def smear(low):  # to the right only
        return uniform_filter(low, (1, 3, 1), origin=(0, 1, 0), mode="nearest")

    low, spreads = picture(12, 15), []
    (mean,) = self_ensemble(lambda view: iter(np.array_split(smear(view), 2)), 1, on_spread=spreads.append)(low)
    eight = []
    for turns in range(4):
        for step in (1, -1):
            view = np.rot90(low, turns)[:, ::step]
            eight.append(np.rot90(smear(np.ascontiguousarray(view))[:, ::step], -turns))
    assert spreads[0] == pytest.approx(np.std(eight, axis=0), abs=1e-6)
    assert mean == pytest.approx(np.mean(eight, axis=0), abs=1e-6)
    assert np.array_equal(mean, averaged(smear, low))


def test_what_prefers_no_direction_has_no_spread():
    """Also on a bright image, whose squares alone would drown it."""
    low, spreads = picture(16, 16) / 100 + np.float32(0.99), []
    list(self_ensemble(lambda view: iter([view]), 1, on_spread=spreads.append)(low))
    assert spreads[0].max() < 1e-6
