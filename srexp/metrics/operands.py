"""What every metric asks of the two images that it compares."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.errors import RequestError

#: One channel of an image, (h, w), contiguous.
Plane: TypeAlias = npt.NDArray[np.float64]

#: White in grey levels of eight bits. Errors are given in these, as on error maps, so that images of different bit
#: depths average; metrics with constants in grey levels bring other depths to it.
EIGHT_BIT = 255.0

#: Means that a matrix product gives of each line, and across how many lines: a small one, which needs no threads.
_BLOCK, _LINES = 16, 512
#: Rows of windows that are worked on at a time, so that what is computed of them stays in the processor's cache.
_STRIP = 64


def planes(image: npt.NDArray[Any]) -> list[Plane]:
    """Take the channels of an image apart; whole planes are filtered several times as fast as interleaved ones.

    Args:
        image: (h, w) or (h, w, c), any real dtype.
    """
    channels = image.reshape(*image.shape[:2], -1)
    return [np.ascontiguousarray(channels[..., number], dtype=np.float64) for number in range(channels.shape[2])]


def halved(plane: Plane, beyond: Literal["edge", "constant"]) -> Plane:
    """Give the means of 2 x 2 pixels.

    Args:
        plane: (h, w).
        beyond: What an odd last row or column is averaged with, by `numpy.pad`'s names: itself (`edge`), or zeros
            (`constant`), as by MATLAB's `conv2`.

    Example:
        >>> halved(np.full((3, 2), 8.0), "constant").ravel().tolist()
        [8.0, 4.0]
    """
    odd = [(0, length % 2) for length in plane.shape]
    even = np.pad(plane, odd, mode=beyond)
    means: Plane = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return means


def strips(side: int, *images: Plane) -> Iterator[list[Plane]]:
    """Cut planes into strips such that each window of `side` rows lies in one strip.

    Example:
        >>> [strip.shape for (strip,) in strips(11, np.zeros((80, 20)))]
        [(74, 20), (16, 20)]
    """
    for top in range(0, len(images[0]) - side + 1, _STRIP):
        yield [image[top : top + _STRIP + side - 1] for image in images]


def windowed(plane: Plane, side: int, sigma: float) -> Plane:
    """Give the Gaussian mean around each pixel whose window lies inside.

    Neighbouring windows are products with one small matrix of weights, which takes a third of the time of a filter that
    goes from pixel to pixel, as SciPy's; they differ by its rounding.

    Args:
        plane: (h, w), no smaller than the window.
        side: Of the window in pixels, odd.
        sigma: Of the Gaussian in pixels.

    Returns:
        (h - side + 1, w - side + 1).

    Example:
        >>> windowed(np.full((11, 12), 3.0), 11, 1.5).round(12).tolist()
        [[3.0, 3.0]]
    """
    return _along_rows(_along_rows(plane, side, sigma).T, side, sigma).T


def _along_rows(plane: Plane, side: int, sigma: float) -> Plane:
    weights, length = _weights(side, sigma), len(plane) - side + 1
    means: Plane = np.empty((length, plane.shape[1]))
    for top in range(0, length, _BLOCK):
        size = min(_BLOCK, length - top)
        for left in range(0, plane.shape[1], _LINES):
            part = np.s_[left : left + _LINES]
            seen = plane[top : top + size + side - 1, part]
            np.matmul(weights[:size, : size + side - 1], seen, out=means[top : top + size, part])
    return means


@lru_cache(maxsize=8)
def _weights(side: int, sigma: float) -> Plane:
    """Give the weights of neighbouring windows, each row's a pixel further on, (_BLOCK, _BLOCK + side - 1)."""
    places = np.arange(_BLOCK + side - 1) - np.arange(_BLOCK)[:, np.newaxis]
    density = np.exp(-(((places - side // 2) / sigma) ** 2) / 2)
    inside = np.where((places >= 0) & (places < side), density, 0)
    weights: Plane = inside / inside.sum(axis=1, keepdims=True)
    return weights


def require_alike(metric: str, restored: npt.NDArray[Any], high: npt.NDArray[Any], max_value: float = 1) -> None:
    """Refuse two images that can't be compared.

    Args:
        metric: What it is called in a sentence.
        restored: Network output, any shape.
        high: Target, same shape.
        max_value: Data range of both.

    Raises:
        RequestError: The shapes differ, the images are empty or the range isn't positive.

    Example:
        >>> import numpy as np
        >>> require_alike("PSNR", np.zeros((4, 4, 1)), np.zeros((4, 4, 1)), max_value=255)
    """
    if restored.shape != high.shape or high.size == 0:
        raise RequestError(
            f"{metric} needs two images of one size",
            got=f"restored {restored.shape}, target {high.shape}",
            expected="equal shapes (h, w, c), not empty",
        )
    if not max_value > 0:
        raise RequestError(f"{metric} needs a positive data range", got=max_value, expected="2**bits - 1")


def eight_bit_planes(
    restored: npt.NDArray[Any], high: npt.NDArray[Any], max_value: float
) -> Iterator[tuple[Plane, Plane]]:
    """Give the channels of two images side by side in grey levels of 255, by which some metrics have their constants.

    Example:
        >>> [(a.max(), b.max()) for a, b in eight_bit_planes(np.ones((2, 2)), np.zeros((2, 2)), 1.0)]
        [(np.float64(255.0), np.float64(0.0))]
    """
    factor = EIGHT_BIT / max_value
    for found, wanted in zip(planes(restored), planes(high), strict=True):
        yield found * factor, wanted * factor
