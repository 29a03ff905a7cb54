"""ESPCN: three convolutions on the low-resolution image and a pixel shuffle.

W. Shi et al.: Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
network. CVPR 2016, https://arxiv.org/abs/1609.05158
"""

from typing import Literal

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras
from srexp.models.layers.pixel_shuffle import pixel_shuffle


def check_sizes(scale: int, channels: int, filters: list[int]) -> None:
    """Refuse what describes no ESPCN.

    Args:
        scale: How many times larger the restored image is.
        channels: Of the image.
        filters: Widths of the two hidden layers.

    Raises:
        RequestError: One is too small, or there are not two widths.
    """
    for key, value in (("scale", scale), ("channels", channels)):
        if value < 1:
            raise RequestError(f"{key} is too small", got=value, expected="1 or more")
    if len(filters) != 2 or min(filters) < 1:  # noqa: PLR2004 two hidden layers
        raise RequestError(
            "model.filters doesn't describe ESPCN",
            got=list(filters),
            expected="two widths",
            fix="model.filters=[64,32]",
        )


@checked_by(check_sizes)
def build(
    scale: int,
    channels: int,
    *,
    filters: list[int],
    end: Literal["linear", "sigmoid"] = "linear",
    name: str = "espcn",
) -> "keras.Model":
    """Build ESPCN: 5 x 5, 3 x 3 and 3 x 3 convolutions with tanh between them, then a pixel shuffle (section 3.1).

    Zeros lie around the image and the features. Layers have the names of those of
    https://github.com/ECNUSR/ETDS, whose weights `adopt` takes.

    Args:
        scale: How many times larger the restored image is.
        channels: 1 (grey) or 3 (colour).
        filters: Widths of the two hidden layers: `[64, 32]`.
        end: What comes last: nothing, as in the paper, or a sigmoid, for weights that were trained with one.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 21,284 weights for one channel, x2.

    Raises:
        RequestError: A size is too small.

    Example:
        >>> from srexp.evaluation.cost import cost
        >>> cost(build(scale=2, channels=1, filters=[64, 32])).parameters
        21284
    """
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = low
    for number, (width, kernel) in enumerate(zip(filters, (5, 3), strict=True), start=1):
        convolve = keras.layers.Conv2D(width, kernel, padding="same", activation="tanh", name=f"conv{number}")
        features = convolve(features)
    # float32: an image comes out of it.
    squares = keras.layers.Conv2D(channels * scale**2, 3, padding="same", dtype="float32", name="conv3")(features)
    restored = pixel_shuffle(squares, scale, channels, name="pixel_shuffle")
    if end == "sigmoid":
        restored = keras.layers.Activation("sigmoid", dtype="float32", name="restored")(restored)
    return keras.Model(low, restored, name=name)
