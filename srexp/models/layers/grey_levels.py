"""Grey levels of 255 within a network whose authors' code has them.

Its weights need them, too: biases and attention don't follow when an image is scaled.
"""

from collections.abc import Sequence

from srexp.lazy_imports import keras

LEVELS = 255.0
#: Mean of the photographs of DIV2K, by channel: a part of the range.
MEAN = (0.4488, 0.4371, 0.4040)


def to_levels(low: "keras.KerasTensor", mean: Sequence[float] = (0.0,)) -> "keras.KerasTensor":
    """Take a mean from an image and bring it to grey levels of 255.

    Args:
        low: (n, h, w, c), symbolic, in [0, 1].
        mean: What is taken, by channel or for all of them, in [0, 1].

    Returns:
        (n, h, w, c), symbolic and float32.
    """
    return keras.layers.Rescaling(LEVELS, [-LEVELS * each for each in mean], dtype="float32", name="to_levels")(low)


def from_levels(image: "keras.KerasTensor", mean: Sequence[float] = (0.0,)) -> "keras.KerasTensor":
    """Undo what `to_levels` did.

    Args:
        image: (n, h, w, c), symbolic, in grey levels.
        mean: What was taken.

    Returns:
        The restored image, (n, h, w, c), symbolic and float32.
    """
    return keras.layers.Rescaling(1 / LEVELS, list(mean), dtype="float32", name="from_levels")(image)
