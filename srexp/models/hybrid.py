"""Hybrid of SRCNN and VDSR: wide first layers and residual depth, both on the pixels of the low-resolution image.

The published comparison of the two proposes such a network as future work. SRCNN (C. Dong et al., TPAMI 38(2), 2016)
gives the wide patch extraction and the 1 x 1 mapping, VDSR (J. Kim et al., CVPR 2016) the depth and the residual over
bicubic interpolation. That features need no more pixels than the input has is from C. Dong et al., Accelerating the
super-resolution convolutional neural network, ECCV 2016, https://arxiv.org/abs/1608.00367; the residual blocks are
those of B. Lim et al., EDSR, CVPRW 2017, https://arxiv.org/abs/1707.02921
"""

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.head import head
from srexp.models.layers.residual import residual_block
from srexp.models.layers.upsampling import begin, finish

#: Side of the first kernel; 5 low-resolution pixels are 10 of the image at x2, as SRCNN's 9.
EXTRACT = 5


def check_size(wide: int, width: int, blocks: int) -> None:
    """Refuse sizes that cannot be built.

    Args:
        wide: Filters of the first layer.
        width: Filters of the blocks.
        blocks: Residual blocks.

    Raises:
        RequestError: Too small, or an odd number of filters that should be pairs.
    """
    if wide < 2 or wide % 2:  # noqa: PLR2004 one pair
        raise RequestError("model.wide cannot be built", got=wide, expected="an even number", fix="model.wide=64")
    for key, value, usual in (("width", width, 48), ("blocks", blocks, 5)):
        if value < 1:
            raise RequestError(f"model.{key} is too small", got=value, expected="1 or more", fix=f"model.{key}={usual}")


@checked_by(check_size)
def build(
    scale: int,
    channels: int,
    *,
    wide: int = 64,
    width: int = 48,
    blocks: int = 5,
    name: str = "hybrid",
) -> "keras.Model":
    """Build the hybrid: extract, shrink, residual blocks, then one transposed convolution that adds what bicubic lacks.

    At x2 a layer costs a quarter of what it would on the enlarged image, at x4 a sixteenth. Training begins at bicubic
    quality: the blocks hand their input through, and the last layer is zero. Around the image its outermost pixels are
    repeated; zeros around the features keep the size.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        wide: Filters of the 5 x 5 layer; even, since they begin as pairs of opposite sign.
        width: Filters after the 1 x 1 layer, in all blocks.
        blocks: Residual blocks of two 3 x 3 convolutions each.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 214,353 weights for the defaults, one
        channel, x2.

    Raises:
        RequestError: `wide`, `width` or `blocks` can't be built.

    Example:
        >>> build(scale=2, channels=1).count_params()
        214353
    """
    low, enlarged = begin(scale, channels)
    patches = head(low, wide, EXTRACT, activation="relu", name="extract")
    features = keras.layers.Conv2D(width, 1, kernel_initializer="orthogonal", name="shrink")(patches)
    for number in range(1, blocks + 1):
        features = residual_block(features, name=f"block_{number}")
    return keras.Model(low, finish(enlarged, features, scale), name=name)
