"""What every metric asks of the two images that it compares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.errors import RequestError

#: One channel of an image, (h, w), contiguous.
Plane: TypeAlias = npt.NDArray[np.float64]

#: White in grey levels of eight bits. Errors are given in these, as on error maps, so that images of different bit
#: depths average; metrics with constants in grey levels bring other depths to it.
EIGHT_BIT = 255.0


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
