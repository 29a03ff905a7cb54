"""Gradient magnitude similarity deviation of Xue et al. 2014."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.metrics.operands import Plane, eight_bit_planes, halved, require_alike

_T = 170.0


def gmsd(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float:
    """Unevenness of an error at edges, 0 at best.

    Both images are halved (2 x 2 means). With a and b the magnitudes of their Prewitt gradients, the result is the
    standard deviation over all pixels of `(2 a b + T) / (a^2 + b^2 + T)`: an image that is equally wrong everywhere has
    none, one that lost its fine structures and kept its flat regions has much. T = 170 belongs to grey levels of 255,
    to which other depths are brought. Beyond the border are zeros and the deviation is that of a sample, both as in the
    authors' own program. Several channels are measured apart and averaged.

    Source: Xue, Zhang, Mou, Bovik, "Gradient magnitude similarity deviation: a highly efficient perceptual image
    quality index", IEEE Trans. Image Processing 23 (2), 2014, equations 4 to 6, doi:10.1109/TIP.2013.2293423.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Mean over the channels, 0..0.5 and a little; 0 for identical images. Lower is better.

    Raises:
        RequestError: The shapes differ, the images are empty or the range isn't positive.

    Example:
        >>> high = np.indices((32, 32)).sum(axis=0) % 16 * 17.0
        >>> gmsd(high, high, max_value=255), gmsd(high / 2, high, max_value=255) > 0
        (0.0, True)
    """
    require_alike("GMSD", restored, high, max_value)
    pairs = eight_bit_planes(restored, high, max_value)
    return float(np.mean([_of_plane(halved(a, "constant"), halved(b, "constant")) for a, b in pairs]))


def _of_plane(restored: Plane, high: Plane) -> float:
    a, b = _gradient(restored), _gradient(high)
    similarity = (2 * a * b + _T) / (a**2 + b**2 + _T)
    return float(np.std(similarity, ddof=1))


def _gradient(plane: Plane) -> Plane:
    from scipy.ndimage import prewitt

    magnitude: Plane = np.hypot(*(prewitt(plane, axis=axis, mode="constant") for axis in (0, 1)))
    return magnitude / 3
