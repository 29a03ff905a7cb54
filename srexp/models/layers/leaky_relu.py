"""Leaky ReLU behind a sum."""

from srexp.lazy_imports import keras


def leaky_relu(features: "keras.KerasTensor", slope: float, *, name: str) -> "keras.KerasTensor":
    """Give features where they are positive, and `slope` times them elsewhere, as the larger of the two.

    TensorFlow 2.21 takes `LeakyReLU` behind the sum of a convolution and something else for one with a slope of 0.2,
    whatever its own, when it fuses the three in a graph on a CPU; not in training, so that a network would be another
    one afterwards.

    Args:
        features: (n, h, w, f), symbolic.
        slope: Below zero, 0 to 1.
        name: Name of the layer; the product adds to it.

    Returns:
        (n, h, w, f), symbolic.
    """
    lower = keras.layers.Rescaling(slope, name=f"{name}_lower")(features)
    return keras.layers.Maximum(name=name)([features, lower])
