"""SRCNN: three convolutions on the bicubic enlargement.

C. Dong, C. C. Loy, K. He, X. Tang: Image super-resolution using deep convolutional networks. IEEE TPAMI 38(2), 2016,
https://arxiv.org/abs/1501.00092
"""

from typing import Literal

import numpy as np

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras
from srexp.models.initializers import Weights, detail_filters, mirrored
from srexp.models.layers.borders import repeat_border
from srexp.models.layers.upsampling import begin

#: It enlarges first, so its weights are the same at every scale; a network without this serves that it is built for.
ANY_SCALE = True


def check_layers(kernels: list[int], filters: list[int], channels: int) -> None:
    """Refuse lists that don't describe SRCNN's three layers.

    Args:
        kernels: Sizes of the three kernels.
        filters: Widths of the two hidden layers.
        channels: Channels of the image, which every layer must be able to copy beside a pair of details.

    Raises:
        RequestError: Wrong count, an even kernel, or too few filters.
    """
    if len(kernels) != 3 or any(size < 1 or size % 2 == 0 for size in kernels):  # noqa: PLR2004 three layers
        raise RequestError(
            "model.kernels doesn't describe SRCNN",
            got=list(kernels),
            expected="three odd sizes",
            fix="model.kernels=[9,5,5]",
        )
    if len(filters) != 2 or min(filters) < channels + 2:  # noqa: PLR2004 two hidden layers
        raise RequestError(
            "model.filters doesn't describe SRCNN",
            got=list(filters),
            expected=f"two widths of at least {channels + 2}",
            fix="model.filters=[64,32]",
        )


@checked_by(check_layers)
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

    The outermost pixels are repeated to keep the size.

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
    initial = {
        "copy": keras.initializers.HeNormal,
        "paper": lambda: keras.initializers.RandomNormal(stddev=0.001),
    }[start]

    def convolve(width: int, kernel: int, **options: object) -> "keras.layers.Conv2D":
        return keras.layers.Conv2D(width, kernel, kernel_initializer=initial(), **options)

    low, enlarged = begin(scale, channels)
    extended = repeat_border(enlarged, sum(size // 2 for size in kernels))
    patches = convolve(filters[0], kernels[0], activation="relu", name="extract")(extended)
    mapped = convolve(filters[1], kernels[1], activation="relu", name="map")(patches)
    # float32: in bfloat16 the output itself would be rounded to 8 significant bits.
    restored = convolve(channels, kernels[2], dtype="float32", name="restored")(mapped)
    model = keras.Model(low, restored, name=name)
    if start == "copy":
        hand_image_through(model, channels)
    return model


def hand_image_through(model: "keras.Model", channels: int) -> None:
    """Let the first filters of each layer copy the image, and the last layer ignore all others.

    The others carry detail, in which the image itself has no part, to the last layer.

    Args:
        model: SRCNN as built; its weights change in place.
        channels: Channels of the image: as many filters copy.
    """
    extract, mapping, restored = (model.get_layer(name) for name in ("extract", "map", "restored"))
    copy = np.eye(channels, dtype=np.float32)
    before, after = extract.filters - channels, mapping.filters - channels  # filters for detail

    kernel, bias = extract.get_weights()
    kernel[..., channels:] = detail_filters(kernel[..., channels:])
    kernel[..., :channels] = 0
    centre(kernel)[:, :channels] = copy
    extract.set_weights([kernel, bias])

    kernel, bias = mapping.get_weights()
    kernel[:] = 0
    centre(kernel)[:channels, :channels] = copy
    mix = mirrored(np.asarray(keras.initializers.Orthogonal()((before // 2, (after + 1) // 2))))
    centre(kernel)[channels : channels + mix.shape[0], channels:] = mix[:, :after]
    mapping.set_weights([kernel, bias])

    kernel, bias = restored.get_weights()
    kernel[:] = 0
    centre(kernel)[:channels] = copy
    restored.set_weights([kernel, bias])


def centre(kernel: Weights) -> Weights:
    """Show the weights that connect a pixel to itself.

    Args:
        kernel: (height, width, channels, filters), both sizes odd.

    Returns:
        A view of it, (channels, filters).
    """
    middle: Weights = kernel[kernel.shape[0] // 2, kernel.shape[1] // 2]
    return middle
