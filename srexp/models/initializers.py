"""Initial weights with which a network begins as bicubic interpolation and learns from its first steps.

They are set in layers that are built already, so that a saved network needs nothing of this file.
"""

import numpy as np
import numpy.typing as npt

from srexp.lazy_imports import keras

Weights = npt.NDArray[np.float32]

#: Norm of a detail filter. What bicubic interpolation lacks is some thousandths of the range of an image; amplified to
#: the order of 1, it is learnt at rates that leave the copy of the image, with its weights of 1, at rest.
GAIN = 30.0


def detail_filters(random: Weights) -> Weights:
    """Make filters that see detail and no brightness, in pairs of opposite sign, so that ReLU loses neither half.

    A Laplacian whitens them: images have the less energy the finer the detail, and restoration is about the finest.

    Args:
        random: Independent random numbers, (height, width, channels, filters).

    Returns:
        Filters of the same shape, each with sum 0 over the image and norm `GAIN`; filter i + n // 2 is minus filter i,
        and the last one of an odd number stands alone.
    """
    padded = np.pad(random, ((1, 1), (1, 1), (0, 0), (0, 0)))
    around = sum(np.roll(padded, shift, axis) for axis in (0, 1) for shift in (-1, 1))
    fine = (around / 4 - padded)[1:-1, 1:-1]
    fine -= fine.mean(axis=(0, 1), keepdims=True)
    fine *= GAIN / np.sqrt(np.sum(fine**2, axis=(0, 1, 2), keepdims=True))
    half = fine.shape[-1] // 2
    fine[..., half : 2 * half] = -fine[..., :half]
    return np.asarray(fine, np.float32)


def mirrored(orthogonal: Weights) -> Weights:
    """Make a layer that keeps pairs of opposite sign in pairs of opposite sign, linear in spite of ReLU.

    It computes `W x` and `-W x` from `x` and `-x` (D. Balduzzi et al., The shattered gradients problem, ICML 2017), so
    that with an orthogonal `W` neither the signal nor the gradient grows or shrinks from layer to layer.

    Args:
        orthogonal: W, (filters before // 2, filters after // 2).

    Returns:
        [[W, -W], [-W, W]], (filters before, filters after), both even.
    """
    return np.block([[orthogonal, -orthogonal], [-orthogonal, orthogonal]])


def scattered(pairs: Weights, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Weights:
    """Make a 3 x 3 layer whose outputs see one neighbour each, both of a pair the same one.

    A shift neither grows nor shrinks a signal either. From layer to layer the places add up to a random walk, so that
    the last layer of a deep stack sees a wide surrounding from its first step on; with all weights in the centre
    (L. Xiao et al., Dynamical isometry and a mean field theory of CNNs, ICML 2018) each layer has to learn to look
    around first.

    Args:
        pairs: Of a mirrored layer, (filters before, filters after).
        rows: Row of each pair's neighbour, 0 to 2, (filters after // 2,).
        columns: Its column, likewise.

    Returns:
        Kernel, (3, 3, filters before, filters after).
    """
    before, after = pairs.shape
    kernel = np.zeros((3, 3, before, after), np.float32)
    kernel[np.tile(rows, 2), np.tile(columns, 2), :, np.arange(after)] = pairs.T
    return kernel


def small() -> "keras.initializers.Initializer":
    """Give initial weights for what is added to something: with a tenth of its variance, so that depth adds little.

    Not zeros, where what lies behind has to learn from the second step on.
    """
    return keras.initializers.VarianceScaling(0.1)
