"""VDSR: a deep stack of small convolutions that predicts what bicubic interpolation lacks.

J. Kim, J. K. Lee, K. M. Lee: Accurate image super-resolution using very deep convolutional networks. CVPR 2016,
https://arxiv.org/abs/1511.04587
"""

from typing import Literal

import numpy as np

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras
from srexp.models.initializers import detail_filters, mirrored, scattered
from srexp.models.layers.borders import repeat_border
from srexp.models.layers.upsampling import begin

#: It enlarges first, so its weights are the same at every scale; a network without this serves that it is built for.
ANY_SCALE = True


def check_size(depth: int, width: int, start: str) -> None:
    """Refuse a stack that cannot be built.

    Args:
        depth: Convolutions.
        width: Filters of each hidden layer.
        start: Initial weights.

    Raises:
        RequestError: Too small, or an odd width that cannot be mirrored.
    """
    if depth < 2:  # noqa: PLR2004 a first and a last layer
        raise RequestError("model.depth is too small", got=depth, expected="2 or more", fix="model.depth=20")
    if width < 1 or (start == "copy" and width % 2):
        raise RequestError(
            "model.width cannot be built", got=width, expected="an even number for start=copy", fix="model.width=64"
        )


@checked_by(check_size)
def build(
    scale: int,
    channels: int,
    *,
    depth: int = 20,
    width: int = 64,
    start: Literal["copy", "paper"] = "copy",
    border: Literal["repeat", "zeros"] = "repeat",
    name: str = "vdsr",
) -> "keras.Model":
    """Build VDSR: `depth` convolutions of 3 x 3, whose output is added to the bicubic image (section 3 of the paper).

    Zeros around its features keep the size, as in the paper; what lies around the image is `border`.

    Args:
        scale: How many times larger the restored image is; bicubic interpolation comes first.
        channels: 1 (grey) or 3 (colour).
        depth: Convolutions, the first and the last included.
        width: Filters of each hidden layer; even for `start=copy`.
        start: Initial weights. `copy`: orthogonal layers in mirrored pairs, each of which reads a neighbour of its own,
            and a zero last layer, so that training begins at bicubic quality, the gradient reaches every layer
            undiminished and the network looks around from its first step. `paper`: He normal (section 5.2).
        border: What the first layer sees around the image: its outermost pixels, repeated, or zeros as in the paper.
            Weights that were trained with one lose with the other: the authors' own 0.05 dB on Set5 at x2.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 665,921 weights for 20 x 64, one channel.

    Raises:
        RequestError: `depth` or `width` is too small, or `width` is odd with `start=copy`.

    Example:
        >>> build(scale=2, channels=1).count_params()
        665921
    """
    low, enlarged = begin(scale, channels)
    repeats = border == "repeat"
    features = repeat_border(enlarged, 1) if repeats else enlarged
    for number in range(1, depth):
        hidden = keras.layers.Conv2D(
            width,
            3,
            padding="valid" if number == 1 and repeats else "same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"hidden_{number:02d}",
        )
        features = hidden(features)
    # float32: the sum with the image needs more than the 8 significant bits of bfloat16.
    residual = keras.layers.Conv2D(
        channels, 3, padding="same", kernel_initializer="he_normal", dtype="float32", name="residual"
    )(features)
    restored = keras.layers.Add(dtype="float32", name="restored")([enlarged, residual])
    model = keras.Model(low, restored, name=name)
    if start == "copy":
        look_linear(model)
    return model


def look_linear(model: "keras.Model") -> None:
    """Make the stack of ReLU layers an orthogonal linear map of detail, followed by a last layer of zeros.

    Each feature comes from a neighbour of its own, so that the stack looks around from the start.

    Args:
        model: VDSR as built; its weights change in place.
    """
    first, *hidden, last = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    kernel, bias = first.get_weights()
    first.set_weights([detail_filters(kernel), bias])
    for layer in hidden:
        half = layer.filters // 2
        pairs = mirrored(np.asarray(keras.initializers.Orthogonal()((half, half))))
        rows, columns = np.asarray(keras.random.randint((2, half), 0, 3))
        layer.set_weights([scattered(pairs, rows, columns), layer.bias.numpy()])
    last.set_weights([np.zeros_like(weights) for weights in last.get_weights()])
