"""Convolutions that keep the size and begin as PyTorch's do, and the two with which many networks end.

The literature's networks were written in PyTorch: a layer's name is the path of its module there, so that the arrays
of an author's state dictionary, such as `B1.c1_d.weight`, find their layer by name.
"""

from typing import Any

from srexp.lazy_imports import keras
from srexp.models.layers.pixel_shuffle import pixel_shuffle


def convolve(
    features: "keras.KerasTensor", filters: int, kernel: int = 3, *, name: str, **options: Any
) -> "keras.KerasTensor":
    """Convolve with zeros around the features; weights begin uniform within 1 / sqrt(inputs of a filter), biases at 0.

    Args:
        features: (n, h, w, a), symbolic.
        filters: Features of the output.
        kernel: Side of the square kernel.
        name: Name of the layer.
        **options: Further ones of `keras.layers.Conv2D`.

    Returns:
        (n, h, w, filters), symbolic.
    """
    uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    given = {"padding": "same", "kernel_initializer": uniform, "name": name, **options}
    return keras.layers.Conv2D(filters, kernel, **given)(features)


def convolve_each(features: "keras.KerasTensor", kernel: int, *, name: str, dilation: int = 1) -> "keras.KerasTensor":
    """Convolve every feature by itself (depthwise), otherwise as `convolve` does.

    Args:
        features: (n, h, w, a), symbolic.
        kernel: Side of the square kernel.
        name: Name of the layer.
        dilation: Pixels from one weight to the next.

    Returns:
        (n, h, w, a), symbolic.
    """
    uniform = keras.initializers.RandomUniform(-1 / kernel, 1 / kernel)
    return keras.layers.DepthwiseConv2D(
        kernel, padding="same", dilation_rate=dilation, depthwise_initializer=uniform, name=name
    )(features)


def sub_pixel(features: "keras.KerasTensor", scale: int, channels: int, *, name: str) -> "keras.KerasTensor":
    """Make the image: a 3 x 3 convolution to scale² pixels of each channel, and the shuffle that arranges them.

    Args:
        features: (n, h, w, a), symbolic.
        scale: How many times larger the image is.
        channels: Of the image.
        name: Name of the convolution.

    Returns:
        (n, h * scale, w * scale, channels), symbolic and float32: bfloat16 would round the image to 8 bits.
    """
    pixels = convolve(features, channels * scale**2, name=name, dtype="float32")
    return pixel_shuffle(pixels, scale, channels, name="restored")
