"""Random images, and the generators that make them."""

import numpy as np


def rng(seed=0):
    return np.random.default_rng(seed)


def image(height, width, channels=1, seed=0):
    return np.random.default_rng(seed).random((height, width, channels), dtype=np.float32)
