"""The enlargement of the input, with which every network here begins."""

from typing import TYPE_CHECKING

from srexp.errors import RequestError

if TYPE_CHECKING:
    import keras


def begin(scale: int, channels: int) -> "tuple[keras.KerasTensor, keras.KerasTensor]":
    """Make the input of a network and its bicubic enlargement.

    Both stay float32 under every precision policy: bfloat16 has 8 significant bits, images have up to 16.

    Args:
        scale: How many times larger the restored image is; at 1 the enlargement is the input.
        channels: Channels of the image.

    Returns:
        The input `(n, h, w, c)` and its enlargement `(n, h * scale, w * scale, c)`, symbolic and float32.

    Raises:
        RequestError: `scale` or `channels` is less than 1.
    """
    import keras

    for key, value in (("scale", scale), ("channels", channels)):
        if value < 1:
            raise RequestError(f"{key} is too small for a network", got=value, expected="1 or more", fix=f"{key}=1")
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    if scale == 1:
        return low, low
    enlarge = keras.layers.UpSampling2D(scale, interpolation="bicubic", dtype="float32", name="bicubic")
    return low, enlarge(low)
