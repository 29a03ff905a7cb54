"""Multi-scale structural similarity of Wang, Simoncelli and Bovik 2003."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.metrics.operands import Plane, halved, planes, require_alike
from srexp.metrics.ssim import WINDOW, similarity, ssim

#: Exponents of the five scales, the finest first; they come from judgements of eight observers.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

#: Side in pixels, 176, whose fifth scale is just as large as the window.
SMALLEST = WINDOW * 2 ** (len(WEIGHTS) - 1)


def ms_ssim(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float | None:
    """Structural similarity over five scales, at most 1.

    Contrast and structure are compared at five scales, each half as large as the one before (2 x 2 means), luminance at
    the coarsest; the means over the image are raised to `WEIGHTS` and multiplied. Window and constants are those of
    SSIM. A negative mean, which has no such power, counts as 0. Several channels are measured apart and averaged.

    Source: Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment", 37th Asilomar
    Conference on Signals, Systems and Computers, 2003, equation 7, doi:10.1109/ACSSC.2003.1292216.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range L, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Mean over the channels; 1.0 for identical images; None for an image with a side below `SMALLEST`, which has no
        five scales.

    Raises:
        RequestError: The shapes differ or L isn't positive.

    Example:
        >>> high = np.indices((176, 176)).sum(axis=0) % 255.0
        >>> ms_ssim(high, high, max_value=255), ms_ssim(high[1:], high[1:], max_value=255)
        (1.0, None)
    """
    return ssim_and_ms_ssim(restored, high, max_value=max_value)[1]


def ssim_and_ms_ssim(
    restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float
) -> tuple[float, float | None]:
    """Give SSIM and MS-SSIM; together they take little longer than MS-SSIM."""
    require_alike("MS-SSIM", restored, high, max_value)
    if min(high.shape[:2]) < SMALLEST:
        return ssim(restored, high, max_value=max_value), None
    pairs = zip(planes(restored), planes(high), strict=True)
    of_one, of_five = np.mean([_of_plane(found, wanted, max_value) for found, wanted in pairs], axis=0).tolist()
    return of_one, of_five


def _of_plane(restored: Plane, high: Plane, max_value: float) -> tuple[float, float]:
    """Give SSIM, which is the finest scale's, and MS-SSIM."""
    whole, product = [], 1.0
    for number, weight in enumerate(WEIGHTS, start=1):
        contrast, similar = similarity(restored, high, max_value)
        whole.append(similar)
        product *= max(0.0, similar if number == len(WEIGHTS) else contrast) ** weight
        restored, high = halved(restored, "edge"), halved(high, "edge")
    return whole[0], product
