"""Mean absolute error, over the whole image and where it has edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.metrics.operands import EIGHT_BIT, planes, require_alike


def mae(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float:
    """Mean absolute error of a restored image in grey levels of 255, whatever the bit depth.

    Args:
        restored: Network output in grey levels, any shape, any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Mean over pixels and channels; 0 for identical images.

    Raises:
        RequestError: The shapes differ, the image is empty or the range isn't positive.

    Example:
        >>> high = np.zeros((4, 4, 1))
        >>> mae(high + 16, high, max_value=4095) == 16 * 255 / 4095
        True
    """
    return float(np.mean(_error(restored, high, max_value)))


def edge_mae(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float | None:
    """Mean absolute error weighted by the target's gradient, in grey levels of 255.

    `sum(g |restored - high|) / sum(g)` with g the magnitude of the target's Sobel gradient: a pixel counts as much as
    the target changes there. Flat regions, which are most of a radiograph and restored by any interpolation, hardly
    count. It equals the mean absolute error where errors lie as often on edges as elsewhere.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Weighted mean over pixels and channels, each channel with its own gradient; None for a constant target, which
        has no edge.

    Raises:
        RequestError: The shapes differ, the image is empty or the range isn't positive.

    Example:
        >>> high = np.zeros((8, 8))
        >>> high[:, 4:] = 255
        >>> flat, edge = high.copy(), high.copy()
        >>> flat[:, 0], edge[:, 4] = 8, 247
        >>> edge_mae(flat, high, max_value=255), edge_mae(edge, high, max_value=255)
        (0.0, 4.0)
    """
    from scipy.ndimage import sobel

    weighted = total = 0.0
    # One by one, for the filter would smooth across them.
    for error, plane in zip(planes(_error(restored, high, max_value)), planes(high), strict=True):
        gradient = np.hypot(sobel(plane, axis=0), sobel(plane, axis=1))
        weighted += float(np.sum(gradient * error))
        total += float(gradient.sum())
    return None if total == 0 else weighted / total


def _error(restored: npt.NDArray[Any], high: npt.NDArray[Any], max_value: float) -> npt.NDArray[np.float64]:
    require_alike("a mean absolute error", restored, high, max_value)
    error: npt.NDArray[np.float64] = np.abs(np.subtract(restored, high, dtype=np.float64))
    return error * (EIGHT_BIT / max_value)
