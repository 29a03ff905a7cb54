"""PSNR by frequency: averages over all pixels hide that fine detail is lost, because images have so little of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.metrics.operands import require_alike

#: Thirds of the radial frequency up to Nyquist's; `fine` reaches on into the corners of the spectrum.
BANDS = ("coarse", "medium", "fine")

_ROUNDING = 1e-24  # share of the error's energy that may be rounding of the transform and nothing else


def band_mse(restored: npt.NDArray[Any], high: npt.NDArray[Any]) -> dict[str, float]:
    """Split the mean squared error by frequency; the bands add up to it (Parseval's theorem).

    The band of a component is that of its radial frequency as a share of Nyquist's, half a cycle per pixel: below 1/3
    `coarse`, below 2/3 `medium`, the rest `fine`. The image is not windowed; its error is transformed as it is.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype.
        high: Target, same shape, same unit.

    Returns:
        Mean squared error of each band, over pixels and channels.

    Raises:
        RequestError: The shapes differ or the image is empty.

    Example:
        >>> high = np.zeros((12, 12))
        >>> {name: round(mse, 6) for name, mse in band_mse(high + 2 + np.indices((12, 12)).sum(0) % 2, high).items()}
        {'coarse': 6.25, 'medium': 0.0, 'fine': 0.25}
    """
    require_alike("PSNR by frequency", restored, high)
    from scipy.fft import rfft2

    error = np.subtract(restored, high, dtype=np.float64)
    height, width = error.shape[:2]
    planes = np.moveaxis(error.reshape(height, width, -1), -1, 0)
    spectrum = rfft2(planes, norm="forward")
    power = np.mean(np.square(spectrum.real) + np.square(spectrum.imag), axis=0)
    power[:, 1 : (width + 1) // 2] *= 2  # their mirror images are left out of a real transform
    energy = np.bincount(_band_of_each(height, width).ravel(), weights=power.ravel(), minlength=len(BANDS))
    energy[energy < _ROUNDING * energy.sum()] = 0
    return dict(zip(BANDS, energy.tolist(), strict=True))


def band_psnr(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> Mapping[str, float]:
    """PSNR of each frequency band: `10 log10(MAX^2 / MSE)` with the band's share of the squared error.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range MAX, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Decibels by band, `coarse`, `medium` and `fine`; `inf` where a band has no error. None of them is below the PSNR
        of the whole.

    Raises:
        RequestError: The shapes differ, the image is empty or MAX isn't positive.

    Example:
        >>> high = np.zeros((12, 12))
        >>> {name: round(db, 2) for name, db in band_psnr(high + 1, high, max_value=255).items()}
        {'coarse': 48.13, 'medium': inf, 'fine': inf}
    """
    require_alike("PSNR by frequency", restored, high, max_value)
    errors = band_mse(restored, high)
    return {name: math.inf if mse == 0 else 10 * math.log10(max_value**2 / mse) for name, mse in errors.items()}


@lru_cache(maxsize=1)
def _band_of_each(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Number the band of every component of a real transform, (h, w // 2 + 1)."""
    down = 2 * np.fft.fftfreq(height)[:, np.newaxis]
    right = 2 * np.fft.rfftfreq(width)[np.newaxis]
    radius = np.hypot(down, right)
    band: npt.NDArray[np.uint8] = np.digitize(radius, [1 / 3, 2 / 3]).astype(np.uint8)
    return band
