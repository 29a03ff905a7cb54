"""All metrics together: their names, and what an image that has no value of one gets."""

import math

import numpy as np
import pytest

from srexp.metrics import suite
from srexp.metrics.suite import FULL, measure
from srexp.metrics.table import METRICS, QUICK, merits


def image(side, seed=0):
    return np.random.default_rng(seed).integers(20, 230, (side, side, 1)).astype(float)


def test_names_are_those_of_the_table():
    high = image(180)
    assert tuple(measure(high, high, max_value=255, full=True)) == FULL
    assert tuple(measure(high, high, max_value=255, full=False)) == QUICK


def test_identical_images():
    found = measure(image(180), image(180), max_value=255, full=True)
    assert found["psnr"] == found["psnr_fine"] == math.inf
    assert (found["ssim"], found["ms_ssim"], found["mae"], found["edge_mae"]) == (1, 1, 0, 0)
    assert (found["gmsd"], found["detail_energy"]) == (0, 1)
    assert (found["haarpsi"], found["vifp"]) == (pytest.approx(1, abs=1e-12), pytest.approx(1, abs=1e-9))


def test_a_constant_and_small_target_lacks_what_it_cannot_have():
    found = measure(np.full((30, 30, 1), 101.0), np.full((30, 30, 1), 100.0), max_value=255, full=True)
    assert {name for name, value in found.items() if value is None} == {"ms_ssim", "vifp", "detail_energy", "edge_mae"}
    assert found["psnr"] == found["psnr_coarse"] == pytest.approx(20 * math.log10(255))
    assert found["psnr_fine"] == math.inf
    assert found["mae"] == 1


@pytest.mark.parametrize("name", FULL)
def test_a_larger_error_is_worse(name):
    high = image(180)
    noise = np.random.default_rng(1).normal(0, 1, high.shape)
    values = [measure(high + factor * noise, high, max_value=255, full=True)[name] for factor in (2, 10)]
    little, much = merits(values, name)
    assert little > much


def test_which_way_a_metric_points():
    assert {name for name, metric in METRICS.items() if metric.best == "low"} == {"gmsd", "lpips", "mae", "edge_mae"}
    assert {name for name, metric in METRICS.items() if metric.best == "one"} == {"detail_energy"}
    assert merits([None, 2.0], "fid") == [None, 2.0]  # nothing is known of it


def test_what_is_a_psnr_is_in_decibels():
    assert {"psnr", "psnr_coarse", "psnr_medium", "psnr_fine"} == suite.DECIBELS
