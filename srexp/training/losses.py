"""What training minimises, in 8-bit grey levels: 1.0 in [0, 1] is 255 levels.

The scale is not cosmetic. On [0, 1] a good network's squared error is about 1e-5 and its gradients are as small as
Adam's epsilon, which then decides the steps in place of the gradient.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

from srexp.errors import RequestError
from srexp.lazy_imports import keras

GREY_LEVELS = 255.0

#: Targets and outputs, both (n, h, w, c) in [0, 1], to one value per pixel, (n, h, w).
Loss: TypeAlias = "Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]"


def mse() -> Loss:
    """Mean squared error, the loss of SRCNN and VDSR and the one that PSNR measures.

    Returns:
        A Keras loss in squared grey levels; `10 log10(255^2 / loss)` is the PSNR in dB.

    Example:
        >>> import numpy as np
        >>> float(mse()(np.zeros((1, 1, 1, 1)), np.full((1, 1, 1, 1), 2 / 255))[0, 0, 0])
        4.0
    """
    return _per_pixel(lambda error: error * error, "squared grey levels")


def l1() -> Loss:
    """Mean absolute error: outliers weigh less than with `mse` and edges come out sharper (Lim et al. 2017, EDSR).

    Returns:
        A Keras loss in grey levels.

    Example:
        >>> import numpy as np
        >>> float(l1()(np.zeros((1, 1, 1, 1)), np.full((1, 1, 1, 1), 2 / 255))[0, 0, 0])
        2.0
    """
    return _per_pixel(abs, "grey levels")


def charbonnier(epsilon: float = 0.255) -> Loss:
    """Charbonnier loss sqrt(error^2 + epsilon^2): `l1` with a smooth minimum (Lai et al. 2017, LapSRN, equation 3).

    Args:
        epsilon: Error in grey levels below which the loss is quadratic; 0.255 is the paper's 1e-3 on [0, 1].

    Returns:
        A Keras loss in grey levels.

    Raises:
        RequestError: `epsilon` isn't above 0: the gradient would be no number where the error is 0.

    Example:
        >>> import numpy as np
        >>> float(charbonnier(epsilon=4.0)(np.zeros((1, 1, 1, 1)), np.full((1, 1, 1, 1), 3 / 255))[0, 0, 0])
        5.0
    """
    if not 0 < epsilon < math.inf:
        raise RequestError("loss.epsilon is out of range", got=epsilon, expected="above 0", fix="loss.epsilon=0.255")
    return _per_pixel(lambda error: (error * error + epsilon**2) ** 0.5, "grey levels")


def _per_pixel(cost: "Callable[[keras.KerasTensor], keras.KerasTensor]", unit: str) -> Loss:
    """Make a loss of a cost of the error in grey levels, averaged over the channels; it knows its unit."""

    def loss(high: "keras.KerasTensor", restored: "keras.KerasTensor") -> "keras.KerasTensor":
        error = (keras.ops.cast(restored, "float32") - keras.ops.cast(high, "float32")) * GREY_LEVELS
        return keras.ops.mean(cost(error), axis=-1)

    loss.unit = unit  # type: ignore[attr-defined] # for what is said of a training
    return loss
