"""The network of a task beside its float32 twin, and networks as functions of images."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from srexp.config.compose import compose
from srexp.data.degradation.degradations import Bicubic
from srexp.data.formats.registry import read_image
from srexp.experiment import network
from srexp.metrics.psnr import psnr
from srexp.zoo.catalogue import shipped


@pytest.fixture(scope="module")
def config():
    return compose("train", ["model=vdsr", "model.depth=4", "model.width=4", "scale=2", "seed=3"])[0]


def test_the_restoring_network_is_float32_whatever_precision_is_trained(config):
    network.prepare(config)
    restorer = network.float32_network(config, 1)
    with network.trained_network(config, 1, precision="mixed_bfloat16") as trained:
        trained.set_weights(restorer.get_weights())
    assert {layer.compute_dtype for layer in restorer.layers} == {"float32"}
    assert "bfloat16" in {layer.compute_dtype for layer in trained.layers}
    low = network.timed_image(config, 1)
    assert network.predictor(restorer, config)(low).shape == (2 * low.shape[0], 2 * low.shape[1], 1)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.slow
def test_trained_weights_restore_in_bfloat16_as_they_do_in_float32(scale, samples_dir):
    """Flat regions to a tenth of a grey level, where a first layer in bfloat16 saw detail; a radiograph to 0.02 dB."""
    trained = keras.saving.load_model(shipped()[f"hybrid-cxr-x{scale}"].network, compile=False)
    asked, _ = compose("train", ["model=hybrid", f"scale={scale}"])
    with network.trained_network(asked, 1, precision="mixed_bfloat16") as narrow:
        narrow.set_weights(trained.get_weights())
    exact, rounded = (network.predictor(each, asked) for each in (trained, narrow))
    for grey in (0, 0.05, 0.5, 0.9, 1):
        flat = np.full((32, 32, 1), grey, np.float32)
        assert np.abs(rounded(flat) - exact(flat)).max() < 0.1 / 255, grey
    high = read_image(samples_dir / "RG1_UNCR.dcm").to_float()[600:1112, 600:1112]
    low = Bicubic()(high, scale, np.random.default_rng(0))
    decibels = [psnr(each(low), high, max_value=1) for each in (exact, rounded)]
    assert decibels[1] == pytest.approx(decibels[0], abs=0.02)


def test_bicubic_is_that_of_the_networks(config):
    from srexp.models import bicubic

    low = np.random.default_rng(0).random((9, 7, 1), dtype=np.float32)
    expected = np.asarray(bicubic.build(2, 1)(low[np.newaxis]))[0]
    assert np.array_equal(network.bicubic_predictor(config, 1)(low), expected)
    assert network.bicubic_predictor(config, 1, scale=3)(low).shape == (27, 21, 1)
