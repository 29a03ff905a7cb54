"""Structural similarity of Wang et al. 2004, by scikit-image with the paper's options."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.errors import RequestError
from srexp.metrics.operands import require_alike

#: Side of the Gaussian window in pixels; a smaller image has no SSIM.
WINDOW = 11


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

    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            restored.astype(np.float64),
            high.astype(np.float64),
            data_range=max_value,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=-1 if high.ndim == 3 else None,  # noqa: PLR2004 - (h, w, c) has three axes
        )
    )
