"""The gradient of a convolution's weights as products of matrices, where oneDNN's own is the slow part of a step.

With AVX2 alone, oneDNN takes nearly half of a training step of VDSR for these gradients, at half of the processor's
product rate or less. `tests/benchmarks/bench_weight_gradients.py` measures both.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from srexp.lazy_imports import keras, tf
from srexp.system.kernels import choice

#: Kernels of this side gain, from this many features on, before and after: narrower ones lost.
SIDE, FEATURES = 3, 48


def take_products(network: keras.Model) -> None:
    """Let wide 3 x 3 convolutions of a network that will be trained take the gradient of their weights as products.

    Nothing is changed but how the gradient is added up: weights, layers and what is saved stay as they are. Where it
    isn't known to be faster, nothing is changed at all: on GPUs, with AVX-512, with Eigen's kernels.

    Args:
        network: As built; convolutions in bfloat16 keep TensorFlow's gradient.
    """
    if choice.instruction_set() != "avx2" or choice.in_force() != "onednn" or tf.config.list_physical_devices("GPU"):
        return
    for layer in network.layers:
        if gains(layer):
            layer.convolution_op = partial(_convolve, name=layer.name)


def gains(layer: keras.Layer) -> bool:
    """Say whether a layer is such a convolution: 3 x 3, wide, in float32, and of every pixel."""
    return (
        isinstance(layer, keras.layers.Conv2D)
        and (layer.kernel_size, layer.padding) == ((SIDE, SIDE), "same")
        and layer.strides == layer.dilation_rate == (1, 1)
        and (layer.groups, layer.data_format, layer.compute_dtype) == (1, "channels_last", "float32")
        and min(layer.kernel.shape[2:]) >= FEATURES
    )


def gradient_of_weights(low: tf.Tensor, incoming: tf.Tensor) -> tf.Tensor:
    """Give the gradient of a 3 x 3 convolution's weights, as three products of tall matrices.

    The weights at (i, j) have the sum of `low[y + i - 1, x + j - 1]` times `incoming[y, x]` over all pixels. All rows
    of all images are one line here, with zeros between rows and between images: i rows further down is a start further
    on. The three columns j are one wide matrix, for which what comes in is shifted.

    Args:
        low: What the layer was given, `(n, h, w, a)`, float32; zeros are around it.
        incoming: Gradient of what it gave, `(n, h, w, b)`, float32.

    Returns:
        (3, 3, a, b), float32.
    """
    with tf.control_dependencies([incoming]):  # else every layer's copy is made on the way forth, and kept
        low = tf.pad(low, [[0, 0], [1, 0], [1, 0], [0, 0]])
    # What two columns push out of a row would meet the zeros before the next one.
    parts = ((0, 1, incoming), (1, 0, incoming), (2, 0, incoming[:, :, :-1]))
    shifted = [tf.pad(part, [[0, 0], [0, 1], [left, right], [0, 0]]) for left, right, part in parts]
    before, after = low.shape[-1], incoming.shape[-1]
    images, height, width = tf.unstack(tf.shape(low)[:3])
    rows = images * height
    lines = tf.reshape(low, (rows, width * before))
    wide = tf.reshape(tf.concat(shifted, -1), (rows, width * SIDE * after))
    sums = [
        tf.matmul(
            tf.reshape(lines[i:], (-1, before)), tf.reshape(wide[: rows - i], (-1, SIDE * after)), transpose_a=True
        )
        for i in range(SIDE)
    ]
    return tf.transpose(tf.reshape(tf.stack(sums), (SIDE, before, SIDE, after)), (0, 2, 1, 3))


def _convolve(inputs: tf.Tensor, kernel: Any, *, name: str) -> Any:
    """Take the place of a layer's `convolution_op`; its gradient has the layer's name in a profile."""

    def convolve(low: tf.Tensor, weights: tf.Tensor) -> Any:
        def gradient(incoming: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.name_scope(f"gradient_tape/products/{name}"):
                of_weights = gradient_of_weights(low, incoming)
                with tf.control_dependencies([of_weights]):  # one layer after the other: each takes memory
                    sizes, options = tf.shape(low), {"strides": [1, 1, 1, 1], "padding": "SAME"}
                    of_low = tf.raw_ops.Conv2DBackpropInput(
                        input_sizes=sizes, filter=weights, out_backprop=incoming, **options
                    )
            return of_low, of_weights

        return tf.nn.conv2d(low, weights, 1, "SAME"), gradient

    return tf.custom_gradient(convolve)(inputs, tf.convert_to_tensor(kernel))
