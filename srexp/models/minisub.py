"""Minisub: SRCNN's three layers with small networks in the place of hidden ones, and a sub-pixel end.

After FMISR of S. Zhang, G. Liang, S. Pan, L. Zheng: IEEE Access 7 (2019) 12319-12327,
https://doi.org/10.1109/ACCESS.2018.2871626. It is not their network: what is public of that doesn't fix one. ESPCN is
its neighbour that is known exactly.

- Theirs: three layers as in SRCNN, small networks instead of hidden layers for speed, sub-pixel convolution at the end.
- Ours: the small network (1 x 1 that shrinks, 3 x 3, 1 x 1 that expands, as in FSRCNN and Network in Network), every
  number, a first layer on low-resolution pixels, the sum with bicubic interpolation, the initial weights.
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.head import head
from srexp.models.layers.upsampling import begin, finish
from srexp.models.sizes import positive


@checked_by(positive("wide", "width", "mini"))
def build(
    scale: int, channels: int, *, wide: int = 64, width: int = 32, mini: int = 16, name: str = "minisub"
) -> "keras.Model":
    """Build the network: a 5 x 5 layer, two small networks of three layers each, and one transposed convolution.

    Training begins at bicubic quality, since the last layer is zero.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        wide: Filters of the first layer.
        width: Features that a small network gives.
        mini: Features within it.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 10,113 weights for the defaults, one
        channel, x2.

    Raises:
        RequestError: `wide`, `width` or `mini` is less than 1.

    Example:
        >>> build(scale=2, channels=1).count_params()
        10113
    """
    low, enlarged = begin(scale, channels)
    features = head(low, wide, 5, activation="relu", name="extract")
    for number in (1, 2):
        for part, (filters, kernel) in {"shrink": (mini, 1), "map": (mini, 3), "expand": (width, 1)}.items():
            features = keras.layers.Conv2D(
                filters,
                kernel,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"mini_{number}_{part}",
            )(features)
    return keras.Model(low, finish(enlarged, features, scale), name=name)
