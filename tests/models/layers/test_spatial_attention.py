"""Attention over the whole image, step by step in TensorFlow, and in ONNX."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from srexp.enhance.receptive_field import receptive_field
from srexp.models.layers.attention import contrast_attention
from srexp.models.layers.spatial_attention import spatial_attention
from tests.enhance.runtimes.onnx_oracle import largest_difference

INNER = ("conv_max", "conv3", "conv3_")


def network(kind: str) -> keras.Model:
    features = keras.Input((None, None, 8))
    if kind == "spatial":
        weighed = spatial_attention(features, 4, inner=INNER, name="esa")
    else:
        weighed = contrast_attention(features, 4, name="cca")
    model = keras.Model(features, weighed)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def spatially_weighed(model: keras.Model, features: np.ndarray) -> tf.Tensor:
    """Spatial attention as its authors' code computes it, for 15 pixels or more."""

    def conv(value: tf.Tensor, name: str, stride: int = 1, padding: str = "SAME") -> tf.Tensor:
        layer = model.get_layer(f"esa.{name}")
        return tf.nn.conv2d(value, layer.kernel.value, stride, padding) + layer.bias

    reduced = conv(features, "conv1")
    small = tf.nn.max_pool2d(conv(reduced, "conv2", 2, "VALID"), 7, 3, "VALID")
    for name in INNER[:-1]:
        small = tf.nn.relu(conv(small, name))
    around = tf.image.resize(conv(small, INNER[-1]), features.shape[1:3])
    return features * tf.sigmoid(conv(around + conv(reduced, "conv_f"), "conv4"))


@pytest.mark.parametrize("size", [(15, 15), (16, 21), (20, 33), (22, 41)])
def test_spatial_attention_is_the_authors_from_15_pixels_on(rng: np.random.Generator, size: tuple[int, int]) -> None:
    model, features = network("spatial"), rng.random((2, *size, 8), dtype=np.float32)
    np.testing.assert_allclose(model(features), spatially_weighed(model, features), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["spatial", "contrast"])
def test_it_takes_any_size_sees_everything_and_is_the_same_in_onnx(kind: str) -> None:
    model = network(kind)
    assert receptive_field(model) is None
    assert largest_difference(model, 8, sizes=((1, 1, 1), (2, 9, 14), (1, 17, 40))) < 1e-6


def test_contrast_is_deviation_and_mean_and_constant_features_have_a_slope(rng: np.random.Generator) -> None:
    model, features = network("contrast"), tf.constant(rng.random((1, 5, 7, 8), dtype=np.float32))
    inner = keras.Model(model.input, model.get_layer("cca.contrast").output)
    expected = np.std(features, axis=(1, 2)) + np.mean(features, axis=(1, 2))
    np.testing.assert_allclose(np.asarray(inner(features))[:, 0, 0], expected, rtol=1e-5)
    constant = tf.fill([1, 4, 4, 8], 0.5)
    with tf.GradientTape() as tape:
        tape.watch(constant)
        total = tf.reduce_sum(model(constant))
    assert np.isfinite(tape.gradient(total, constant)).all()
