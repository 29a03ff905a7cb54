"""Visual information fidelity of Sheikh and Bovik 2006, in the pixel domain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.metrics.operands import Plane, eight_bit_planes, require_alike, strips, windowed

#: Side in pixels from which an image has all four scales.
SMALLEST = 41

_WINDOWS = (17, 9, 5, 3)  # of the four scales, the finest first; sigma is a fifth
_NOISE = 2.0  # variance of the visual noise, in grey levels of 255 squared
_NOTHING = 1e-10  # variance below which a window is constant


def vifp(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float | None:
    """Share of the target's information that a viewer can still draw from the restored image.

    Around each pixel the restored image is taken for `g` times the target plus noise of variance `v`, `s` being the
    target's variance there: `sum(log(1 + g^2 s / (v + 2))) / sum(log(1 + s / 2))`, over Gaussian windows of 17, 9, 5
    and 3 pixels, each on an image half as large as the one before, and over the windows that lie inside. The 2 is the
    noise of the eye in grey levels of 255, to which other depths are brought. Several channels are measured apart and
    averaged.

    Source: Sheikh, Bovik, "Image information and visual quality", IEEE Trans. Image Processing 15 (2), 2006,
    doi:10.1109/TIP.2005.859378, in the form of the authors' `vifp_mscale`: windows of pixels for the wavelets of the
    paper.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Mean over the channels; 1 for identical images, above it where contrast was raised; None for an image with a
        side below `SMALLEST`, or a target that is constant and so tells nothing.

    Raises:
        RequestError: The shapes differ, the images are empty or the range isn't positive.

    Example:
        >>> high = np.indices((48, 48)).sum(axis=0) % 16 * 17.0
        >>> round(vifp(high, high, max_value=255), 6), vifp(high[1:9], high[1:9], max_value=255)
        (1.0, None)
    """
    require_alike("VIFp", restored, high, max_value)
    if min(high.shape[:2]) < SMALLEST:
        return None
    shares = [_of_plane(found, wanted) for found, wanted in eight_bit_planes(restored, high, max_value)]
    return None if None in shares else float(np.mean(np.array(shares, dtype=np.float64)))


def _of_plane(restored: Plane, high: Plane) -> float | None:
    kept = told = 0.0
    for number, side in enumerate(_WINDOWS):
        if number:
            restored, high = _windowed(restored, side)[::2, ::2], _windowed(high, side)[::2, ::2]
        for found, wanted in strips(side, restored, high):
            gain, variance, noise = _channel(found, wanted, side)
            kept += float(np.sum(np.log1p(gain**2 * variance / (noise + _NOISE))))
            told += float(np.sum(np.log1p(variance / _NOISE)))
    return kept / told if told > 0 else None


def _channel(restored: Plane, high: Plane, side: int) -> tuple[Plane, Plane, Plane]:
    """Fit `restored = gain * high + noise` in each window: the gain, the target's variance, that of the noise."""
    mean_restored, mean_high = _windowed(restored, side), _windowed(high, side)
    own = np.maximum(_windowed(restored**2, side) - mean_restored**2, 0)
    variance = np.maximum(_windowed(high**2, side) - mean_high**2, 0)
    shared = _windowed(restored * high, side) - mean_restored * mean_high
    gain = shared / (variance + _NOTHING)
    # Where the target is constant, or the restored image is its negative, all that this one shows is noise.
    unlike = (variance < _NOTHING) | (own < _NOTHING) | (gain < 0)
    noise = np.where(unlike, own, own - gain * shared)
    return (
        np.where(unlike, 0, gain),
        np.where(variance < _NOTHING, 0, variance),
        np.maximum(noise, _NOTHING),
    )


def _windowed(plane: Plane, side: int) -> Plane:
    return windowed(plane, side, side / 5)
