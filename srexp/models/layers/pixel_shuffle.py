"""Pixel shuffle: s * s features of a small image become one channel of an image s times as large."""

import numpy as np

from srexp.lazy_imports import keras


def pixel_shuffle(features: "keras.KerasTensor", scale: int, channels: int, *, name: str) -> "keras.KerasTensor":
    """Arrange the features of every pixel as a square of pixels, in PyTorch's order.

    Output channel o reads features o * scale² to (o + 1) * scale² - 1, row by row; so a convolution's weights that
    PyTorch trained in front of a shuffle need no permutation. It is a transposed convolution with fixed zeros and ones,
    since Keras has no such layer: exact, for any size, and known to every exporter. The numbers are no weights of
    the network: they are not trained, and nothing that counts parameters counts them.

    W. Shi et al.: Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network. CVPR 2016, https://arxiv.org/abs/1609.05158, section 3.2.

    Args:
        features: (n, h, w, channels * scale²), symbolic; what there is beyond is left out.
        scale: Side of the square; at 1 the features are the image.
        channels: Of the output: those of the image, or the width of a network that goes on behind it.
        name: Name of the layer.

    Returns:
        (n, h * scale, w * scale, channels), symbolic and float32, since it is mostly an image that is put together.
    """
    shuffle = keras.layers.Conv2DTranspose(
        channels, scale, scale, padding="same", use_bias=False, trainable=False, dtype="float32", name=name
    )
    image = shuffle(features)
    shuffle.set_weights([shuffling_kernel(scale, channels, features.shape[-1])])
    return image


def shuffling_kernel(scale: int, channels: int, features: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """Give the weights of a transposed convolution that shuffles.

    Args:
        scale: Kernel size and stride.
        channels: Of the output.
        features: Of the input, `channels * scale²` or more.

    Returns:
        (scale, scale, channels, features), with one 1 for each pixel of the square.

    Example:
        >>> shuffling_kernel(2, 1, 4)[..., 0, 1]  # feature 1 is the upper right pixel
        array([[0., 1.],
               [0., 0.]], dtype=float32)
    """
    ones = np.eye(channels * scale**2, features, dtype=np.float32).reshape(channels, scale, scale, -1)
    return ones.transpose(1, 2, 0, 3)
