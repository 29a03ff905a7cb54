"""RLFN: three convolutions and an attention to a block, without the branches of distillation.

F. Kong, M. Li, S. Liu, D. Liu, J. He, Y. Bai, F. Chen, L. Fu: Residual local feature network for efficient
super-resolution. CVPR Workshops 2022, https://arxiv.org/abs/2205.07514; authors' code and weights (Apache-2.0):
https://github.com/bytedance/RLFN

Layers have the names and the order of the authors' modules: `conv_1`, for each block block_1 to block_6 `c1_r`, `c2_r`,
`c3_r`, `c5`, `esa.conv1`, `esa.conv_f`, `esa.conv2`, `esa.conv3`, `esa.conv4`, then `conv_2`, `upsampler.0`.
Images are in grey levels of 255 within, as in their code.
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.convolution import convolve, sub_pixel
from srexp.models.layers.grey_levels import from_levels, to_levels
from srexp.models.layers.leaky_relu import leaky_relu
from srexp.models.layers.spatial_attention import spatial_attention
from srexp.models.sizes import at_least

#: Part of the negative values that is kept.
SLOPE = 0.05


@checked_by(at_least(width=1, blocks=1, attention=1))
def build(
    scale: int, channels: int, *, width: int = 52, blocks: int = 6, attention: int = 16, name: str = "rlfn"
) -> "keras.Model":
    """Build RLFN: residual blocks of three convolutions with spatial attention, and one pixel shuffle.

    `width=48` is the authors' small form, RLFN-S. The grid of the attention lies on the whole image, so `enhance` never
    tiles it.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features.
        blocks: Residual blocks.
        attention: Features within the attention.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 526,856 weights for the defaults, three
        channels, x2.

    Raises:
        RequestError: A size is too small.
    """
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = head = convolve(to_levels(low), width, name="conv_1")
    for number in range(1, blocks + 1):
        block = f"block_{number}"
        inner = features
        for layer in ("c1_r", "c2_r", "c3_r"):
            inner = convolve(inner, width, name=f"{block}.{layer}")
            inner = leaky_relu(inner, SLOPE, name=f"{block}.{layer}_act")
        mixed = convolve(keras.layers.Add(name=f"{block}.sum")([inner, features]), width, 1, name=f"{block}.c5")
        features = spatial_attention(mixed, attention, inner=("conv3",), name=f"{block}.esa")
    features = keras.layers.Add(name="trunk")([convolve(features, width, name="conv_2"), head])
    restored = sub_pixel(features, scale, channels, name="upsampler.0")
    return keras.Model(low, from_levels(restored), name=name)
