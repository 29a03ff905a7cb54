"""EDSR: residual blocks without normalization, on the pixels of the low-resolution image.

B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee: Enhanced deep residual networks for single image super-resolution. CVPR
Workshops 2017, https://arxiv.org/abs/1707.02921; authors' code: https://github.com/sanghyun-son/EDSR-PyTorch

Layers have the names and the order of the authors' modules: `head.0`, for each block `body.N.body.0`, `body.N.body.2`,
then `body.16` (the number of blocks), `tail.0.0`, at x4 also `tail.0.2`, and `tail.1`. Their `sub_mean` and `add_mean`
are fixed. Images are in grey levels of 255 within.
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.convolution import convolve
from srexp.models.layers.edsr import enlarged, scaled_block
from srexp.models.layers.grey_levels import MEAN, from_levels, to_levels
from srexp.models.sizes import positive


@checked_by(positive("width", "blocks"))
def build(
    scale: int, channels: int, *, width: int = 64, blocks: int = 16, share: float = 1.0, name: str = "edsr"
) -> "keras.Model":
    """Build EDSR: a head, residual blocks under one long skip, and stages that enlarge the features.

    The defaults are the paper's baseline. `width=256 blocks=32 share=0.1` is its full size, 40.7 million weights.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour, from which the mean of photographs is taken).
        width: Features.
        blocks: Residual blocks of two 3 x 3 convolutions.
        share: Part of a block's output that is added to its input; 0.1 keeps a wide network stable.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 1,367,553 weights for the defaults, one
        channel, x2.

    Raises:
        RequestError: A size is too small.
    """
    mean = MEAN if channels == len(MEAN) else (0.0,)
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = head = convolve(to_levels(low, mean), width, name="head.0")
    for number in range(blocks):
        features = scaled_block(features, share=share, name=f"body.{number}")
    features = keras.layers.Add(name="trunk")([convolve(features, width, name=f"body.{blocks}"), head])
    restored = convolve(enlarged(features, scale, name="tail.0"), channels, dtype="float32", name="tail.1")
    return keras.Model(low, from_levels(restored, mean), name=name)
