"""Multiband: a path for each sub-band of the image and one for the image itself, weighed and fused.

After the wavelet multi-resolution network of Y. Yu et al. (Neural Networks, 2023) and what the abstract of WFSAN by the
same first author tells (Micromachines 12(11):1418, 2021, https://www.mdpi.com/2072-666X/12/11/1418). It is not their
network: what is public of those doesn't fix one.

- Theirs: an undecimated wavelet, several resolutions, a path for each sub-band, activations that differ from path to
  path, spatial and wavelet features fused, attention.
- Ours: which wavelet (linear B-splines with holes), two levels, every number, attention of squeeze and excitation
  instead of a "ghost" block, the sum with bicubic interpolation, the initial weights.
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.attention import mean, weigh
from srexp.models.layers.head import head
from srexp.models.layers.residual import residual_block
from srexp.models.layers.upsampling import begin, finish
from srexp.models.layers.wavelet import undecimated
from srexp.models.sizes import positive

#: Activation of each path: detail has a sign, and tanh keeps it.
PATHS = {"fine": "tanh", "coarse": "tanh", "smooth": "relu", "spatial": "relu"}

#: Residual blocks of each path, and behind their fusion.
PATH_BLOCKS, TRUNK_BLOCKS = 2, 3

#: How many times fewer features attention has between its two layers.
REDUCTION = 8


@checked_by(positive("width", "trunk"))
def build(
    scale: int,
    channels: int,
    *,
    width: int = 24,
    trunk: int = 48,
    attention: bool = True,
    name: str = "multiband",
) -> "keras.Model":
    """Build the network: two sub-bands of detail, the smooth rest and the image, each on its path, then all together.

    Attention looks at the whole image. Training begins at bicubic quality, since the last layer is zero.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features of each of the four paths.
        trunk: Features behind their fusion.
        attention: Whether the features of the paths are weighed by their means over the image; without it the network
            is a local one.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 217,789 weights for the defaults, one
        channel, x2.

    Raises:
        RequestError: `width` or `trunk` is less than 1.

    Example:
        >>> from srexp.evaluation.cost import cost
        >>> cost(build(scale=2, channels=1)).parameters
        217789
    """
    low, enlarged = begin(scale, channels)
    ends = []
    for (path, activation), image in zip(PATHS.items(), [*undecimated(low, 2, name="band"), low], strict=True):
        features = head(image, width, 3, activation=activation, name=path)
        for number in range(1, PATH_BLOCKS + 1):
            features = residual_block(features, name=f"{path}_{number}")
        ends.append(features)
    fused = keras.layers.Concatenate(name="paths")(ends)
    if attention:
        hidden = max(1, len(PATHS) * width // REDUCTION)
        fused = weigh(fused, mean(fused, name="paths_mean"), hidden, name="paths_weigh")
    fused = keras.layers.Conv2D(trunk, 1, name="fuse")(fused)
    for number in range(1, TRUNK_BLOCKS + 1):
        fused = residual_block(fused, name=f"trunk_{number}")
    return keras.Model(low, finish(enlarged, fused, scale), name=name)
