"""Interpolation as networks without weights: what a trained network has to be better than."""

from typing import Literal, TypeAlias, get_args

from srexp.lazy_imports import keras
from srexp.models.layers.upsampling import begin

Method: TypeAlias = Literal["bicubic", "lanczos", "nearest"]
METHODS: tuple[Method, ...] = get_args(Method)


def build(scale: int, channels: int, *, method: Method) -> "keras.Model":
    """Enlarge by interpolation.

    `bicubic` is Keys 1981 with a = -0.5, as in MATLAB; `lanczos` the windowed sinc with three lobes that Pillow calls
    LANCZOS; `nearest` repeats pixels.

    Args:
        scale: How many times larger the restored image is; 1 gives the input back.
        channels: 1 (grey) or 3 (colour).
        method: How.

    Returns:
        A network without weights, `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32, named by its method.

    Raises:
        RequestError: `scale` or `channels` is less than 1.

    Example:
        >>> build(scale=3, channels=1, method="lanczos").name
        'lanczos'
    """
    low, enlarged = begin(scale, channels)
    if scale > 1 and method != "bicubic":
        kernel = {"lanczos": "lanczos3", "nearest": "nearest"}[method]
        enlarged = keras.layers.UpSampling2D(scale, interpolation=kernel, dtype="float32", name="enlarged")(low)
    return keras.Model(low, keras.layers.Identity(dtype="float32", name="restored")(enlarged), name=method)
