"""LPIPS against its authors' program by seeded weights, whose values `lpips_oracles.py` has written down."""

import json
from pathlib import Path

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.metrics import lpips as module
from srexp.metrics.lpips import SMALLEST, definition, lpips, read
from tests.metrics.lpips_oracles import CASES, arrays, pair

ORACLES = json.loads(Path(__file__).with_name("lpips_oracles.json").read_text())


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("lpips") / "lpips.npz"
    np.savez(path, **arrays())
    return path


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_its_authors(case, weights):
    assert lpips(*pair(case), max_value=255, weights=weights) == pytest.approx(ORACLES[case], rel=1e-6)


def test_knows_no_bit_depth_and_takes_grey_for_three_equal_channels(weights):
    restored, high = pair("noise")
    eight = lpips(restored, high, max_value=255, weights=weights)
    assert lpips(restored * 257, high * 257, max_value=65535, weights=weights) == pytest.approx(eight, rel=1e-6)
    assert lpips(restored[..., 0], high[..., 0], max_value=255, weights=weights) == eight
    three = (np.repeat(each, 3, axis=-1) for each in (restored, high))
    assert lpips(*three, max_value=255, weights=weights) == eight


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(300, 40), (40, 300)])
def test_tiles_change_nothing_but_rounding(shape, weights, monkeypatch):
    random = np.random.default_rng(0)
    high = random.random(shape)
    restored = np.clip(high + random.normal(0, 0.1, shape), 0, 1)
    whole = lpips(restored, high, max_value=1, weights=weights)
    monkeypatch.setattr(module, "_TILE", 64)
    assert lpips(restored, high, max_value=1, weights=weights) == pytest.approx(whole, rel=1e-7)


def test_identical_images_and_small_ones(weights):
    black = np.zeros((SMALLEST, SMALLEST, 1))
    assert lpips(black, black, max_value=255, weights=weights) == 0
    assert lpips(black[1:], black[1:], max_value=255, weights=weights) is None


def test_refuses_shapes_that_differ(weights):
    with pytest.raises(RequestError, match=r"^LPIPS needs two images of one size"):
        lpips(np.zeros((20, 20)), np.zeros((20, 21)), max_value=255, weights=weights)


def test_weights_are_known_by_their_values_and_read_again_when_the_file_changes(tmp_path):
    path, drawn = tmp_path / "lpips.npz", arrays()
    np.savez(path, **drawn)
    first = definition(path)
    np.savez(path, **{"scaling_layer.scale": np.ones(3, np.float32)}, **drawn)
    assert definition(path) == first
    drawn["lin0.model.1.weight"] = drawn["lin0.model.1.weight"] / 2
    np.savez(path, **drawn)
    assert definition(path) != first
    assert "trained on photographs" in first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lin4.model.1.weight": None}, "lin4.model.1.weight is missing, not (1, 512, 1, 1)"),
        ({"net.slice1.2.bias": np.zeros(3, np.float32)}, "net.slice1.2.bias is (3,), not (64,)"),
        ({"net.slice1.2.bias": np.full(64, np.nan, np.float32)}, "net.slice1.2.bias.npy of"),
        ({"net.slice1.2.bias": np.zeros(64, int)}, "net.slice1.2.bias.npy of"),
    ],
)
def test_refuses_arrays_by_their_names(change, said, tmp_path):
    path = tmp_path / "lpips.npz"
    np.savez(path, **{name: array for name, array in (arrays() | change).items() if array is not None})
    with pytest.raises(RequestError) as refused:
        read(path)
    assert str(refused.value).startswith("protocol.lpips")
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_refuses_files_that_are_none(tmp_path):
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 and no more")
    for path in (tmp_path / "missing.npz", tmp_path / "damaged.npz", tmp_path):
        with pytest.raises(RequestError, match=r"^protocol\.lpips") as refused:
            read(path)
        assert str(path) in str(refused.value)
        assert "docs/howto/evaluate.md" in str(refused.value)
