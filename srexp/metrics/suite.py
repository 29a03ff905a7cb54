"""All metrics of an image under their names: two of them at every validation, the rest when a model is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy.typing as npt

from srexp.metrics.detail_energy import detail_energy
from srexp.metrics.frequency_psnr import BANDS, band_psnr
from srexp.metrics.gmsd import gmsd
from srexp.metrics.haarpsi import haarpsi
from srexp.metrics.mae import edge_mae, mae
from srexp.metrics.ms_ssim import ssim_and_ms_ssim
from srexp.metrics.psnr import psnr
from srexp.metrics.ssim import ssim
from srexp.metrics.table import QUICK
from srexp.metrics.vifp import vifp

_Metric: TypeAlias = Callable[..., float | None]

BAND_NAMES = tuple(f"psnr_{band}" for band in BANDS)

#: Infinite where an image is exact, so that their means are compared by way of `metrics.ranking`.
DECIBELS = frozenset({"psnr", *BAND_NAMES})

_MORE: dict[str, _Metric] = {
    "haarpsi": haarpsi,
    "gmsd": gmsd,
    "vifp": vifp,
    "detail_energy": detail_energy,
    "mae": mae,
    "edge_mae": edge_mae,
}

#: What is measured on the images that a model is judged by.
FULL = (*QUICK, "ms_ssim", *_MORE, *BAND_NAMES)


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
        that an image has no such value: too small for MS-SSIM or VIFp, or without an edge.

    Raises:
        RequestError: The shapes differ, or the image is smaller than SSIM's window.

    Example:
        >>> import numpy as np
        >>> high = np.zeros((16, 16, 1))
        >>> measure(high, high, max_value=255, full=False)
        {'psnr': inf, 'ssim': 1.0}
    """
    alike = {"psnr": psnr(restored, high, max_value=max_value)}
    if not full:
        return {**alike, "ssim": ssim(restored, high, max_value=max_value)}
    of_one, of_five = ssim_and_ms_ssim(restored, high, max_value=max_value)
    more = {name: metric(restored, high, max_value=max_value) for name, metric in _MORE.items()}
    bands = band_psnr(restored, high, max_value=max_value)
    in_bands = {f"psnr_{band}": decibels for band, decibels in bands.items()}
    return {**alike, "ssim": of_one, "ms_ssim": of_five, **more, **in_bands}
