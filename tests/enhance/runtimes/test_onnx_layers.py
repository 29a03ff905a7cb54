"""Keras is the oracle of every layer: what it is in ONNX computes the same."""

import keras
import pytest
from keras import layers, ops

from srexp.enhance.runtimes.onnx_graph import onnx_model
from srexp.errors import RequestError
from tests.enhance.runtimes.onnx_oracle import SIZES, chain, largest_difference

LAYERS = {
    "strides": lambda: [layers.Conv2D(5, 3, strides=2, padding="same")],
    "dilation": lambda: [layers.Conv2D(5, 3, dilation_rate=2, padding="same", activation="tanh")],
    "even kernel": lambda: [layers.Conv2D(5, 4, padding="same", use_bias=False)],
    "groups": lambda: [layers.Conv2D(8, 3, groups=2, padding="same", activation="sigmoid")],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="elu")],
    "separable": lambda: [layers.SeparableConv2D(5, 3, padding="same", activation="silu")],
    "transposed": lambda: [layers.Conv2DTranspose(5, 5, strides=2, padding="same", activation="relu6")],
    "transposed, even": lambda: [layers.Conv2DTranspose(5, 4, strides=3, padding="same", activation="softplus")],
    "nearest": lambda: [layers.UpSampling2D((3, 2), interpolation="nearest")],
    "bilinear": lambda: [layers.UpSampling2D(3, interpolation="bilinear")],
    "bicubic, uneven": lambda: [layers.UpSampling2D((3, 2), interpolation="bicubic")],
    "no upsampling": lambda: [layers.UpSampling2D(1, interpolation="bicubic")],
    "activations": lambda: [layers.Activation(name) for name in ("leaky_relu", "linear", "relu")],
    "relu": lambda: [layers.ReLU(), layers.ReLU(max_value=0.7), layers.ReLU(negative_slope=0.3)],
    "leaky": lambda: [layers.Rescaling(2.0, -1.0), layers.ReLU(max_value=0.5, negative_slope=0.3), layers.ELU(0.7)],
    "leaky layers": lambda: [layers.Rescaling(2.0, -1.0), layers.LeakyReLU(0.2), layers.PReLU(shared_axes=[1, 2])],
    "normalised": lambda: [layers.BatchNormalization(), layers.Dropout(0.5), layers.Identity()],
    "averaged": lambda: [layers.AveragePooling2D(3, strides=1, padding="same")],
    "averaged over all": lambda: [layers.GlobalAveragePooling2D(keepdims=True), ops.sqrt],
    "normalised pixels": lambda: [layers.LayerNormalization(epsilon=1e-5), layers.Activation("gelu")],
    "normalised pixels, no weights": lambda: [layers.LayerNormalization(center=False, scale=False)],
    "nested": lambda: [keras.Sequential([keras.Input((None, None, 4)), layers.Conv2D(3, 3), layers.ReLU()])],
    "zeros around": lambda: [lambda x: ops.pad(x, ((0, 0), (2, 1), (0, 3), (0, 0)))],
    "repeated": lambda: [lambda x: ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")] * 3,
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(randomised, name):
    sizes = SIZES[-1:] if name == "nested" else SIZES  # valid padding needs some pixels
    assert largest_difference(randomised(chain(*LAYERS[name]())), channels=4, sizes=sizes) < 5e-6


@pytest.mark.parametrize("merge", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_merging(merge):
    image = keras.Input((None, None, 2))
    other = layers.Rescaling([0.5, 3.0], [0.1, -0.2])(image)
    assert largest_difference(keras.Model(image, getattr(layers, merge)()([image, other])), channels=2) < 1e-6


def test_a_branch_before_repeated_padding_keeps_its_own():
    image = keras.Input((None, None, 1))
    once = ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    twice = ops.pad(once, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    model = keras.Model(image, layers.Concatenate()([once, layers.DepthwiseConv2D(3)(twice)]))
    assert largest_difference(model) < 1e-6


class Own(layers.Layer):
    def call(self, inputs):
        return inputs * 2


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (layers.GlobalMaxPooling2D, "GlobalMaxPooling2D"),
        (layers.GlobalAveragePooling2D, "GlobalAveragePooling2D with keepdims=False"),
        (lambda: layers.AveragePooling2D(2), "AveragePooling2D with a stride"),
        (lambda: ops.exp, "Exp"),
        (Own, "Own"),
        (lambda: layers.Conv2D(4, 3, activation=lambda x: x * 2), "the activation <lambda>"),
        (lambda: layers.UpSampling2D(2, interpolation="lanczos3"), "lanczos3"),
        (lambda: layers.Conv2DTranspose(4, 3, padding="same", dilation_rate=2), "dilation"),
        (lambda: layers.ReLU(threshold=0.5), "threshold=0.5"),
        (lambda: lambda x: ops.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="symmetric"), "symmetric"),
        (lambda: lambda x: ops.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=1.0), "zero"),
    ],
)
def test_what_has_no_translation_is_named(step, named):
    with pytest.raises(RequestError, match="no translation to ONNX") as refused:
        onnx_model(chain(step()))
    assert named in str(refused.value)
