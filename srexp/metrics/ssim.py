"""Structural similarity of Wang et al. 2004."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.errors import RequestError
from srexp.metrics.operands import Plane, planes, require_alike, strips, windowed

#: Side of the Gaussian window in pixels; a smaller image has no SSIM.
WINDOW = 11

_SIGMA, _K1, _K2 = 1.5, 0.01, 0.03


def ssim(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float:
    """Mean structural similarity of a restored image, at most 1.

    Gaussian window of 11 x 11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance; the outermost 5 pixels,
    where the window leaves the image, don't count. Several channels are measured apart and averaged.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Trans. Image Processing 13 (4), 2004, doi:10.1109/TIP.2003.819861.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range L, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Mean over pixels and channels; 1.0 for identical images.

    Raises:
        RequestError: The shapes differ, the image is smaller than the window or L isn't positive.

    Example:
        >>> high = np.indices((16, 16)).sum(axis=0) % 2 * 255.0
        >>> ssim(high, high, max_value=255)
        1.0
        >>> ssim(255 - high, high, max_value=255) < 0
        True
    """
    require_alike("SSIM", restored, high, max_value)
    if min(high.shape[:2]) < WINDOW:
        raise RequestError(
            "an image is too small for SSIM",
            got=f"{high.shape[0]} x {high.shape[1]} pixels",
            expected=f"at least {WINDOW} x {WINDOW} pixels, the size of its window",
        )

    pairs = zip(planes(restored), planes(high), strict=True)
    return float(np.mean([similarity(found, wanted, max_value)[1] for found, wanted in pairs]))


def similarity(restored: Plane, high: Plane, max_value: float) -> tuple[float, float]:
    """Give the means of contrast times structure, and of SSIM, over the windows that lie inside the image."""
    c1, c2 = (_K1 * max_value) ** 2, (_K2 * max_value) ** 2
    contrasts = similarities = count = 0.0
    for found, wanted in strips(WINDOW, restored, high):
        mean_found, mean_wanted = _mean(found), _mean(wanted)
        crossed = mean_found * mean_wanted
        squares = mean_found**2 + mean_wanted**2
        contrast = 2 * (_mean(found * wanted) - crossed) + c2
        contrast /= _mean(found**2 + wanted**2) - squares + c2
        contrasts += float(np.sum(contrast))
        similarities += float(np.sum(contrast * (2 * crossed + c1) / (squares + c1)))
        count += contrast.size
    return contrasts / count, similarities / count


def _mean(plane: Plane) -> Plane:
    return windowed(plane, WINDOW, _SIGMA)
