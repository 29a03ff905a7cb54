"""VIFp against sewar and piq, whose values `oracles.py` has written down."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.metrics.vifp import SMALLEST, vifp
from tests.metrics.oracles import CASES, pair

ORACLES = json.loads(Path(__file__).with_name("oracles.json").read_text())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("oracle", ["sewar", "piq"])
def test_agrees_with_others(case, oracle):
    assert vifp(*pair(case), max_value=255) == pytest.approx(ORACLES[case]["vifp"][oracle], abs=1e-8)


def test_knows_no_bit_depth_and_averages_channels():
    restored, high = pair("blur")
    eight = vifp(restored, high, max_value=255)
    assert vifp(restored * 257, high * 257, max_value=65535) == pytest.approx(eight, abs=1e-9)
    both = vifp(np.stack([restored, high], axis=-1), np.stack([high, high], axis=-1), max_value=255)
    assert both == pytest.approx((eight + 1) / 2, abs=1e-9)


def test_contrast_raised_is_above_one_and_the_negative_says_nothing():
    assert vifp(*pair("sharper"), max_value=255) > 1
    assert vifp(*pair("negative"), max_value=255) == 0


def test_what_has_no_value():
    restored, high = (image[:SMALLEST, :SMALLEST] for image in pair("noise"))
    assert vifp(restored, high, max_value=255) is not None
    assert vifp(restored[1:], high[1:], max_value=255) is None
    flat = np.full((48, 48), 100.0)
    assert vifp(flat, flat, max_value=255) is None
    flat[24, 24] += 1  # all that there is to be told is half a bit
    assert vifp(flat, flat, max_value=255) == pytest.approx(1, abs=1e-6)
    colours = np.stack([pair("noise")[1], np.full((64, 64), 9.0)], axis=-1)
    assert vifp(colours, colours, max_value=255) is None


def test_refuses_shapes_that_differ_and_no_range():
    with pytest.raises(RequestError, match=r"^VIFp needs two images of one size[\s\S]*\(20, 21\)"):
        vifp(np.zeros((20, 20)), np.zeros((20, 21)), max_value=255)
    with pytest.raises(RequestError, match=r"^VIFp needs a positive data range"):
        vifp(np.zeros((20, 20)), np.zeros((20, 20)), max_value=math.nan)
