"""Bicubic resizing as MATLAB's `imresize` does it, the literature's standard for making `low` from `high`.

R. G. Keys: Cubic convolution interpolation for digital image processing. IEEE Trans. ASSP 29(6), 1981,
https://doi.org/10.1109/TASSP.1981.1163711, with a = -0.5; widened by 1/scale when the image shrinks (antialiasing).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from srexp.errors import RequestError
from srexp.types import Pixels

if TYPE_CHECKING:
    from scipy.sparse import csr_array

REACH = 2  # Keys' kernel is zero from here on, in pixels of the coarser grid


def resize(image: npt.ArrayLike, *, scale: Fraction | float) -> Pixels:
    """Resize an image like MATLAB's `imresize(image, scale, "bicubic")`.

    The position of every weight is computed in whole numbers, and the weights are summed in one fixed order. So a
    region cut out of an image, with enough around it, gives the same bits as the whole image does.

    Args:
        image: (h, w, c), any real type and range; computed in float32.
        scale: Output size divided by input size, the same for both axes; the size is rounded up. Below 1 the kernel is
            widened, so that details too fine for the output vanish and do not fold over.

    Returns:
        The resized image, (h', w', c), float32. Bicubic weights are partly negative: values may lie outside the
        input's range.

    Raises:
        RequestError: Not an image, or a scale that is not positive.

    Example:
        >>> resize(np.ones((5, 7, 1)), scale=Fraction(2, 3)).shape
        (4, 5, 1)
    """
    pixels = np.asarray(image, dtype=np.float32)
    if pixels.ndim != 3 or 0 in pixels.shape:  # noqa: PLR2004 (h, w, c)
        raise RequestError("resize takes one image", got=pixels.shape, expected="an array (h, w, c) that is not empty")
    exact = Fraction(scale).limit_denominator(10**6)  # a float such as 1/3 is the nearest to a fraction that was meant
    if exact <= 0:
        raise RequestError("resize has no scale", got=scale, expected="a number above 0")
    if exact != 1:
        for axis in (0, 1):
            pixels = _along(pixels, axis, bicubic_weights(pixels.shape[axis], exact))
    return pixels


def enlarged_rows(image: Pixels, scale: int, rows: slice) -> Pixels:
    """Give some rows of what `resize` makes of an image, to the same bits, without making the others.

    Args:
        image: (h, w, c), float32.
        scale: Rows of the output for each of the input.
        rows: Which rows of the output, with start and stop.

    Returns:
        (rows, w * scale, c), float32.

    Example:
        >>> image = np.random.default_rng(0).random((9, 5, 1), dtype=np.float32)
        >>> bool((enlarged_rows(image, 3, slice(7, 20)) == resize(image, scale=3)[7:20]).all())
        True
    """
    first = max(0, rows.start // scale - REACH)
    last = -(-rows.stop // scale) + REACH
    enlarged = resize(image[first:last], scale=Fraction(scale))
    return enlarged[rows.start - first * scale : rows.stop - first * scale]


@lru_cache(maxsize=64)
def bicubic_weights(length: int, scale: Fraction) -> csr_array:
    """Give the weights of every output pixel along one axis.

    Args:
        length: Input pixels.
        scale: Distance of output pixels in reciprocal input pixels; below 1 the kernel is widened.

    Returns:
        Sparse (length * scale rounded up, length), float32, rows summing to 1. An input pixel that a border mirrors
        into a row stands there twice.
    """
    from scipy.sparse import csr_array

    p, q = scale.numerator, scale.denominator
    resized = -(-length * p // q)
    widening = max(1 / scale, Fraction(1))
    # Output pixel x has its centre at (x + 1/2) / scale - 1/2 = centre / (2 p).
    centre = (2 * np.arange(resized, dtype=np.int64) + 1) * q - p
    reach = REACH * widening * 2 * p
    taps = -(-2 * REACH * widening.numerator // widening.denominator) + 1
    first = (centre - int(reach)) // (2 * p)
    columns = first[:, None] + np.arange(taps)
    distance = (centre[:, None] - columns * (2 * p)) / float(2 * p * widening)
    weights = cubic(distance)
    weights /= weights.sum(axis=1, keepdims=True)
    return csr_array(
        (weights.astype(np.float32).ravel(), mirrored(columns.ravel(), length), np.arange(resized + 1) * taps),
        shape=(resized, length),
    )


def cubic(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Evaluate Keys' cubic convolution kernel, a = -1/2 (equation 15 of the paper).

    Args:
        distance: Distances from the centre, any shape, in pixels of the coarser grid.

    Returns:
        The kernel's values, of the same shape.

    Example:
        >>> cubic(np.array([0.0, 0.5, 1.0, 1.5, 2.0])).tolist()
        [1.0, 0.5625, 0.0, -0.0625, 0.0]
    """
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < REACH, far, 0.0))


def mirrored(index: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """Fold indices beyond an axis back into it, the border pixel twice: ... 1 0 | 0 1 2 | 2 1 ...

    Args:
        index: Any whole numbers.
        length: Length of the axis.

    Returns:
        Indices in 0 ... length - 1, of the same shape.

    Example:
        >>> mirrored(np.arange(-3, 6), 3).tolist()
        [2, 1, 0, 0, 1, 2, 2, 1, 0]
    """
    folded = index % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)


def _along(pixels: Pixels, axis: int, weights: csr_array) -> Pixels:
    """Apply weights along one axis of an image."""
    first = np.ascontiguousarray(pixels.swapaxes(0, axis))
    resized: Pixels = weights @ first.reshape(len(first), -1)
    return resized.reshape(-1, *first.shape[1:]).swapaxes(0, axis)
