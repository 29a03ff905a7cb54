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
