"""LKDN: blueprint separable convolutions that distil features, and attention by large kernels.

C. Xie, X. Zhang, L. Li, H. Meng, T. Zhang, T. Li, X. Zhao: Large kernel distillation network for efficient single
image super-resolution. CVPR Workshops 2023, https://arxiv.org/abs/2307.14220; authors' code and weights (MIT):
https://github.com/stella-von/LKDN

Layers have the names and the order of the authors' modules: `fea_conv.pw`, `fea_conv.dw`, then for each block B1 to B8
`c1_d`, `c1_r.pw`, `c1_r.dw`, `c2_d`, `c2_r.*`, `c3_d`, `c3_r.*`, `c4.*`, `c5`, `atten.pointwise`, `atten.depthwise`,
`atten.depthwise_dilated`, `c6`, `pixel_norm`, and `c1`, `c2.pw`, `c2.dw`, `upsampler.0`.
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.convolution import convolve, convolve_each, sub_pixel
from srexp.models.sizes import at_least


@checked_by(at_least(width=2, blocks=1))
def build(scale: int, channels: int, *, width: int = 56, blocks: int = 8, name: str = "lkdn") -> "keras.Model":
    """Build LKDN: blocks of distillation and attention, whose outputs are all joined, and one pixel shuffle.

    A feature looks 99 pixels far, by kernels of 5 and of 13 pixels (5 with gaps of 3) in each block. Images are in
    [0, 1], zeros surround them.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features.
        blocks: Blocks of distillation and attention.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 303,812 weights for the defaults, three
        channels, x2.

    Raises:
        RequestError: A size is too small.

    Example:
        >>> from srexp.evaluation.cost import cost
        >>> cost(build(scale=2, channels=3)).parameters
        303812
    """
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    four = keras.layers.Concatenate(name="four")([low] * 4)
    features = head = _separable(four, width, name="fea_conv")
    outputs = []
    for number in range(1, blocks + 1):
        features = _block(features, name=f"B{number}")
        outputs.append(features)
    joined = keras.layers.Concatenate(name="joined")(outputs) if blocks > 1 else features
    features = _separable(convolve(joined, width, 1, activation="gelu", name="c1"), width, name="c2")
    features = keras.layers.Add(name="trunk")([features, head])
    return keras.Model(low, sub_pixel(features, scale, channels, name="upsampler.0"), name=name)


def _separable(features: "keras.KerasTensor", filters: int, *, name: str) -> "keras.KerasTensor":
    """Blueprint separable convolution: 1 x 1 without bias, then each feature by itself."""
    return convolve_each(convolve(features, filters, 1, use_bias=False, name=f"{name}.pw"), 3, name=f"{name}.dw")


def _block(features: "keras.KerasTensor", *, name: str) -> "keras.KerasTensor":
    """Distil half of the features three times, join what was distilled, attend to it, and add the input."""
    width = features.shape[-1]

    def gelu(value: "keras.KerasTensor", layer: str) -> "keras.KerasTensor":
        return keras.layers.Activation("gelu", name=f"{name}.{layer}_act")(value)

    distilled, rest = [], features
    for number in (1, 2, 3):
        distilled.append(convolve(rest, width // 2, 1, activation="gelu", name=f"{name}.c{number}_d"))
        rest = gelu(_separable(rest, width, name=f"{name}.c{number}_r"), f"c{number}_r")
    distilled.append(gelu(_separable(rest, width // 2, name=f"{name}.c4"), "c4"))
    joined = keras.layers.Concatenate(name=f"{name}.distilled")(distilled)
    fused = convolve(joined, width, 1, name=f"{name}.c5")
    attention = convolve(fused, width, 1, name=f"{name}.atten.pointwise")
    attention = convolve_each(attention, 5, name=f"{name}.atten.depthwise")
    attention = convolve_each(attention, 5, dilation=3, name=f"{name}.atten.depthwise_dilated")
    attended = keras.layers.Multiply(name=f"{name}.atten")([fused, attention])
    mixed = convolve(attended, width, 1, name=f"{name}.c6")
    normal = keras.layers.LayerNormalization(axis=-1, epsilon=1e-5, name=f"{name}.pixel_norm")(mixed)
    return keras.layers.Add(name=name)([normal, features])
