"""Bicubic interpolation as a network without weights, and the way every network here begins."""

from typing import TYPE_CHECKING

from srexp.errors import RequestError

if TYPE_CHECKING:
    import keras


def build(scale: int, channels: int, *, name: str = "bicubic") -> "keras.Model":
    """Enlarge by bicubic interpolation (Keys 1981, a = -0.5): the baseline of every comparison.

    Args:
        scale: How many times larger the restored image is; 1 gives the input back.
        channels: 1 (grey) or 3 (colour).
        name: Name of the network.

    Returns:
        A network without weights, `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32.

    Raises:
        RequestError: `scale` or `channels` is less than 1.

    Example:
        >>> build(scale=2, channels=1).count_params()
        0
    """
    import keras

    low, enlarged = begin(scale, channels)
    return keras.Model(low, keras.layers.Identity(dtype="float32", name="restored")(enlarged), name=name)


def extend(image: "keras.KerasTensor", margin: int) -> "keras.KerasTensor":
    """Repeat the outermost pixels of an image, so that a convolution sees no border.

    Zeros there would be edges a hundred times stronger than what bicubic interpolation lacks, and half of the pixels of
    a training patch are near one. The code of SRCNN's authors replicates, too.

    Args:
        image: (n, h, w, c), symbolic, any h and w.
        margin: Pixels on each side.

    Returns:
        The image, (n, h + 2 * margin, w + 2 * margin, c).
    """
    from keras import ops

    for _ in range(margin):  # one by one, as "symmetric" repeats the outermost pixel only for a margin of 1
        image = ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    return image


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
