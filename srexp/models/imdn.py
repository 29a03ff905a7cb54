"""IMDN: blocks that hand a quarter of their features on and refine the others, weighed by contrast.

Z. Hui, X. Gao, Y. Yang, X. Wang: Lightweight image super-resolution with information multi-distillation network. ACM
Multimedia 2019, https://arxiv.org/abs/1909.11856; authors' code: https://github.com/Zheng222/IMDN

Layers have the names and the order of the authors' modules: `fea_conv`, for each block IMDB1 to IMDB6 `c1`, `c2`, `c3`,
`c4`, `c5`, `cca.conv_du.0`, `cca.conv_du.2`, then `c.0`, `LR_conv`, `upsampler.0`.
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.attention import contrast_attention
from srexp.models.layers.convolution import convolve, sub_pixel
from srexp.models.layers.leaky_relu import leaky_relu
from srexp.models.sizes import at_least

#: Part of the negative values that is kept.
SLOPE = 0.05


@checked_by(at_least(width=4, blocks=1))
def build(scale: int, channels: int, *, width: int = 64, blocks: int = 6, name: str = "imdn") -> "keras.Model":
    """Build IMDN: blocks of distillation, all of whose outputs are joined, and one pixel shuffle.

    It looks at the whole image: contrast and mean of a feature over all pixels weigh it. So `enhance` never tiles it.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features; a quarter is distilled in each step.
        blocks: Blocks of distillation.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 694,404 weights for the defaults, three
        channels, x2.

    Raises:
        RequestError: A size is too small.
    """
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = head = convolve(low, width, name="fea_conv")
    outputs = []
    for number in range(1, blocks + 1):
        features = _block(features, name=f"IMDB{number}")
        outputs.append(features)
    joined = keras.layers.Concatenate(name="joined")(outputs) if blocks > 1 else features
    fused = leaky_relu(convolve(joined, width, 1, name="c.0"), SLOPE, name="c.1")
    features = convolve(fused, width, name="LR_conv")
    features = keras.layers.Add(name="trunk")([features, head])
    return keras.Model(low, sub_pixel(features, scale, channels, name="upsampler.0"), name=name)


def _block(features: "keras.KerasTensor", *, name: str) -> "keras.KerasTensor":
    """Distil a quarter of the features and refine the rest three times, weigh what was distilled, and add the input."""
    width = features.shape[-1]
    quarter = width // 4
    distilled, rest = [], features
    for number in (1, 2, 3):
        refined = leaky_relu(convolve(rest, width, name=f"{name}.c{number}"), SLOPE, name=f"{name}.c{number}_act")
        distilled.append(refined[:, :, :, :quarter])
        rest = refined[:, :, :, quarter:]
    distilled.append(convolve(rest, quarter, name=f"{name}.c4"))
    joined = keras.layers.Concatenate(name=f"{name}.distilled")(distilled)
    weighed = contrast_attention(joined, 16, name=f"{name}.cca")
    return keras.layers.Add(name=name)([convolve(weighed, width, 1, name=f"{name}.c5"), features])
