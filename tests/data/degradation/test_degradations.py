"""Every degradation: its properties, its scales, its recipe in conf/."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.data.batches.augment import window
from srexp.data.degradation.acquisition import Blur, Contrast, Noise
from srexp.data.degradation.chain import chain
from srexp.data.degradation.degradations import Bicubic, Identity, quantize
from srexp.data.degradation.given import Given
from srexp.errors import RequestError
from tests.data.degradation.images import image, rng

CONF = Path(__file__).parents[3] / "conf" / "degradation"
XRAY = {key: value for key, value in yaml.safe_load((CONF / "xray.yaml").read_text()).items() if key != "_target_"}

DETERMINISTIC = [
    Bicubic(),
    Blur(sigma=0.7),
    Blur(sigma=3.3),
    Contrast(),
    chain(name="flat", steps={"blur": {"sigma": 1.5}, "contrast": {"level": 0.6}}),
    chain(name="reduced_last", steps={"contrast": {}, "blur": {}, "bicubic": {}}),
]
RANDOM = [Blur(spread=2), Contrast(spread=1.2), Noise(), Noise(spread=4), chain(**XRAY)]
ALL = DETERMINISTIC + RANDOM


def named(degradations):
    return {"argvalues": degradations, "ids": [degrade.name for degrade in degradations]}


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_its_file_spells_out_every_option_with_the_default(path):
    written = yaml.safe_load(path.read_text())
    written = written.get("degradation", written)
    kinds = (Bicubic, Blur, Given, Identity, Noise, chain)
    builders = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in kinds}
    builder = builders[written.pop("_target_")]
    assert set(written) == set(inspect.signature(builder).parameters)
    built = builder(**written)
    assert built.name == path.stem
    if builder is not chain:
        assert built == builder()


@pytest.mark.parametrize("degrade", **named(ALL))
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 1), (13, 1, 3), (17, 22, 1), (24, 36, 3)])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_any_size_at_any_scale(degrade, shape, scale):
    high = image(*shape)
    kept = high.copy()
    low = degrade(high, scale, rng())
    assert low.shape == (-(-shape[0] // scale), -(-shape[1] // scale), shape[2])
    assert low.dtype == np.float32
    assert np.isfinite(low).all()
    np.testing.assert_array_equal(high, kept)
    assert degrade.halo(scale) % scale == 0


@pytest.mark.parametrize("degrade", **named(ALL))
def test_the_generator_decides_everything_random(degrade):
    high = image(24, 30)
    one, again, other = (degrade(high, 2, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.array_equal(one, other) == (degrade in DETERMINISTIC)


@given(
    st.sampled_from([d for d in ALL if not isinstance(d, Noise) and d.name != "xray"]),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(1, 4),
    st.floats(0, 1, width=32),
)
@settings(max_examples=60, deadline=None)
def test_constants_stay_constant(degrade, height, width, scale, value):
    low = degrade(np.full((height, width, 1), value, np.float32), scale, rng())
    np.testing.assert_allclose(low, low[0, 0, 0], atol=1e-6)
    if isinstance(degrade, (Bicubic, Blur)):
        np.testing.assert_allclose(low, value, atol=1e-6)


@pytest.mark.parametrize("degrade", **named(DETERMINISTIC))
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_region_with_its_halo_gives_what_the_whole_image_does(degrade, scale):
    high = image(15 * scale, 14 * scale)
    low, halo = degrade(high, scale, rng()), degrade.halo(scale)
    for top, left, size in [(0, 0, 5), (10, 9, 5), (4, 3, 6), (0, 9, 4), (0, 0, 14)]:
        region = window(high, (top * scale, left * scale), (size * scale, size * scale), halo)
        margin = halo // scale
        part = degrade(region, scale, rng())[margin : margin + size, margin : margin + size]
        np.testing.assert_allclose(part, low[top : top + size, left : left + size], atol=1e-6)


@pytest.mark.parametrize("degrade", **named([Bicubic(), *(d for d in DETERMINISTIC if isinstance(d, Blur))]))
@given(st.integers(1, 4), st.floats(-1, 1), st.floats(-1, 1))
@settings(max_examples=20, deadline=None)
def test_bicubic_and_blur_are_linear(degrade, scale, a, b):
    one, other = image(25, 18, seed=1), image(25, 18, seed=2)
    mixed = degrade(np.float32(a) * one + np.float32(b) * other, scale, rng())
    expected = a * degrade(one, scale, rng()) + b * degrade(other, scale, rng())
    np.testing.assert_allclose(mixed, expected, atol=5e-6)


@pytest.mark.parametrize("degrade", **named([Bicubic(), Blur(sigma=2.0), Noise(photons=50), Noise(read_noise=0.1)]))
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_mean_is_kept(degrade, scale):
    # Away from black, where a negative count would be cut off.
    high = image(240, 240) * 0.4 + 0.3
    assert degrade(high, scale, rng()).mean() == pytest.approx(high.mean(), abs=0.005)


def test_what_is_degenerate():
    assert Identity().degenerate(1)
    assert Bicubic().degenerate(1)
    assert not Bicubic().degenerate(2)
    assert chain(name="nothing", steps={"contrast": {"level": 1}, "bicubic": {}}).degenerate(1)
    assert not any(degrade.degenerate(2) for degrade in ALL)
    assert not any(degrade.degenerate(1) for degrade in ALL if degrade.name != "bicubic")


@pytest.mark.parametrize("scale", [0, 5, 9])
@pytest.mark.parametrize("degrade", **named([Identity(), Blur(), Contrast(), Noise(), chain(**XRAY)]))
def test_a_scale_it_does_not_have_is_refused(degrade, scale):
    with pytest.raises(RequestError, match="no such scale"):
        degrade(image(40, 40), scale, rng())
    with pytest.raises(RequestError, match="no such scale"):
        degrade.halo(scale)


def test_bicubic_goes_to_eight_and_identity_only_to_one():
    high = image(40, 40)
    assert Bicubic()(high, 8, rng()).shape == (5, 5, 1)
    with pytest.raises(RequestError, match="from 1 to 8"):
        Bicubic()(high, 9, rng())
    assert Identity()(high, 1, rng()) is high
    with pytest.raises(RequestError, match=r"expected: scale=1"):
        Identity()(high, 2, rng())


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: Blur(sigma=0), "sigma is out of range"),
        (lambda: Blur(spread=0.5), "spread is out of range"),
        (lambda: Noise(photons=float("nan")), "photons is out of range"),
        (lambda: Noise(read_noise=-1), "read_noise is out of range"),
        (lambda: Contrast(level=0.9, spread=1.5), r"level is out of range(?s:.)*0\.01 to 0\.666667"),
        (lambda: chain(name="none", steps={}), "no steps"),
        (lambda: chain(name="x", steps={"blurr": {}}), r"steps\.blurr does not exist(?s:.)*did you mean blur\?"),
        (lambda: chain(name="x", steps={"blur": {"sgima": 1}}), r"steps\.blur\.sgima(?s:.)*did you mean sigma\?"),
        (lambda: chain(name="x", steps={"blur": {"name": 1}}), r"steps\.blur\.name does not exist"),
        (lambda: chain(name="x", steps={"bicubic": {"a": 1}}), "no options"),
    ],
)
def test_refuses(build, named):
    with pytest.raises(RequestError, match=named):
        build()


@given(st.integers(1, 16), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_quantize_gives_the_nearest_level_and_is_idempotent(bits, seed):
    pixels = (np.random.default_rng(seed).random((5, 6, 1)) * 1.4 - 0.2).astype(np.float32)
    rounded = quantize(pixels, bits)
    assert rounded.dtype == np.float32
    assert np.abs(rounded - np.clip(pixels, 0, 1)).max() <= 0.5 / (2**bits - 1) + 1e-7
    np.testing.assert_array_equal(quantize(rounded, bits), rounded)


def test_quantize_gives_back_stored_values():
    for bits in (8, 12, 16):
        levels = np.arange(2**bits).reshape(1, -1, 1)
        stored = levels.astype(np.float32) / np.float32(2**bits - 1)
        np.testing.assert_array_equal(quantize(stored, bits), stored)
