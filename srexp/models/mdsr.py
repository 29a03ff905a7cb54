"""MDSR: EDSR's blocks shared by several scales, each with a beginning and an end of its own.

B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee: Enhanced deep residual networks for single image super-resolution. CVPR
Workshops 2017, https://arxiv.org/abs/1707.02921; authors' code: https://github.com/sanghyun-son/EDSR-PyTorch

Layers have the names and the order of the authors' modules: `head.0`, `pre_process.S.0.body.0`, ... (S is 0, 1, 2 for
x2, x3, x4), for each block `body.N.body.0`, `body.N.body.2`, then `body.16` (the number of blocks), `upsample.S.0`, at
x4 also `upsample.S.2`, and `tail.0`. Images are in grey levels of 255 within.
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.convolution import convolve
from srexp.models.layers.edsr import enlarged, scaled_block
from srexp.models.layers.grey_levels import MEAN, from_levels, to_levels
from srexp.models.sizes import positive

#: The authors' scales, in the order of their branches.
SCALES = (2, 3, 4)


@checked_by(positive("width", "blocks"))
def build(scale: int, channels: int, *, width: int = 64, blocks: int = 16, name: str = "mdsr") -> "keras.Model":
    """Build MDSR as it is at one scale: its head, body and tail, and of the branches the one of this scale.

    The authors train one network with all branches and switch between them; a network here has one input and one scale,
    so theirs is three of these whose layers `head`, `body` and `tail` are the same. A trained MDSR can be taken
    apart into them by the names of its layers; they are not trained together. `blocks=80` is the paper's size.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour, from which the mean of photographs is taken).
        width: Features.
        blocks: Residual blocks that the scales share.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32. With the branches of x2, x3 and x4 there
        are 3,224,897 weights for the defaults and one channel; what is built here for x2 has 1,777,409 of them.

    Raises:
        RequestError: A size is too small.
    """
    branch = SCALES.index(scale) if scale in SCALES else f"x{scale}"
    mean = MEAN if channels == len(MEAN) else (0.0,)
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = convolve(to_levels(low, mean), width, name="head.0")
    for number in (0, 1):
        features = scaled_block(features, kernel=5, name=f"pre_process.{branch}.{number}")
    begun = features
    for number in range(blocks):
        features = scaled_block(features, name=f"body.{number}")
    features = keras.layers.Add(name="trunk")([convolve(features, width, name=f"body.{blocks}"), begun])
    restored = convolve(enlarged(features, scale, name=f"upsample.{branch}"), channels, dtype="float32", name="tail.0")
    return keras.Model(low, from_levels(restored, mean), name=name)
