"""RFDN: convolutions that add their input, beside 1 x 1 layers that distil half of the features.

J. Liu, J. Tang, G. Wu: Residual feature distillation network for lightweight image super-resolution. ECCV Workshops
2020, https://arxiv.org/abs/2009.11551; authors' code and weights of the form that won the AIM 2020 challenge:
https://github.com/njulj/RFDN

Layers have the names and the order of the authors' modules: `fea_conv`, for each block B1, B2, ... `c1_d`, `c1_r`,
`c2_d`, `c2_r`, `c3_d`, `c3_r`, `c4`, `c5`, `esa.conv1`, `esa.conv_f`, `esa.conv_max`, `esa.conv2`, `esa.conv3`,
`esa.conv3_`, `esa.conv4`, then `c.0`, `LR_conv`, `upsampler.0`. For `esa` the paper's form has `cca.conv_du.0` and
`cca.conv_du.2`. Images are in grey levels of 255 within, as in their code.
"""

from typing import Literal

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.attention import contrast_attention
from srexp.models.layers.convolution import convolve, sub_pixel
from srexp.models.layers.grey_levels import from_levels, to_levels
from srexp.models.layers.leaky_relu import leaky_relu
from srexp.models.layers.spatial_attention import spatial_attention
from srexp.models.sizes import at_least

#: Part of the negative values that is kept.
SLOPE = 0.05


@checked_by(at_least(width=4, blocks=1))
def build(
    scale: int,
    channels: int,
    *,
    width: int = 50,
    blocks: int = 4,
    form: Literal["aim", "paper"] = "aim",
    name: str = "rfdn",
) -> "keras.Model":
    """Build RFDN: blocks of distillation with attention, all of whose outputs are joined, and one pixel shuffle.

    It looks at the whole image through its attention, so `enhance` never tiles it.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features; half of them are distilled. `form=paper` has 48.
        blocks: Blocks of distillation. `form=paper` has 6.
        form: `aim` is the authors' code: spatial attention, no skip around a block. `paper` has channel attention and
            adds a block's input to its output; where the paper's skip ends no public text says, so that place is ours.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 417,212 weights for the defaults, three
        channels, x2, and 534,036 for 48 x 6 in the paper's form.

    Raises:
        RequestError: A size is too small.
    """
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = head = convolve(to_levels(low), width, name="fea_conv")
    outputs = []
    for number in range(1, blocks + 1):
        block = f"B{number}"
        fused = _distilled(features, name=block)
        if form == "aim":
            inner = ("conv_max", "conv3", "conv3_")
            features = spatial_attention(fused, width // 4, inner=inner, name=f"{block}.esa")
        else:
            weighed = contrast_attention(fused, 4, name=f"{block}.cca")
            features = keras.layers.Add(name=block)([weighed, features])
        outputs.append(features)
    joined = keras.layers.Concatenate(name="joined")(outputs) if blocks > 1 else features
    fused = leaky_relu(convolve(joined, width, 1, name="c.0"), SLOPE, name="c.1")
    features = convolve(fused, width, name="LR_conv")
    features = keras.layers.Add(name="trunk")([features, head])
    restored = sub_pixel(features, scale, channels, name="upsampler.0")
    return keras.Model(low, from_levels(restored), name=name)


def _distilled(features: "keras.KerasTensor", *, name: str) -> "keras.KerasTensor":
    """Distil half of the features three times beside convolutions that add their input, and join what was distilled."""
    width = features.shape[-1]

    def leaky(value: "keras.KerasTensor", layer: str) -> "keras.KerasTensor":
        return leaky_relu(value, SLOPE, name=f"{name}.{layer}_act")

    distilled, rest = [], features
    for number in (1, 2, 3):
        distilled.append(leaky(convolve(rest, width // 2, 1, name=f"{name}.c{number}_d"), f"c{number}_d"))
        refined = convolve(rest, width, name=f"{name}.c{number}_r")
        rest = leaky(keras.layers.Add(name=f"{name}.sum{number}")([refined, rest]), f"c{number}_r")
    distilled.append(leaky(convolve(rest, width // 2, name=f"{name}.c4"), "c4"))
    joined = keras.layers.Concatenate(name=f"{name}.distilled")(distilled)
    return convolve(joined, width, 1, name=f"{name}.c5")
