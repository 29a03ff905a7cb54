"""Keras as the oracle of ONNX."""

import keras
import numpy as np

from srexp.enhance.runtimes.onnxruntime_runtime import OnnxRuntime

SIZES = ((1, 1, 1), (1, 2, 3), (2, 17, 24))


def images(size, channels):
    return np.random.default_rng(1).random((*size, channels), dtype=np.float32)


def largest_difference(model, channels=1, sizes=SIZES):
    """Of the range of images; where random weights give larger values, of those, as float32 has seven digits."""
    restore = OnnxRuntime().start(model)
    gaps = []
    for size in sizes:
        low = images(size, channels)
        expected, got = np.asarray(model(low, training=False)), restore(low)
        assert got.shape == expected.shape
        assert got.dtype == np.float32
        gaps.append(np.abs(got - expected).max() / max(1, np.abs(expected).max()))
    return max(gaps)


def chain(*steps):
    image = keras.Input((None, None, 4))
    value = image
    for step in steps:
        value = step(value)
    return keras.Model(image, value)
