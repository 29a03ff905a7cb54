"""SPAN: blocks whose features are their own attention, without weights for it.

C. Wan, H. Yu, Z. Li, Y. Chen, Y. Zou, Y. Liu, X. Yin, K. Zuo: Swift parameter-free attention network for efficient
super-resolution. CVPR Workshops 2024, https://arxiv.org/abs/2311.12770; authors' code (Apache-2.0):
https://github.com/hongyuanyu/SPAN

Layers of the folded form have the names and the order of the authors' modules: `conv_1.eval_conv`, for each block
block_1 to block_6 `c1_r.eval_conv`, `c2_r.eval_conv`, `c3_r.eval_conv`, then `conv_cat`, `conv_2.eval_conv`,
`upsampler.0`. Within the branches of the trained form they are `sk`, `conv.0`, `conv.1`, `conv.2`.
"""

from collections.abc import Callable
from typing import Literal

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.convolution import convolve, sub_pixel
from srexp.models.layers.folding import branched
from srexp.models.layers.grey_levels import MEAN, to_levels
from srexp.models.sizes import at_least


@checked_by(at_least(width=1, blocks=2))
def build(
    scale: int,
    channels: int,
    *,
    width: int = 48,
    blocks: int = 6,
    form: Literal["trained", "folded"] = "trained",
    name: str = "span",
) -> "keras.Model":
    """Build SPAN: blocks of three convolutions weighed by their own output, of which four features are joined.

    The mean of photographs is taken from a colour image; from a grey one 0.5, which is ours. What the authors' code
    joins of the last block is its first convolution behind SiLU, since that works in place there.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features; the authors publish 48 and 52.
        blocks: Blocks of three convolutions.
        form: With the branches of each 3 x 3 convolution, to be trained, or as plain convolutions.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; folded 410,700 weights for the defaults,
        three channels, x2.

    Raises:
        RequestError: A size is too small.
    """
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    levels = to_levels(low, MEAN if channels == len(MEAN) else (0.5,))
    convolved = _branched if form == "trained" else _plain
    features = head = convolved(levels, width, name="conv_1")
    outputs = []
    for number in range(1, blocks + 1):
        features, inner = _block(features, convolved, name=f"block_{number}")
        outputs.append(features)
    last = convolved(features, width, name="conv_2")
    joined = keras.layers.Concatenate(name="joined")([head, last, outputs[0], inner])
    fused = convolve(joined, width, 1, name="conv_cat")
    return keras.Model(low, sub_pixel(fused, scale, channels, name="upsampler.0"), name=name)


def _block(
    features: "keras.KerasTensor", convolved: "Callable[..., keras.KerasTensor]", *, name: str
) -> "tuple[keras.KerasTensor, keras.KerasTensor]":
    """Give what a block makes of features, and what its first convolution does."""
    width = features.shape[-1]
    first = keras.layers.Activation("silu", name=f"{name}.act1")(convolved(features, width, name=f"{name}.c1_r"))
    second = keras.layers.Activation("silu", name=f"{name}.act2")(convolved(first, width, name=f"{name}.c2_r"))
    third = convolved(second, width, name=f"{name}.c3_r")
    gate = keras.layers.Activation("sigmoid", name=f"{name}.sigmoid")(third)
    centred = keras.layers.Rescaling(1.0, -0.5, name=f"{name}.attention")(gate)
    summed = keras.layers.Add(name=f"{name}.sum")([third, features])
    return keras.layers.Multiply(name=name)([summed, centred]), first


def _plain(features: "keras.KerasTensor", filters: int, *, name: str) -> "keras.KerasTensor":
    """Convolve as the branches do once they are folded."""
    return convolve(features, filters, name=f"{name}.eval_conv")


def _branched(features: "keras.KerasTensor", filters: int, *, name: str) -> "keras.KerasTensor":
    """Convolve by branches: 1 x 1 to twice the features, 3 x 3 and 1 x 1 back, beside 1 x 1 alone."""

    def branches(padded: "keras.KerasTensor") -> "keras.KerasTensor":
        inside = keras.layers.Cropping2D(1, name="inside")(padded)
        beside = convolve(inside, filters, 1, name="sk")
        wide = convolve(padded, 2 * padded.shape[-1], 1, name="conv.0")
        wide = convolve(wide, 2 * filters, padding="valid", name="conv.1")
        return keras.layers.Add(name="sum")([convolve(wide, filters, 1, name="conv.2"), beside])

    return branched(features, branches, name=f"{name}.eval_conv")
