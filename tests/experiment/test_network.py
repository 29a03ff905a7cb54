"""The network of a task beside its float32 twin, and networks as functions of images."""

from __future__ import annotations

import numpy as np
import pytest

from srexp.config.compose import compose
from srexp.experiment import network


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


def test_bicubic_is_that_of_the_networks(config):
    from srexp.models import bicubic

    low = np.random.default_rng(0).random((9, 7, 1), dtype=np.float32)
    expected = np.asarray(bicubic.build(2, 1)(low[np.newaxis]))[0]
    assert np.array_equal(network.bicubic_predictor(config, 1)(low), expected)
    assert network.bicubic_predictor(config, 1, scale=3)(low).shape == (27, 21, 1)
