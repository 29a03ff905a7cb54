"""Colour images through a network of one channel: it restores the luminance, where the detail is that eyes see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from srexp.types import Pixels

# ITU-R BT.601 over the full range, and as in MATLAB's rgb2ycbcr (16..235 of 255).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_STUDIO, _STUDIO_BLACK, _STUDIO_SPAN = np.array([65.481, 128.553, 24.966], np.float32) / 255, 16 / 255, 219 / 255
_RGB = 3
_ROWS = 128  # of an image in colours that are worked on at a time


def for_colour(
    predict: Callable[[Pixels], Iterator[Pixels]],
    enlarge: Callable[[Pixels, slice], Pixels],
    *,
    channels: int,
    channel: Literal["grey", "y", "rgb"],
) -> Callable[[Pixels], Iterator[Pixels]]:
    """Let a network of one channel restore colour images, and one of three channels grey ones.

    Of a colour image the network of one channel restores the luminance; the two chroma components are interpolated.
    Since luminance adds the same to red, green and blue, that is: what the network adds to the interpolated luminance
    is added to each interpolated colour. To a network of three channels a grey image is given three times, and the
    mean taken.

    Args:
        predict: The network, (h, w, channels) to parts (rows, w * scale, channels) from top to bottom.
        enlarge: Interpolation, usually bicubic: (h, w, 3) and which rows of (h * scale, w * scale, 3) to give.
        channels: Channels of the network, 1 or 3.
        channel: Luminance that it was trained on: `grey`, over the full range, or `y`, over 16 to 235 of 255.

    Returns:
        Function from (h, w, 1) or (h, w, 3) to parts of the same kind of image, `scale` times as large.

    Example:
        >>> image = np.random.default_rng(0).random((4, 6, 3), dtype=np.float32)
        >>> both = for_colour(lambda low: iter([low]), lambda low, rows: low[rows], channels=1, channel="y")
        >>> bool(np.allclose(next(both(image)), image)), next(both(image[..., :1])).shape
        (True, (4, 6, 1))
    """

    def in_colours(low: Pixels) -> Iterator[Pixels]:
        top = 0
        for strip in predict(luminance(low, channel)):
            for start in range(0, len(strip), _ROWS):
                part = strip[start : start + _ROWS]
                enlarged = enlarge(low, slice(top, top + len(part)))
                change = part - luminance(enlarged, channel)
                yield enlarged + (change / np.float32(_STUDIO_SPAN) if channel == "y" else change)
                top += len(part)

    def restored(low: Pixels) -> Iterator[Pixels]:
        if low.shape[-1] == channels:
            return predict(low)
        if channels == _RGB:
            return (strip.mean(axis=-1, keepdims=True) for strip in predict(np.repeat(low, _RGB, axis=-1)))
        return in_colours(low)

    return restored


def luminance(colours: Pixels, channel: Literal["grey", "y", "rgb"]) -> Pixels:
    """Give BT.601 luminance.

    Args:
        colours: (h, w, 3), red, green, blue in [0, 1].
        channel: `y` for the range 16 to 235 of 255; the full range otherwise.

    Returns:
        (h, w, 1), float32.
    """
    weights, black = (_STUDIO, _STUDIO_BLACK) if channel == "y" else (_LUMA, 0.0)
    value: Pixels = (colours @ weights + np.float32(black))[..., np.newaxis].astype(np.float32)
    return value
