"""What is cut, clipped and rounded before an image is scored."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from srexp.data.image import stored, to_channel
from srexp.errors import RequestError, SrexpError
from srexp.metrics.protocol import Protocol

CONF = Path(__file__).parents[2] / "conf" / "protocol"


def levels(restored, high=None, protocol=None, bits=8, scale=2):
    high = restored if high is None else high
    return (protocol or Protocol()).levels(restored, high, bits=bits, scale=scale, key="hand.png")


def test_border_is_the_scale_unless_told():
    assert [Protocol().border(scale) for scale in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert Protocol(shave=0).border(4) == 0
    assert Protocol(shave=7).border(2) == 7


def test_cuts_the_border_on_all_sides():
    high = np.zeros((30, 40, 1), np.float32)
    high[3:-3, 3:-3] = 1
    restored, target = levels(high, scale=3)
    assert restored.shape == target.shape == (24, 34, 1)
    assert target.min() == 255


def test_no_border_keeps_the_whole_image():
    assert levels(np.zeros((12, 12, 1), np.float32), protocol=Protocol(shave=0))[0].shape == (12, 12, 1)


def test_clips_what_a_file_could_not_hold():
    restored = np.full((20, 20, 1), 1.3, np.float32)
    restored[:, 10:] = -0.2
    found, _ = levels(restored)
    assert (found.min(), found.max()) == (0, 255)
    unrounded, _ = levels(restored, protocol=Protocol(quantize=False))
    assert (unrounded.min(), unrounded.max()) == (0, 255)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.4 / 255, 0), (0.6 / 255, 1), (100.49 / 255, 100), (127.5 / 255, 128)]
)
def test_rounds_to_whole_levels(value, rounded):
    found, _ = levels(np.full((20, 20, 1), value, np.float32))
    assert np.unique(found) == [rounded]


def test_without_quantisation_fractions_count():
    found, _ = levels(np.full((20, 20, 1), 100.4 / 255, np.float32), protocol=Protocol(quantize=False))
    assert found.mean() == pytest.approx(100.4, abs=1e-4)


@given(st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_stored_images_survive_the_way_through_float32(bits, seed):
    stored = np.random.default_rng(seed).integers(0, 2**bits, (20, 20, 1))
    as_float = (stored / (2**bits - 1)).astype(np.float32)
    found, target = levels(as_float, protocol=Protocol(shave=0), bits=bits)
    assert np.array_equal(found, stored)
    assert np.array_equal(target, stored)
    assert found.dtype == np.float64


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_by_name_what_is_not_a_number(bad):
    restored = np.zeros((20, 20, 1), np.float32)
    restored[0, 0] = bad  # in the border that is not scored, and still a broken model
    with pytest.raises(SrexpError, match=r"hand\.png[\s\S]*1 of 400") as caught:
        levels(restored, np.zeros_like(restored))
    assert caught.value.exit_code == 1


def test_refuses_by_name_sizes_that_differ():
    with pytest.raises(RequestError, match=r"hand\.png[\s\S]*\(20, 20, 1\), target \(20, 22, 1\)"):
        levels(np.zeros((20, 20, 1), np.float32), np.zeros((20, 22, 1), np.float32))


def test_refuses_by_name_an_image_smaller_than_the_window():
    with pytest.raises(RequestError, match=r"hand\.png[\s\S]*14 x 40 pixels, 10 x 36 without the border"):
        levels(np.zeros((14, 40, 1), np.float32))


def test_refuses_a_negative_border():
    with pytest.raises(RequestError, match=r"protocol\.shave"):
        Protocol(shave=-1)


def test_description_is_complete_and_json_ready():
    described = Protocol(channel="y").describe(4, intensity="window")
    assert json.loads(json.dumps(described)) == described
    assert described["channel"] == "y"
    assert described["shave"] == described["scale"] == 4
    assert described["intensity"] == "window"
    assert {"quantize", "quantize_low", "data_range", "psnr", "ssim"} <= set(described)


def test_descriptions_tell_protocols_apart():
    choices = [
        Protocol(),
        Protocol(channel="y"),
        Protocol(shave=0),
        Protocol(quantize=False),
        Protocol(quantize_low=False),
    ]
    assert len({json.dumps(choice.describe(2)) for choice in choices}) == len(choices)
    assert Protocol().describe(2) == Protocol(shave=2).describe(2)


@pytest.mark.parametrize("name", ["default", "y"])
def test_committed_protocols_name_every_argument(name):
    written = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    assert written.pop("_target_") == "srexp.metrics.protocol.Protocol"
    assert set(written) == set(inspect.signature(Protocol).parameters)
    assert Protocol(**written) == Protocol(channel="grey" if name == "default" else "y")


def test_description_is_as_results_have_it_in_the_store():
    """Results compare where descriptions are equal, those written years apart as well."""
    assert {name: value for name, value in Protocol().describe(2).items() if not isinstance(value, str)} == {
        "scale": 2, "shave": 2, "quantize": True, "quantize_low": True,
    }  # fmt: skip
    assert [name for name, value in Protocol().describe(2).items() if isinstance(value, str)] == [
        "channel", "intensity", "data_range", "psnr", "ssim", "ms_ssim", "mae", "bands",
        "haarpsi", "gmsd", "vifp", "detail_energy",
    ]  # fmt: skip
    assert Protocol().describe(2)["intensity"] == "bits"


def test_luminance_of_colour_is_matlabs_before_it_is_rounded():
    rng = np.random.default_rng(5)
    image = stored(rng.integers(0, 256, (20, 24, 3)).astype(np.uint8), 8, lossy=False)
    protocol = Protocol(channel="y", colour=True)
    assert (protocol.images, Protocol(channel="y").images, Protocol().images) == ("rgb", "y", "grey")
    assert protocol.describe(2)["channel"] == "y of rgb"
    found, wanted = protocol.levels(image.to_float(), image.to_float(), bits=8, scale=2, key="a.png")
    assert found.shape == (16, 20, 1)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(np.floor(found + 0.5), to_channel(image, "y").pixels[2:-2, 2:-2])
    assert np.abs(found - np.floor(found + 0.5)).max() > 0.4


@pytest.mark.parametrize("channel", ["grey", "rgb"])
def test_colour_is_for_luminance_only(channel):
    with pytest.raises(RequestError, match=r"protocol\.colour is for luminance only"):
        Protocol(channel=channel, colour=True)
