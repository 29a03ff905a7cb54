"""Products give the gradient that TensorFlow gives; who takes them, and that nothing else of a network changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import srexp
from srexp.experiment import network
from srexp.models import hybrid, srcnn, vdsr
from srexp.system.kernels import choice
from srexp.system.kernels.weight_gradients import gains, gradient_of_weights, take_products


@pytest.fixture
def avx2(monkeypatch):
    """A processor with AVX2 alone and a process with oneDNN's kernels, whatever this one is."""
    monkeypatch.setattr(choice, "instruction_set", lambda: "avx2")
    monkeypatch.setattr(choice, "in_force", lambda: "onednn")


def taken(model):
    """Name the layers that take the gradient as products."""
    return [layer.name for layer in model.layers if "convolution_op" in vars(layer)]


def numbers(seed, *shape):
    """Draw float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    pixels=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    before=st.integers(1, 20),
    after=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_shape_has_the_gradient_that_tensorflow_gives(pixels, before, after, seed):
    import tensorflow as tf

    low = numbers(seed, *pixels, before)
    incoming = numbers(seed + 1, *pixels, after)
    own = tf.raw_ops.Conv2DBackpropFilter(
        input=low, filter_sizes=[3, 3, before, after], out_backprop=incoming, strides=[1] * 4, padding="SAME"
    )
    found = gradient_of_weights(tf.constant(low), tf.constant(incoming))
    np.testing.assert_allclose(found, own, rtol=1e-4, atol=1e-4)


def test_patches_of_unknown_size_have_it_too():
    import tensorflow as tf

    shape = tf.TensorSpec((None, None, None, 5), tf.float32)
    traced = tf.function(gradient_of_weights, input_signature=[shape] * 2)
    low, incoming = numbers(0, 2, 6, 7, 5), numbers(1, 2, 6, 7, 5)
    found = traced(low, incoming)
    np.testing.assert_array_equal(found, gradient_of_weights(tf.constant(low), tf.constant(incoming)))


def test_only_wide_convolutions_of_three_by_three_gain(avx2):
    deep, small = vdsr.build(2, 1, depth=5), srcnn.build(2, 1, kernels=[9, 5, 5], filters=[64, 32])
    take_products(deep)
    take_products(small)
    assert taken(deep) == ["hidden_02", "hidden_03", "hidden_04"]
    assert taken(small) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"filters": 47}, False),
        ({"strides": 2}, False),
        ({"dilation_rate": 2}, False),
        ({"groups": 2}, False),
        ({"dtype": "mixed_bfloat16"}, False),
        ({"kernel_size": 5}, False),
        ({"kernel_size": (1, 3)}, False),
        ({"padding": "valid"}, False),
    ],
)
def test_what_of_a_layer_decides(changed, expected):
    import keras

    layer = keras.layers.Conv2D(**{"filters": 48, "kernel_size": 3, "padding": "same", **changed})
    layer.build((None, None, None, 48))
    assert gains(layer) is expected


@pytest.mark.parametrize(("instructions", "kind"), [("avx512", "onednn"), (None, "onednn"), ("avx2", "eigen")])
def test_elsewhere_nothing_changes(monkeypatch, instructions, kind):
    monkeypatch.setattr(choice, "instruction_set", lambda: instructions)
    monkeypatch.setattr(choice, "in_force", lambda: kind)
    model = hybrid.build(2, 1)
    take_products(model)
    assert taken(model) == []


def test_a_gpu_keeps_its_own(avx2, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    model = hybrid.build(2, 1)
    take_products(model)
    assert taken(model) == []


def test_what_is_saved_and_what_is_restored_stays(avx2, tmp_path):
    import keras

    model = hybrid.build(2, 1)
    low = numbers(0, 1, 9, 11, 1)
    before, told = model(low), model.to_json()
    take_products(model)
    assert len(taken(model)) == 10
    np.testing.assert_array_equal(model(low), before)
    assert model.to_json() == told
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert taken(loaded) == []
    np.testing.assert_array_equal(loaded(low), before)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["model=srcnn"], 0),
        (["model=vdsr", "model.depth=5"], 3),
        (["model=hybrid", "model.blocks=2"], 4),
        (["model=edsr", "model.blocks=2"], 6),
    ],
)
def test_a_network_learns_the_same(words, count, avx2, monkeypatch):
    import tensorflow as tf

    config = srexp.compose([*words, "trainer.precision=float32"])
    with network.trained_network(config, 1, precision="float32") as model:
        pass
    assert len(taken(model)) == count
    side = 12
    low = numbers(0, 2, side // config.inner_scale, side // config.inner_scale, 1)
    weights = [each + 0.01 * numbers(number, *each.shape) for number, each in enumerate(model.get_weights())]
    model.set_weights(weights)

    def gradients(of):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(of(low, training=True)))
        return tape.gradient(loss, of.trainable_variables)

    monkeypatch.setattr(choice, "instruction_set", lambda: None)
    with network.trained_network(config, 1, precision="float32") as plain:
        plain.set_weights(weights)
    assert taken(plain) == []
    for found, expected in zip(gradients(model), gradients(plain), strict=True):
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * scale + 1e-12)
