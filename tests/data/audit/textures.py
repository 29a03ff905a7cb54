"""Pictures of smooth noise."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


def textures(count: int, side: int = 60) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((count, side, side))
    smooth = gaussian_filter(noise, (0, 4, 4))
    return np.uint8(np.clip(128 + 600 * smooth, 0, 255))
