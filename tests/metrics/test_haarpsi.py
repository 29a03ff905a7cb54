"""HaarPSI against its authors' program and piq, whose values `oracles.py` has written down."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.metrics.haarpsi import haarpsi
from tests.metrics.oracles import CASES, pair

ORACLES = json.loads(Path(__file__).with_name("oracles.json").read_text())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("oracle", ["authors", "piq"])
def test_agrees_with_others(case, oracle):
    assert haarpsi(*pair(case), max_value=255) == pytest.approx(ORACLES[case]["haarpsi"][oracle], abs=1e-9)


def test_knows_no_bit_depth_and_averages_channels():
    restored, high = pair("blur")
    eight = haarpsi(restored, high, max_value=255)
    assert haarpsi(restored * 257, high * 257, max_value=65535) == pytest.approx(eight, abs=1e-12)
    assert haarpsi(restored / 255, high / 255, max_value=1) == pytest.approx(eight, abs=1e-12)
    both = haarpsi(np.stack([restored, high], axis=-1), np.stack([high, high], axis=-1), max_value=255)
    assert both == pytest.approx((eight + 1) / 2, abs=1e-12)


@pytest.mark.parametrize("shape", [(11, 11), (1, 1), (12, 15, 3)])
def test_black_and_small_images_have_one(shape):
    black = np.zeros(shape)
    assert haarpsi(black, black, max_value=255) == 1
    assert 0 <= haarpsi(black, black + 255, max_value=255) < 0.5


def test_refuses_shapes_that_differ_and_no_range():
    with pytest.raises(RequestError, match=r"^HaarPSI needs two images of one size[\s\S]*\(20, 21\)"):
        haarpsi(np.zeros((20, 20)), np.zeros((20, 21)), max_value=255)
    with pytest.raises(RequestError, match=r"^HaarPSI needs a positive data range"):
        haarpsi(np.zeros((20, 20)), np.zeros((20, 20)), max_value=math.nan)
