"""SRCNN: three convolutions on the bicubic enlargement.

C. Dong, C. C. Loy, K. He, X. Tang: Image super-resolution using deep convolutional networks. IEEE TPAMI 38(2), 2016,
https://arxiv.org/abs/1501.00092
"""

from typing import TYPE_CHECKING, Literal

from srexp.errors import RequestError
from srexp.models.bicubic import begin

if TYPE_CHECKING:
    import keras


def build(
    scale: int,
    channels: int,
    *,
    kernels: list[int],
    filters: list[int],
    start: Literal["copy", "paper"] = "copy",
    name: str = "srcnn",
) -> "keras.Model":
    """Build SRCNN: patch extraction, non-linear mapping, reconstruction (section 3.1 of the paper).

    Zero padding keeps the size, where the paper crops.

    Args:
        scale: How many times larger the restored image is; bicubic interpolation comes first.
        channels: 1 (grey) or 3 (colour).
        kernels: Sizes of the three square kernels: `[9, 5, 5]`, or `[9, 1, 5]`, `[9, 3, 5]`; odd.
        filters: Widths of the two hidden layers: `[64, 32]`.
        start: Initial weights. `copy`: one filter per channel hands the bicubic image through, so that training begins
            at bicubic quality. `paper`: normal with standard deviation 0.001 (section 3.3), which takes hours to get
            there.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 57,281 weights for 9-5-5 and one channel.

    Raises:
        RequestError: `kernels` or `filters` doesn't describe three layers with odd kernels.

    Example:
        >>> build(scale=2, channels=1, kernels=[9, 5, 5], filters=[64, 32]).count_params()
        57281
    """
    import keras

    check_layers(kernels, filters, channels)
    initial = {
        "copy": keras.initializers.HeNormal,
        "paper": lambda: keras.initializers.RandomNormal(stddev=0.001),
    }[start]

    def convolve(width: int, kernel: int, **options: object) -> "keras.layers.Conv2D":
        return keras.layers.Conv2D(width, kernel, padding="same", kernel_initializer=initial(), **options)

    low, enlarged = begin(scale, channels)
    patches = convolve(filters[0], kernels[0], activation="relu", name="extract")(enlarged)
    mapped = convolve(filters[1], kernels[1], activation="relu", name="map")(patches)
    # float32: in bfloat16 the output itself would be rounded to 8 significant bits.
    restored = convolve(channels, kernels[2], dtype="float32", name="restored")(mapped)
    model = keras.Model(low, restored, name=name)
    if start == "copy":
        hand_image_through(model, channels)
    return model


def hand_image_through(model: "keras.Model", channels: int) -> None:
    """Let the first filters of each layer copy the image, and the last layer ignore all others.

    The other filters keep their random weights, but those of the first layer sum to zero over the image: they answer
    to structure and not to brightness, which the copy carries already.

    Args:
        model: SRCNN as built; its weights change in place.
        channels: Channels of the image: as many filters copy.
    """
    import numpy as np

    for layer_name in ("extract", "map", "restored"):
        layer = model.get_layer(layer_name)
        kernel, bias = layer.get_weights()
        if layer_name == "extract":
            kernel -= kernel.mean(axis=(0, 1), keepdims=True)
        if layer_name == "restored":
            kernel[:] = 0
        centre = kernel.shape[0] // 2
        kernel[..., :channels] = 0
        kernel[centre, centre, :channels, :channels] = np.eye(channels)
        layer.set_weights([kernel, bias])


def check_layers(kernels: list[int], filters: list[int], channels: int) -> None:
    """Refuse lists that don't describe SRCNN's three layers.

    Args:
        kernels: Sizes of the three kernels.
        filters: Widths of the two hidden layers.
        channels: Channels of the image, which every layer must be able to copy.

    Raises:
        RequestError: Wrong count, an even kernel, or fewer filters than channels.
    """
    if len(kernels) != 3 or any(size < 1 or size % 2 == 0 for size in kernels):  # noqa: PLR2004 three layers
        raise RequestError(
            "model.kernels doesn't describe SRCNN",
            got=list(kernels),
            expected="three odd sizes",
            fix="model.kernels=[9,5,5]",
        )
    if len(filters) != 2 or min(filters) < channels:  # noqa: PLR2004 two hidden layers
        raise RequestError(
            "model.filters doesn't describe SRCNN",
            got=list(filters),
            expected=f"two widths of at least {channels}",
            fix="model.filters=[64,32]",
        )
