"""Residual blocks of EDSR, and the stages by which it enlarges features: what MDSR has as well.

B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee: Enhanced deep residual networks for single image super-resolution. CVPR
Workshops 2017, https://arxiv.org/abs/1707.02921
"""

from srexp.lazy_imports import keras
from srexp.models.layers.convolution import convolve
from srexp.models.layers.pixel_shuffle import pixel_shuffle


def scaled_block(
    features: "keras.KerasTensor", *, kernel: int = 3, share: float = 1.0, name: str
) -> "keras.KerasTensor":
    """Add to features what two convolutions with ReLU between make of them.

    Args:
        features: (n, h, w, a), symbolic.
        kernel: Side of both kernels.
        share: Part of what the convolutions give that is added.
        name: Path of the module.

    Returns:
        (n, h, w, a), symbolic.
    """
    width = features.shape[-1]
    inner = convolve(features, width, kernel, activation="relu", name=f"{name}.body.0")
    inner = convolve(inner, width, kernel, name=f"{name}.body.2")
    if share != 1:
        inner = keras.layers.Rescaling(share, name=f"{name}.share")(inner)
    return keras.layers.Add(name=name)([inner, features])


def enlarged(features: "keras.KerasTensor", scale: int, *, name: str) -> "keras.KerasTensor":
    """Enlarge features by convolutions and shuffles: in stages of 2 where the scale is a power of it, else in one.

    Args:
        features: (n, h, w, a), symbolic.
        scale: How many times; at 1 the features are given back.
        name: Path of the module.

    Returns:
        (n, h * scale, w * scale, a), symbolic.
    """
    width = features.shape[-1]
    doublings = scale.bit_length() - 1
    for number, stage in enumerate([2] * doublings if scale == 2**doublings else [scale]):
        pixels = convolve(features, width * stage**2, name=f"{name}.{2 * number}")
        features = pixel_shuffle(pixels, stage, width, name=f"{name}.{2 * number + 1}")
    return features
