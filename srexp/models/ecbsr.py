"""ECBSR: plain 3 x 3 convolutions on the low-resolution image that are trained as edge-oriented branches.

X. Zhang, H. Zeng, L. Zhang: Edge-oriented convolution block for real-time super resolution on mobile devices. ACM
Multimedia 2021, https://doi.org/10.1145/3474085.3475291
"""

from typing import Literal

import numpy as np

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.initializers import Weights
from srexp.models.layers.folding import branched, folded
from srexp.models.layers.pixel_shuffle import pixel_shuffle
from srexp.models.sizes import positive

#: What the edge branches look for (section 3.2): Sobel across and down, Laplacian.
_EDGES = {
    "across": ((1, 0, -1), (2, 0, -2), (1, 0, -1)),
    "down": ((1, 2, 1), (0, 0, 0), (-1, -2, -1)),
    "round": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
}


@checked_by(positive("blocks", "width"))
def build(
    scale: int,
    channels: int,
    *,
    blocks: int = 4,
    width: int = 16,
    form: Literal["trained", "folded"] = "trained",
    name: str = "ecbsr",
) -> "keras.Model":
    """Build ECBSR: `blocks + 2` convolutions of 3 x 3 with PReLU between them, added to the enlarged pixels, shuffled.

    In the trained form each convolution is the sum of five branches: 3 x 3; 1 x 1 to twice the width, then 3 x 3; and
    three of 1 x 1, then a fixed edge filter times a factor for each feature. A training ends by folding them, which
    changes the result by rounding only. Zeros lie around the image and the features. Layers have the names of those of
    https://github.com/ECNUSR/ETDS, whose weights `adopt` takes in the folded form.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        blocks: M of M4C16: convolutions between the first and the last.
        width: C of M4C16: features of each; M4C16, M4C32 and M6C40 were published.
        form: With branches, to be trained, or as plain convolutions.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; folded 10,100 weights for M4C16, one
        channel, x2.

    Raises:
        RequestError: A size is too small.

    Example:
        >>> from srexp.evaluation.cost import cost
        >>> cost(build(scale=2, channels=1, form="folded")).parameters
        10100
    """
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = low
    for number in range(blocks + 1):
        features = branched(features, lambda padded: _branches(padded, width), name=f"backbone.{number}.0")
        slope = keras.initializers.Constant(0.25)
        features = keras.layers.PReLU(alpha_initializer=slope, shared_axes=[1, 2], name=f"backbone.{number}.1")(
            features
        )
    squares = branched(features, lambda padded: _branches(padded, channels * scale**2), name=f"backbone.{blocks + 1}.0")
    shuffled = pixel_shuffle(squares, scale, channels, name="pixel_shuffle")
    # The authors repeat each channel before the shuffle, which is the same.
    enlarged = keras.layers.UpSampling2D(scale, interpolation="nearest", dtype="float32", name="enlarged")(low)
    restored = keras.layers.Add(dtype="float32", name="restored")([shuffled, enlarged])
    model = keras.Model(low, restored, name=name)
    return model if form == "trained" else folded(model)


def _branches(padded: "keras.KerasTensor", filters: int) -> "keras.KerasTensor":
    """Give the sum of the five branches of an edge-oriented convolution block (section 3.2)."""

    def convolve(features: "keras.KerasTensor", width: int, kernel: int) -> "keras.KerasTensor":
        return keras.layers.Conv2D(width, kernel)(features)

    sums = [convolve(padded, filters, 3), convolve(convolve(padded, 2 * filters, 1), filters, 3)]
    for name, mask in _EDGES.items():
        edges = keras.layers.DepthwiseConv2D(3, use_bias=False, trainable=False, name=name)
        found = edges(convolve(padded, filters, 1))
        edges.set_weights([_repeated(mask, filters)])
        small = keras.initializers.RandomNormal(stddev=1e-3)
        sums.append(keras.layers.DepthwiseConv2D(1, depthwise_initializer=small, bias_initializer=small.clone())(found))
    return keras.layers.Add()(sums)


def _repeated(mask: tuple[tuple[int, ...], ...], filters: int) -> "Weights":
    """Give the kernel of a depthwise convolution, (3, 3, filters, 1), from one that all features share."""
    return np.repeat(np.array(mask, np.float32)[:, :, np.newaxis, np.newaxis], filters, axis=2)
