"""Bicubic interpolation as a network without weights."""

from srexp.lazy_imports import keras
from srexp.models.layers.upsampling import begin


def build(scale: int, channels: int, *, name: str = "bicubic") -> "keras.Model":
    """Enlarge by bicubic interpolation (Keys 1981, a = -0.5): the baseline of every comparison.

    Args:
        scale: How many times larger the restored image is; 1 gives the input back.
        channels: 1 (grey) or 3 (colour).
        name: Name of the network.

    Returns:
        A network without weights, `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32.

    Raises:
        RequestError: `scale` or `channels` is less than 1.

    Example:
        >>> build(scale=2, channels=1).count_params()
        0
    """
    low, enlarged = begin(scale, channels)
    return keras.Model(low, keras.layers.Identity(dtype="float32", name="restored")(enlarged), name=name)
