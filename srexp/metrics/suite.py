"""All metrics of an image under their names: two of them at every validation, the rest when a model is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from srexp.metrics.frequency_psnr import BANDS, band_psnr
from srexp.metrics.mae import edge_mae, mae
from srexp.metrics.ms_ssim import ms_ssim
from srexp.metrics.psnr import psnr
from srexp.metrics.ssim import ssim
from srexp.metrics.table import QUICK

BAND_NAMES = tuple(f"psnr_{band}" for band in BANDS)

#: Infinite where an image is exact, so that their means are compared by way of `metrics.ranking`.
DECIBELS = frozenset({"psnr", *BAND_NAMES})

#: What is measured on the images that a model is judged by: half as much work again as PSNR and SSIM, and a little.
FULL = (*QUICK, "ms_ssim", "mae", "edge_mae", *BAND_NAMES)

LOWER_IS_BETTER = frozenset({"mae", "edge_mae"})


def measure(
    restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float, full: bool
) -> Mapping[str, float | None]:
    """Measure a restored image.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range, `2**bits - 1` for levels of a stored image.
        full: All metrics of `FULL`, or those of `QUICK`.

    Returns:
        Name to value, in the order of `FULL`: decibels, similarities, grey levels of 255. PSNRs may be `inf`; None says
        that an image has no such value: too small for MS-SSIM, or without an edge.

    Raises:
        RequestError: The shapes differ, or the image is smaller than SSIM's window.

    Example:
        >>> import numpy as np
        >>> high = np.zeros((16, 16, 1))
        >>> measure(high, high, max_value=255, full=False)
        {'psnr': inf, 'ssim': 1.0}
    """
    quick = {name: metric(restored, high, max_value=max_value) for name, metric in (("psnr", psnr), ("ssim", ssim))}
    if not full:
        return quick
    bands = band_psnr(restored, high, max_value=max_value)
    return {
        **quick,
        "ms_ssim": ms_ssim(restored, high, max_value=max_value),
        "mae": mae(restored, high, max_value=max_value),
        "edge_mae": edge_mae(restored, high, max_value=max_value),
        **{f"psnr_{band}": bands[band] for band in BANDS},
    }
