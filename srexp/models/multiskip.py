"""Multiskip: residual blocks joined by skips on four levels, between FSRCNN's first and last layer.

After MIRN, the multiple improved residual networks of D. Qiu, L. Zheng, J. Zhu, D. Huang: Future Generation Computer
Systems 116 (2021) 200-208, https://doi.org/10.1016/j.future.2020.11.001. It is not their network: what is public of
that doesn't fix one.

- Theirs: FSRCNN as the start, residual blocks with skips on several levels that form a module, several modules,
  stochastic gradient descent (`optimizer=sgd`).
- Ours: every number, PReLU, where each skip begins and ends, the sum with bicubic interpolation, the initial weights,
  Adam by default.

FSRCNN is C. Dong et al., ECCV 2016, https://arxiv.org/abs/1608.00367
"""

from typing import Literal

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.initializers import small
from srexp.models.layers.head import head
from srexp.models.layers.residual import residual_block
from srexp.models.layers.upsampling import begin, finish
from srexp.models.sizes import positive

#: FSRCNN's first and last kernel.
FEATURES, DECONVOLUTION = 5, 9


@checked_by(positive("width", "modules", "units"))
def build(
    scale: int,
    channels: int,
    *,
    width: int = 56,
    modules: int = 4,
    units: int = 2,
    upscale: Literal["deconv", "subpixel"] = "deconv",
    name: str = "multiskip",
) -> "keras.Model":
    """Build the network: features, modules of residual units, and a deconvolution, each level with a skip of its own.

    A skip leads around each unit, each module, all modules together, and the whole network. Training begins at bicubic
    quality, since the last layer is zero.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Filters of each layer.
        modules: Modules, each of `units` and a convolution.
        units: Residual units of a module, two convolutions each.
        upscale: The last layer. `deconv`: FSRCNN's deconvolution, 9 x 9, or as wide as the scale beyond 9. `subpixel`:
            what a 3 x 3 convolution and a pixel shuffle would compute.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 600,377 weights for the defaults and one
        channel.

    Raises:
        RequestError: `width`, `modules` or `units` is less than 1.

    Example:
        >>> build(scale=2, channels=1).count_params()
        600377
    """
    low, enlarged = begin(scale, channels)
    features = level = _activated(head(low, width, FEATURES, name="features"), "features_prelu")
    for module in range(1, modules + 1):
        start = level
        for unit in range(1, units + 1):
            level = _unit(level, f"module_{module}_unit_{unit}")
        level = _joined(level, start, f"module_{module}")
    trunk = _joined(level, features, "trunk")
    kernel = max(DECONVOLUTION, scale) if upscale == "deconv" else None
    return keras.Model(low, finish(enlarged, trunk, scale, kernel=kernel), name=name)


def _activated(features: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    """Apply PReLU with one slope for each channel, wherever in the image."""
    return keras.layers.PReLU(shared_axes=[1, 2], name=name)(features)


def _unit(features: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    """Add two convolutions with PReLU between them."""
    return residual_block(features, name=name, activate=lambda inner: _activated(inner, f"{name}_prelu"))


def _joined(features: "keras.KerasTensor", start: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    """Add a convolution of what a level has computed to what it began with."""
    joined = keras.layers.Conv2D(start.shape[-1], 3, padding="same", kernel_initializer=small(), name=f"{name}_join")
    return keras.layers.Add(name=name)([start, joined(features)])
