"""Values that pass between the parts: arrays with their shapes, and a scored sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[np.float32]
"""One image, (h, w, c), float32 in [0, 1]; c is 1 or 3."""

Batch: TypeAlias = npt.NDArray[np.float32]
"""Several images or patches of one size, (n, h, w, c), float32 in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image ready for scoring: the degraded input beside its target.

    Args:
        key: Stable name of the image in its data set.
        patient: Patient key of the image, never logged as it is.
        bits: Stored bit depth; the data range of the metrics is `2**bits - 1`.
        low: Degraded image, (h, w, c), float32 in [0, 1].
        high: Target, (h * scale, w * scale, c), float32 in [0, 1].
    """

    key: str
    patient: str
    bits: int
    low: Pixels
    high: Pixels
