"""GMSD against piqa and piq, whose values `oracles.py` has written down."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.metrics.gmsd import gmsd
from tests.metrics.oracles import CASES, pair

ORACLES = json.loads(Path(__file__).with_name("oracles.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_others(case):
    restored, high = pair(case)
    found, theirs = gmsd(restored, high, max_value=255), ORACLES[case]["gmsd"]
    pixels = math.prod((side + 1) // 2 for side in high.shape)
    assert found * math.sqrt((pixels - 1) / pixels) == pytest.approx(theirs["piq, of all"], abs=1e-9)
    assert ("piqa" in theirs) == (case != "odd")
    assert found == pytest.approx(theirs.get("piqa", found), abs=1e-8)  # its kernel has float32's third


def test_knows_no_bit_depth_and_averages_channels():
    restored, high = pair("blur")
    eight = gmsd(restored, high, max_value=255)
    assert gmsd(restored * 257, high * 257, max_value=65535) == pytest.approx(eight, abs=1e-12)
    both = gmsd(np.stack([restored, high], axis=-1), np.stack([high, high], axis=-1), max_value=255)
    assert both == pytest.approx(eight / 2, abs=1e-12)


def test_an_error_that_is_equal_everywhere_is_none():
    high = np.indices((40, 40)).sum(0) * 2.0
    inside = slice(2, -2), slice(2, -2)
    restored = high.copy()
    restored[inside] += 1
    uneven = high.copy()
    uneven[10:20, 10:20] += 40
    assert gmsd(restored, high, max_value=255) < 0.1 * gmsd(uneven, high, max_value=255)


def test_refuses_shapes_that_differ_and_no_range():
    with pytest.raises(RequestError, match=r"^GMSD needs two images of one size[\s\S]*\(20, 21\)"):
        gmsd(np.zeros((20, 20)), np.zeros((20, 21)), max_value=255)
    with pytest.raises(RequestError, match=r"^GMSD needs a positive data range"):
        gmsd(np.zeros((20, 20)), np.zeros((20, 20)), max_value=0)
