"""Losses against their formulas, in grey levels, also on bfloat16 outputs."""

import math

import keras
import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.training import losses


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.random((2, 6, 7, 3), dtype=np.float32), rng.random((2, 6, 7, 3), dtype=np.float32)


EXPECTED = {
    "mse": (losses.mse(), lambda error: (error**2).mean()),
    "l1": (losses.l1(), lambda error: np.abs(error).mean()),
    "charbonnier": (losses.charbonnier(epsilon=2.0), lambda error: np.sqrt(error**2 + 4).mean()),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_equals_its_formula_in_grey_levels(name: str, pair) -> None:
    loss, formula = EXPECTED[name]
    high, restored = pair
    values = np.asarray(loss(high, restored))
    assert values.shape == high.shape[:-1]
    assert values.mean() == pytest.approx(formula(255.0 * (high.astype(float) - restored)), rel=1e-5)


def test_mse_is_the_loss_that_psnr_measures(pair) -> None:
    from skimage.metrics import peak_signal_noise_ratio

    high, restored = pair
    loss = float(np.mean(losses.mse()(high, restored)))
    assert 10 * np.log10(255**2 / loss) == pytest.approx(
        peak_signal_noise_ratio(high, restored, data_range=1), abs=1e-4
    )


def test_each_knows_its_unit() -> None:
    units = [loss.unit for loss, _ in EXPECTED.values()]
    assert units == ["squared grey levels", "grey levels", "grey levels"]


@pytest.mark.parametrize("name", EXPECTED)
def test_keras_accepts_it_and_reduces_it_to_the_mean(name: str, pair) -> None:
    loss, formula = EXPECTED[name]
    high, restored = pair
    network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Identity()])
    network.compile(optimizer="sgd", loss=loss)
    measured = network.evaluate(restored, high, verbose=0)
    assert measured == pytest.approx(formula(255.0 * (high.astype(float) - restored)), rel=1e-5)


@pytest.mark.parametrize("name", EXPECTED)
def test_is_computed_in_float32_whatever_the_output_is(name: str, pair) -> None:
    loss, _ = EXPECTED[name]
    high, restored = pair
    value = loss(high, keras.ops.cast(restored, "bfloat16"))
    assert value.dtype == "float32"
    np.testing.assert_allclose(np.mean(value), np.mean(loss(high, restored)), rtol=0.02)


@pytest.mark.parametrize("name", EXPECTED)
def test_perfect_restoration_costs_least_and_has_a_finite_gradient(name: str, pair) -> None:
    import tensorflow as tf

    loss, _ = EXPECTED[name]
    high = tf.constant(pair[0])
    with tf.GradientTape() as tape:
        tape.watch(high)
        value = tf.reduce_mean(loss(pair[0], high))
    assert float(value) == pytest.approx(2.0 if name == "charbonnier" else 0.0, abs=1e-6)
    assert np.isfinite(tape.gradient(value, high)).all()


def test_charbonnier_s_minimum_is_the_paper_s_and_always_above_0(pair) -> None:
    assert float(np.mean(losses.charbonnier()(pair[0], pair[0]))) == pytest.approx(255 * 1e-3)
    for epsilon in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(RequestError, match=r"loss\.epsilon"):
            losses.charbonnier(epsilon=epsilon)
