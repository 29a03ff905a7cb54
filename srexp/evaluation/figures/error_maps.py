"""Error maps: how far each pixel is from the target, in colours that mean the same for all models."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.types import Pixels

#: Upper end of the scale of differences without a target, in grey levels of 255.
MAX_GREY_LEVELS = 8.0

#: Upper ends of the error maps' scale, in grey levels of 255.
ERROR_SCALES = tuple(2.0**power for power in range(-2, 8))

#: Perceptually uniform and sequential: black is no error, warmer and brighter is more.
COLOURS = "inferno"
STEPS = 64  # colours of an error map on a page: no eye tells more of them apart


def error_scale(bicubic: Iterable[float | None]) -> float:
    """Choose the scale of error maps before any of them is drawn: three times bicubic's usual error.

    Args:
        bicubic: PSNR of bicubic interpolation on each image, in dB.

    Returns:
        A power of two, in grey levels of 255; the same for all models on the same images.

    Example:
        >>> error_scale([38.0, 40.0, None]), error_scale([float("inf")])
        (16.0, 0.25)
    """
    finite = [psnr for psnr in bicubic if psnr is not None and math.isfinite(psnr)]
    usual = 255 / 10 ** (median(finite) / 20) if finite else 0.0
    return next((top for top in ERROR_SCALES if top >= 3 * usual), ERROR_SCALES[-1])


def error_map(restored: Pixels, high: Pixels) -> npt.NDArray[np.float32]:
    """Absolute error of every pixel, in grey levels of 255 whatever the bit depth.

    Args:
        restored: Network output, (h, w, c), clipped to [0, 1] here.
        high: Target, (h, w, c), in [0, 1].

    Returns:
        (h, w), mean over the channels, in 0..255.

    Example:
        >>> error_map(np.full((1, 1, 1), 0.5, np.float32), np.zeros((1, 1, 1), np.float32))
        array([[127.5]], dtype=float32)
    """
    error: npt.NDArray[np.float32] = np.abs(np.clip(restored, 0, 1) - high).mean(axis=-1) * np.float32(255)
    return error


def error_map_rgb(
    error: npt.NDArray[np.floating[Any]], max_grey_levels: float = MAX_GREY_LEVELS
) -> npt.NDArray[np.uint8]:
    """Colour an error map: with one scale, one error has one colour, in whatever picture.

    Args:
        error: (h, w), grey levels of 255, as `error_map` gives it.
        max_grey_levels: Error that gets the last colour, as do all larger ones.

    Returns:
        (h, w, 3), uint8.

    Example:
        >>> error_map_rgb(np.array([[0.0, 8.0, 100.0]])).tolist()
        [[[0, 0, 3], [252, 254, 164], [252, 254, 164]]]
    """
    table = _colour_table()
    steps = np.floor(error * (len(table) / max_grey_levels))
    colours: npt.NDArray[np.uint8] = table[np.clip(steps, 0, len(table) - 1).astype(np.intp)]
    return colours


def coloured(error: npt.NDArray[np.floating[Any]], max_grey_levels: float) -> npt.NDArray[np.uint8]:
    """Colour an error map in 64 steps of the scale that all maps of a page share.

    Args:
        error: (h, w), grey levels of 255, as `error_map` gives it.
        max_grey_levels: Error that gets the last colour, as do all larger ones.

    Returns:
        (h, w, 3), uint8. One error has one colour, whatever the picture, and a larger one never a colder colour.
    """
    step = max_grey_levels / STEPS
    return error_map_rgb((np.minimum(np.floor(error / step), STEPS - 1) + 0.5) * step, max_grey_levels)


@cache
def _colour_table() -> npt.NDArray[np.uint8]:
    from matplotlib import colormaps

    return colormaps[COLOURS](np.arange(256), bytes=True)[:, :3].copy()
