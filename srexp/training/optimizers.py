"""Optimizers, each a thin builder over Keras's own.

`lr` is the peak learning rate; a schedule multiplies it step by step. Gradients come from losses in 8-bit grey levels.
"""

import math
from typing import Any

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras

#: Options to where they lie and what is usual.
_RANGES = {
    **dict.fromkeys(("lr", "clip_norm", "theta"), ("above 0", "1e-3")),
    "ema": ("from 0 to below 1", "0.999"),
    "epsilon": ("above 0", "1e-7"),
    "beta_1": ("from 0 to below 1", "0.9"),
    "beta_2": ("from 0 to below 1", "0.999"),
    "momentum": ("from 0 to below 1", "0.9"),
    "weight_decay": ("0 or more", "1e-4"),
}


def _check(**options: float | None) -> None:
    """Refuse values with which nothing would be learnt."""
    for key, value in options.items():
        expected, usual = _RANGES[key]
        within = value is None or (
            math.isfinite(value)
            and (value > 0 if expected == "above 0" else value >= 0)
            and (value < 1 or "below 1" not in expected)
        )
        if not within:
            raise RequestError(
                f"optimizer.{key} is out of range", got=value, expected=expected, fix=f"optimizer.{key}={usual}"
            )


def _averaging(ema: float | None) -> dict[str, Any]:
    """Give Keras's words for a running mean of the weights, which never takes their place while they are trained."""
    return {} if ema is None else {"use_ema": True, "ema_momentum": ema, "ema_overwrite_frequency": None}


@checked_by(_check)
def adam(
    lr: float,
    *,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    clip_norm: float | None = None,
    ema: float | None = None,
) -> "keras.Optimizer":
    """Build Adam (Kingma and Ba 2015).

    Args:
        lr: Peak learning rate, above 0.
        beta_1: Decay of the mean of the gradients, 0 to 1.
        beta_2: Decay of the mean of their squares, 0 to 1.
        epsilon: Added to the root of that mean.
        clip_norm: Largest norm of all gradients together; None leaves them alone.
        ema: Decay of a running mean of the weights, which validation sees and training ends with. None: the weights.

    Returns:
        The optimizer.

    Raises:
        RequestError: A value is out of its range.

    Example:
        >>> adam(lr=1e-3).name
        'adam'
    """
    return keras.optimizers.Adam(
        lr, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, global_clipnorm=clip_norm, **_averaging(ema)
    )


@checked_by(_check)
def adamw(
    lr: float,
    *,
    weight_decay: float = 0.004,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    clip_norm: float | None = None,
    ema: float | None = None,
) -> "keras.Optimizer":
    """Build AdamW: Adam with a weight decay of its own (Loshchilov and Hutter 2019).

    Args:
        lr: Peak learning rate, above 0.
        weight_decay: Share of a weight, times the learning rate, that each step takes away. Biases are decayed, too.
        beta_1: Decay of the mean of the gradients, 0 to 1.
        beta_2: Decay of the mean of their squares, 0 to 1.
        epsilon: Added to the root of that mean.
        clip_norm: Largest norm of all gradients together; None leaves them alone.
        ema: Decay of a running mean of the weights, which validation sees and training ends with. None: the weights.

    Returns:
        The optimizer.

    Raises:
        RequestError: A value is out of its range.

    Example:
        >>> adamw(lr=1e-3).weight_decay
        0.004
    """
    return keras.optimizers.AdamW(
        lr,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
        **_averaging(ema),
    )


@checked_by(_check)
def sgd(
    lr: float,
    *,
    momentum: float = 0.9,
    weight_decay: float | None = 1e-4,
    theta: float | None = None,
    ema: float | None = None,
) -> "keras.Optimizer":
    """Build stochastic gradient descent; with `theta`, VDSR's adjustable gradient clipping.

    Args:
        lr: Peak learning rate, above 0.
        momentum: Share of the last step that the next one keeps; VDSR has 0.9.
        weight_decay: Share of a weight, times the learning rate, that each step takes away; VDSR has 1e-4.
        theta: Gradients are clipped to [-theta / lr, theta / lr] with the learning rate of the step, so `theta` is the
            largest movement of a weight in one step, before momentum (Kim et al. 2016, section 3.2). None: no clipping.
        ema: Decay of a running mean of the weights, which validation sees and training ends with. None: the weights.

    Returns:
        The optimizer.

    Raises:
        RequestError: A value is out of its range.

    Example:
        >>> sgd(lr=0.1, theta=1e-3).theta
        0.001
    """
    if theta is None:
        return keras.optimizers.SGD(lr, momentum=momentum, weight_decay=weight_decay, **_averaging(ema))
    from srexp.training.clipped_sgd import ClippedSGD

    return ClippedSGD(learning_rate=lr, momentum=momentum, weight_decay=weight_decay, theta=theta, **_averaging(ema))
