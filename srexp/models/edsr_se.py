"""EDSR with squeeze and excitation: residual blocks whose branches are weighed by what is in the whole image.

After the generator of SE-GAN of X. Bing, W. Zhang, L. Zheng, Y. Zhang: IEEE Access 7 (2019) 145766. It is not their
network: what is public of that doesn't fix one. By itself it is a network as any other.

- Theirs: a simplified EDSR with squeeze and excitation in its blocks.
- Ours: half of EDSR's blocks, the statistic (mean and standard deviation), factors from 0 to 2 that begin at 1, every
  number, one transposed convolution at the end, the sum with bicubic interpolation, the initial weights.

EDSR is B. Lim et al., CVPRW 2017, https://arxiv.org/abs/1707.02921
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.initializers import small
from srexp.models.layers.attention import mean_and_deviation, weigh
from srexp.models.layers.head import head
from srexp.models.layers.residual import residual_block
from srexp.models.layers.upsampling import begin, finish
from srexp.models.sizes import positive


@checked_by(positive("width", "blocks", "reduction"))
def build(
    scale: int, channels: int, *, width: int = 64, blocks: int = 8, reduction: int = 4, name: str = "edsr_se"
) -> "keras.Model":
    """Build the network: residual blocks with attention, a skip around all of them, and one transposed convolution.

    Attention looks at the whole image. Training begins at bicubic quality, since the last layer is zero.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features.
        blocks: Residual blocks of two convolutions each.
        reduction: How many times fewer features attention has between its two layers.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 647,745 weights for the defaults, one
        channel, x2.

    Raises:
        RequestError: A size is less than 1.

    Example:
        >>> build(scale=2, channels=1).count_params()
        647745
    """
    low, enlarged = begin(scale, channels)
    features = level = head(low, width, 3, name="head")
    for number in range(1, blocks + 1):
        level = _block(level, max(1, width // reduction), f"block_{number}")
    joined = keras.layers.Conv2D(width, 3, padding="same", kernel_initializer=small(), name="trunk_join")(level)
    trunk = keras.layers.Add(name="trunk")([features, joined])
    return keras.Model(low, finish(enlarged, trunk, scale), name=name)


def _block(features: "keras.KerasTensor", hidden: int, name: str) -> "keras.KerasTensor":
    def attend(branch: "keras.KerasTensor") -> "keras.KerasTensor":
        statistic = mean_and_deviation(branch, name=f"{name}_statistic")
        return weigh(branch, statistic, hidden, neutral=True, name=f"{name}_weigh")

    return residual_block(features, name=name, ending=small(), attend=attend)
