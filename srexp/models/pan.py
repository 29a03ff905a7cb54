"""PAN: pixel attention in two branches of every block and behind the enlargement.

H. Zhao, X. Kong, J. He, Y. Qiao, C. Dong: Efficient image super-resolution using pixel attention. ECCV Workshops 2020,
https://arxiv.org/abs/2010.01073; authors' code and weights: https://github.com/zhaohengyuan1/PAN

Layers have the names and the order of the authors' modules: `conv_first`, for each block `SCPA_trunk.N.conv1_a`,
`conv1_b`, `k1.0`, `PAConv.k2`, `PAConv.k3`, `PAConv.k4`, `conv3`, then `trunk_conv`, `upconv1`, `att1.conv`, `HRconv1`,
at x4 also `upconv2`, `att2.conv`, `HRconv2`, and `conv_last`.
"""

from srexp.errors import checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.convolution import convolve
from srexp.models.layers.leaky_relu import leaky_relu
from srexp.models.sizes import at_least

#: Part of the negative values that is kept.
SLOPE = 0.2


@checked_by(at_least(width=2, blocks=1, behind=1))
def build(
    scale: int, channels: int, *, width: int = 40, blocks: int = 16, behind: int = 24, name: str = "pan"
) -> "keras.Model":
    """Build PAN: self-calibrated blocks with pixel attention, nearest enlargement, and a bilinear image beneath.

    At x4 it enlarges twice by 2, at other scales once.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        width: Features of the blocks.
        blocks: Blocks.
        behind: Features behind the enlargement.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 261,403 weights for the defaults, three
        channels, x2.

    Raises:
        RequestError: A size is too small.
    """
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = head = convolve(low, width, name="conv_first")
    for number in range(blocks):
        features = _block(features, name=f"SCPA_trunk.{number}")
    features = keras.layers.Add(name="trunk")([head, convolve(features, width, name="trunk_conv")])
    for number, stage in enumerate((2, 2) if scale == 4 else (scale,), start=1):  # noqa: PLR2004 authors' two stages
        larger = keras.layers.UpSampling2D(stage, interpolation="nearest", name=f"nearest{number}")(features)
        larger = convolve(larger, behind, name=f"upconv{number}")
        gate = convolve(larger, behind, 1, activation="sigmoid", name=f"att{number}.conv")
        weighed = keras.layers.Multiply(name=f"att{number}")([larger, gate])
        weighed = leaky_relu(weighed, SLOPE, name=f"att{number}_act")
        larger = convolve(weighed, behind, name=f"HRconv{number}")
        features = leaky_relu(larger, SLOPE, name=f"HRconv{number}_act")
    detail = convolve(features, channels, dtype="float32", name="conv_last")
    smooth = keras.layers.UpSampling2D(scale, interpolation="bilinear", dtype="float32", name="bilinear")(low)
    return keras.Model(low, keras.layers.Add(dtype="float32", name="restored")([detail, smooth]), name=name)


def _block(features: "keras.KerasTensor", *, name: str) -> "keras.KerasTensor":
    """Convolve one half of the features, let the other half weigh its own pixels, and add the input."""
    half = features.shape[-1] // 2

    def linear(value: "keras.KerasTensor", filters: int, kernel: int, layer: str) -> "keras.KerasTensor":
        return convolve(value, filters, kernel, use_bias=False, name=f"{name}.{layer}")

    def leaky(value: "keras.KerasTensor", kernel: int, layer: str) -> "keras.KerasTensor":
        return leaky_relu(linear(value, half, kernel, layer), SLOPE, name=f"{name}.{layer}_act")

    plain, weighed = leaky(features, 1, "conv1_a"), leaky(features, 1, "conv1_b")
    plain = leaky(plain, 3, "k1.0")
    gate = convolve(weighed, half, 1, activation="sigmoid", name=f"{name}.PAConv.k2")
    weighed = keras.layers.Multiply(name=f"{name}.PAConv")([linear(weighed, half, 3, "PAConv.k3"), gate])
    weighed = leaky(weighed, 3, "PAConv.k4")
    joined = keras.layers.Concatenate(name=f"{name}.joined")([plain, weighed])
    return keras.layers.Add(name=name)([linear(joined, features.shape[-1], 1, "conv3"), features])
