"""Keras as the oracle of ONNX, and of other runtimes."""

import keras
import numpy as np

from srexp.enhance.runtimes.onnxruntime_runtime import OnnxRuntime

SIZES = ((1, 1, 1), (1, 2, 3), (2, 17, 24))


def images(size, channels):
    return np.random.default_rng(1).random((*size, channels), dtype=np.float32)


def neighbours(low):
    """Move every pixel by its last bit: up, down, and each where chance has it."""
    return [
        np.nextafter(low, np.float32(towards)) for towards in (1, 0, np.random.default_rng(2).integers(0, 2, low.shape))
    ]


def largest_difference(model, channels=1, sizes=SIZES, restore=None):
    """Of the range of images; where random weights give larger values, of those, as float32 has seven digits.

    Of a model that the last bit of its input moves by more than a millionth of that, a million times as much is the
    measure: SPAN multiplies grey levels by what it makes of them, and rounds no better by itself.
    """
    restore = restore or OnnxRuntime().start(model)
    gaps = []
    for size in sizes:
        low = images(size, channels)
        together = np.concatenate([low, *neighbours(low)])  # each call goes through the layers one by one
        (expected, *near), got = np.split(np.asarray(model(together, training=False)), 4), restore(low)
        assert got.shape == expected.shape
        assert got.dtype == np.float32
        moved = (np.abs(each - expected).max() for each in near)
        gaps.append(np.abs(got - expected).max() / max(1, np.abs(expected).max(), 1e6 * max(moved)))
    return max(gaps)


def chain(*steps):
    image = keras.Input((None, None, 4))
    value = image
    for step in steps:
        value = step(value)
    return keras.Model(image, value)
