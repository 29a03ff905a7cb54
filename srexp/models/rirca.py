"""Rirca: residual in residual, refinement without distillation, and channel attention that looks for detail.

After DRFDCAN of S. Umirzakova et al.: Bioengineering 10(11):1332, 2023, https://www.mdpi.com/2306-5354/10/11/1332. It
is not their network: what is public of that doesn't fix one.

- Theirs: RFDN's refinement without its distillation, a residual in a residual, channel attention that favours high
  frequencies, fewer weights than RFDN.
- Ours: the statistic of attention (how far a feature differs from its surroundings), every number, the sum with bicubic
  interpolation, the initial weights.

RFDN's block is J. Liu et al., ECCV Workshops 2020, https://arxiv.org/abs/2009.11551
"""

from typing import Literal, TypeAlias

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.initializers import small
from srexp.models.layers.attention import mean, mean_detail, weigh
from srexp.models.layers.head import head
from srexp.models.layers.leaky_relu import leaky_relu
from srexp.models.layers.upsampling import begin, finish
from srexp.models.sizes import positive

Attention: TypeAlias = Literal["detail", "mean", "none"]

#: Refinements of a block, and the slope of their activation below zero, as in RFDN.
REFINEMENTS, SLOPE = 3, 0.05


@checked_by(positive("width", "groups", "blocks", "reduction"))
def build(
    scale: int,
    channels: int,
    *,
    width: int = 48,
    groups: int = 2,
    blocks: int = 2,
    reduction: int = 4,
    attention: Attention = "detail",
    name: str = "rirca",
) -> "keras.Model":
    """Build the network: groups of refining blocks, a skip around each block, each group and all groups.

    Attention looks at the whole image. Training begins at bicubic quality, since the last layer is zero.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features.
        groups: Groups, each of `blocks` and a convolution.
        blocks: Blocks of a group, four convolutions each.
        reduction: How many times fewer features attention has between its two layers.
        attention: By what features are weighed: `detail`, how far they differ from their surroundings; `mean`, their
            mean; `none`: not at all, which makes the network a local one.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 401,953 weights for the defaults, one
        channel, x2.

    Raises:
        RequestError: A size is less than 1.

    Example:
        >>> build(scale=2, channels=1).count_params()
        401953
    """
    low, enlarged = begin(scale, channels)
    features = level = head(low, width, 3, name="head")
    for group in range(1, groups + 1):
        start = level
        for block in range(1, blocks + 1):
            level = _block(level, attention, reduction, f"group_{group}_block_{block}")
        level = keras.layers.Add(name=f"group_{group}")([start, _convolved(level, f"group_{group}_join")])
    trunk = keras.layers.Add(name="trunk")([features, _convolved(level, "trunk_join")])
    return keras.Model(low, finish(enlarged, trunk, scale), name=name)


def _block(features: "keras.KerasTensor", attention: Attention, reduction: int, name: str) -> "keras.KerasTensor":
    """Refine three times, each time with a skip, convolve, weigh, and add the input."""
    refined = features
    for number in range(1, REFINEMENTS + 1):
        added = keras.layers.Add(name=f"{name}_sum_{number}")([refined, _convolved(refined, f"{name}_refine_{number}")])
        refined = leaky_relu(added, SLOPE, name=f"{name}_act_{number}")
    refined = _convolved(refined, f"{name}_join")
    if attention != "none":
        statistic = {"detail": mean_detail, "mean": mean}[attention](refined, name=f"{name}_{attention}")
        refined = weigh(refined, statistic, max(1, features.shape[-1] // reduction), name=f"{name}_weigh")
    return keras.layers.Add(name=name)([features, refined])


def _convolved(features: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    return keras.layers.Conv2D(features.shape[-1], 3, padding="same", kernel_initializer=small(), name=name)(features)
