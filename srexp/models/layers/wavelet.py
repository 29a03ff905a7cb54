"""Sub-bands of an image, by fixed convolutions: nothing of them is trained, and nothing counts them as parameters."""

import numpy as np

from srexp.lazy_imports import keras
from srexp.models.initializers import Weights
from srexp.models.layers.borders import repeat_border


def basis(side: int) -> Weights:
    """Give an orthonormal basis of rows of pixels, whose first vector is flat.

    Haar's wavelets at as many levels as there are for a power of two (A. Haar, Mathematische Annalen 69, 1910,
    331-371), the discrete cosine transform otherwise (N. Ahmed et al., https://doi.org/10.1109/T-C.1974.223784).

    Args:
        side: Pixels of a row, 1 or more.

    Returns:
        (side, side), a vector in each row.

    Example:
        >>> (basis(2) * 2**0.5).round(6).tolist()
        [[1.0, 1.0], [1.0, -1.0]]
    """
    if side & (side - 1):
        frequency, pixel = np.ogrid[:side, :side]
        waves = np.cos(np.pi * frequency * (2 * pixel + 1) / (2 * side))
        return np.asarray(waves / np.linalg.norm(waves, axis=1, keepdims=True), np.float32)
    vectors = np.ones((1, 1))
    while (count := len(vectors)) < side:
        vectors = np.vstack([np.kron(vectors, [1, 1]), np.kron(np.eye(count), [1, -1])]) / np.sqrt(2)
    return np.asarray(vectors, np.float32)


def bands(side: int, channels: int) -> Weights:
    """Give the weights that tell the sub-bands of each square of pixels, each channel by itself.

    Args:
        side: Of a square.
        channels: Of the image.

    Returns:
        (side, side, channels, side², channels): places in the square, channel that is read, band, channel that is told.
        Band 0 is the flat one, the others are detail.
    """
    rows = basis(side)
    squares = np.einsum("ay,bx->yxab", rows, rows).reshape(side, side, side**2)
    return np.asarray(np.einsum("yxb,io->yxibo", squares, np.eye(channels)), np.float32)


def analysis(image: "keras.KerasTensor", side: int, *, name: str) -> "list[keras.KerasTensor]":
    """Split an image into its flat sub-band and those of its detail, one of their pixels for each square of the image.

    Args:
        image: (n, h * side, w * side, c), symbolic.
        side: Of a square; at 1 the image is its flat sub-band, and there is no detail.
        name: Of the layers, to which `_flat` and `_detail` are added.

    Returns:
        Flat sub-bands (n, h, w, c) and, at a side above 1, detail (n, h, w, c * (side² - 1)); symbolic, float32.
    """
    weights = bands(side, image.shape[-1])
    split = []
    for part, kernel in _parts(weights).items():
        layer = keras.layers.Conv2D(
            kernel.shape[-1], side, side, use_bias=False, trainable=False, dtype="float32", name=f"{name}_{part}"
        )
        split.append(layer(image))
        layer.set_weights([kernel])
    return split


def synthesis(split: "list[keras.KerasTensor]", side: int, channels: int, *, name: str) -> "list[keras.KerasTensor]":
    """Give the images that add up to the one whose sub-bands these are.

    Args:
        split: As `analysis` gives them.
        side: Of a square.
        channels: Of the image.
        name: Of the layers, to which `_flat` and `_detail` are added.

    Returns:
        For each of `split` an image (n, h * side, w * side, channels), symbolic, float32.
    """
    images = []
    for tensor, (part, kernel) in zip(split, _parts(bands(side, channels)).items(), strict=True):
        layer = keras.layers.Conv2DTranspose(
            channels,
            side,
            side,
            padding="same",
            use_bias=False,
            trainable=False,
            dtype="float32",
            name=f"{name}_{part}",
        )
        images.append(layer(tensor))
        layer.set_weights([kernel])
    return images


def _parts(weights: Weights) -> dict[str, Weights]:
    """Kernels (side, side, c, c * bands) of the flat sub-band and of detail, where there is any."""
    side, _, channels, _, _ = weights.shape
    parts = {"flat": weights[..., :1, :], "detail": weights[..., 1:, :]}
    return {name: part.reshape(side, side, channels, -1) for name, part in parts.items() if part.size}


def undecimated(image: "keras.KerasTensor", levels: int, *, name: str) -> "list[keras.KerasTensor]":
    """Split an image into its detail at some scales and the smooth rest; all are as large as it, and it is their sum.

    Linear B-splines with holes ("à trous"): each level smooths by [1, 2, 1] / 4 along both axes, its pixels twice as
    far apart as before, and takes the difference (J.-L. Starck et al., Image processing and data analysis, 1998).
    Around the image its outermost pixels are repeated.

    Args:
        image: (n, h, w, c), symbolic.
        levels: Of detail.
        name: Of the layers, to which a number is added.

    Returns:
        Detail from the finest on, then the smooth rest: `levels` + 1 images (n, h, w, c), symbolic, float32.
    """
    kernel = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32)[..., np.newaxis, np.newaxis] / 16
    split = []
    for level in range(levels):
        apart = 2**level
        layer = keras.layers.DepthwiseConv2D(
            3,
            dilation_rate=apart,
            use_bias=False,
            trainable=False,
            dtype="float32",
            name=f"{name}_smooth_{level + 1}",
        )
        smooth = layer(repeat_border(image, apart))
        layer.set_weights([np.repeat(kernel, image.shape[-1], axis=2)])
        split.append(keras.layers.Subtract(dtype="float32", name=f"{name}_detail_{level + 1}")([image, smooth]))
        image = smooth
    return [*split, image]
