"""Peak signal-to-noise ratio, by one formula."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.metrics.operands import require_alike

_NEARLY_EXACT = 80.0  # dB from which one pixel that another machine rounds differently makes whole decibels


def psnr(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float:
    """Peak signal-to-noise ratio of a restored image, in decibels.

    `10 log10(MAX^2 / MSE)`, the mean taken over all pixels and channels, in float64. There is no small constant in the
    denominator: identical images are infinitely alike, and a caller that averages has to set them apart.

    Args:
        restored: Network output in grey levels, any shape, any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range MAX, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Decibels; `inf` for identical images.

    Raises:
        RequestError: The shapes differ, the image is empty or MAX isn't positive.

    Example:
        >>> high = np.zeros((4, 4, 1))
        >>> round(psnr(high + 1, high, max_value=255), 2)
        48.13
        >>> psnr(high, high, max_value=255)
        inf
    """
    require_alike("PSNR", restored, high, max_value)
    error = np.subtract(restored, high, dtype=np.float64)
    mse = float(np.mean(np.square(error)))
    return math.inf if mse == 0 else 10 * math.log10(max_value**2 / mse)


def apart(one: float, other: float) -> float:
    """Tell how far two PSNRs of one image lie apart, as far as that is more than a pixel rounded differently.

    Args:
        one: Decibels, finite or `inf`.
        other: The same.

    Example:
        >>> round(apart(31.5, 31.25), 2), apart(math.inf, 102.0), apart(math.inf, 60.0)
        (0.25, 0.0, 20.0)
    """
    return abs(min(one, _NEARLY_EXACT) - min(other, _NEARLY_EXACT))
