"""The enlargement of the input, with which networks begin, and what is added to it, with which they end."""

from srexp.errors import RequestError
from srexp.lazy_imports import keras


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
    for key, value in (("scale", scale), ("channels", channels)):
        if value < 1:
            raise RequestError(f"{key} is too small for a network", got=value, expected="1 or more", fix=f"{key}=1")
    low = keras.Input((None, None, channels), dtype="float32", name="low")
    if scale == 1:
        return low, low
    enlarge = keras.layers.UpSampling2D(scale, interpolation="bicubic", dtype="float32", name="bicubic")
    return low, enlarge(low)


def finish(
    enlarged: "keras.KerasTensor", features: "keras.KerasTensor", scale: int, *, kernel: int | None = None
) -> "keras.KerasTensor":
    """Add what features of the small image say about the large one; nothing at first, so that training begins there.

    It is one transposed convolution. With a kernel of three times the scale each output pixel reads 3 x 3 features, as
    it does with a 3 x 3 convolution and a pixel shuffle, to which it is equal but for one bias per channel instead of
    scale² (W. Shi et al., https://arxiv.org/abs/1609.07009).

    Args:
        enlarged: (n, h * scale, w * scale, c), symbolic.
        features: (n, h, w, f), symbolic.
        scale: Stride.
        kernel: Side of the kernel, at least the scale; three times the scale where none is given.

    Returns:
        (n, h * scale, w * scale, c), symbolic and float32.
    """
    # float32: the sum with the image needs more than the 8 significant bits of bfloat16.
    residual = keras.layers.Conv2DTranspose(
        enlarged.shape[-1],
        kernel or 3 * scale,
        scale,
        padding="same",
        kernel_initializer="zeros",
        dtype="float32",
        name="residual",
    )(features)
    return keras.layers.Add(dtype="float32", name="restored")([enlarged, residual])
