"""ETDS: plain 3 x 3 convolutions that are trained as two streams, one for detail and one that keeps the image.

J. Chao, Z. Zhou, H. Gao, J. Gong, Z. Yang, Z. Zeng, L. Dehbi: Equivalent transformation and dual stream network
construction for mobile image super-resolution. CVPR 2023, https://github.com/ECNUSR/ETDS
"""

from typing import Literal

import numpy as np

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.folding import branched, folded
from srexp.models.layers.pixel_shuffle import pixel_shuffle
from srexp.models.sizes import positive


def check_size(scale: int, channels: int, blocks: int, width: int) -> None:
    """Refuse what can't be built.

    Args:
        scale: How many times larger the restored image is.
        channels: Of the image.
        blocks: Convolutions between the first and the last.
        width: Features of both streams together.

    Raises:
        RequestError: A size is too small, or nothing is left for detail beside the image.
    """
    positive("blocks")(scale=scale, channels=channels, blocks=blocks)
    if width <= channels:
        raise RequestError(
            "model.width leaves no feature for detail beside the image",
            got=width,
            expected=f"more than the {channels} channels of the image",
            fix="model.width=32",
        )


@checked_by(check_size)
def build(
    scale: int,
    channels: int,
    *,
    blocks: int = 4,
    width: int = 32,
    form: Literal["trained", "folded"] = "trained",
    name: str = "etds",
) -> "keras.Model":
    """Build ETDS: `blocks + 2` convolutions of 3 x 3 with ReLU between them, and a pixel shuffle.

    In the trained form as many features as the image has channels are a stream of their own, to which the others don't
    contribute, and which begins as the image itself; training begins with the enlarged pixels. Folded, the streams are
    one, and two ReLU layers clamp the image to [0, 1]: the last convolution gives 1 - image, and one of 1 x 1 turns it
    back. A training ends by folding; it leaves the clamp out, since scoring and writing clamp. Theirs are the streams,
    how they begin and the folded network; ours is that both are trained from the first step, by the loss of the sum.
    Zeros lie around the image and the features. Layers have the names of the authors', whose weights `adopt` takes in
    the folded form.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        blocks: M of M4C32: convolutions between the first and the last.
        width: C of M4C32: features; published are T (M5C16), S (M4C32), M (M6C32) and L (M7C48).
        form: As two streams, to be trained, or as plain convolutions.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; folded 38,488 weights for M4C32, one
        channel, x2.

    Raises:
        RequestError: A size is too small.

    Example:
        >>> from srexp.evaluation.cost import cost
        >>> cost(build(scale=2, channels=1, form="folded")).parameters
        38488
    """
    detail = width - channels
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = branched(low, lambda padded: _streams(padded, padded, detail), name="conv_first")
    for number in range(blocks):
        features = keras.layers.ReLU(name=f"relu_{number}")(features)
        features = branched(
            features,
            lambda padded: _streams(padded, _picked(padded, channels), detail),
            name=f"backbone_convs.{number}",
        )
    features = keras.layers.ReLU(name=f"relu_{blocks}")(features)
    # float32: an image comes out of it.
    last = keras.layers.Conv2D(channels * scale**2, 3, padding="same", dtype="float32", name="conv_last")
    restored = pixel_shuffle(last(features), scale, channels, name="pixel_shuffle")
    kernel, bias = last.get_weights()
    kernel[:, :, detail:] = 0
    kernel[1, 1, detail:] = np.repeat(np.eye(channels), scale**2, axis=1)
    last.set_weights([kernel, bias])
    model = keras.Model(low, restored, name=name)
    return model if form == "trained" else clamped(folded(model), scale)


def _streams(features: "keras.KerasTensor", image: "keras.KerasTensor", detail: int) -> "keras.KerasTensor":
    """Go on with both streams: detail comes of all features, the image of itself, at first unchanged."""
    channels = image.shape[-1]
    inner, outer = keras.layers.Conv2D(detail, 3), keras.layers.Conv2D(channels, 3)
    leaving = keras.layers.Concatenate()([inner(features), outer(image)])
    if features is not image:
        kernel, bias = inner.get_weights()
        kernel[:, :, -channels:] = 0
        inner.set_weights([kernel, bias])
    kernel, bias = outer.get_weights()
    kernel[:] = 0
    kernel[1, 1] = np.eye(channels)
    outer.set_weights([kernel, bias])
    return leaving


def _picked(features: "keras.KerasTensor", channels: int) -> "keras.KerasTensor":
    """Take the last features by fixed ones, since Keras has no layer for it."""
    pick = keras.layers.Conv2D(channels, 1, use_bias=False, trainable=False)
    picked = pick(features)
    pick.set_weights([np.eye(features.shape[-1], dtype=np.float32)[np.newaxis, np.newaxis, :, -channels:]])
    return picked


def clamped(plain: "keras.Model", scale: int) -> "keras.Model":
    """Give the authors' network for a folded one: what it restores, clamped to [0, 1].

    Args:
        plain: The network after its training.
        scale: How many times larger the restored image is.

    Returns:
        A network with a layer of 1 x 1 and two of ReLU more.
    """
    squares = plain.get_layer("conv_last")
    *_, channels = plain.output_shape
    # The authors make 28 features of 27, which no memory holds side by side, and leave one out.
    count = squares.filters + (scale == 3 and channels == 3)  # noqa: PLR2004
    last = keras.layers.Conv2D(count, 3, padding="same", activation="relu", dtype="float32", name="conv_last")
    clip = keras.layers.Conv2D(count, 1, activation="relu", dtype="float32", name="conv_clip")
    image = pixel_shuffle(clip(last(squares.input)), scale, channels, name="pixel_shuffle")
    kernel, bias = squares.get_weights()
    more = count - squares.filters
    last.set_weights([-np.pad(kernel, ((0, 0), (0, 0), (0, 0), (0, more))), 1 - np.pad(bias, (0, more))])
    clip.set_weights([-np.eye(count, dtype=np.float32)[np.newaxis, np.newaxis], np.ones(count, np.float32)])
    return keras.Model(plain.input, image, name=plain.name)
