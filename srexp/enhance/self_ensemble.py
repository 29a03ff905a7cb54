"""The mean over what a network makes of an image and of its mirror images: slower by eight, better by a little."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from srexp.types import Pixels


def self_ensemble(predict: Callable[[Pixels], Iterator[Pixels]], scale: int) -> Callable[[Pixels], Iterator[Pixels]]:
    """Average over the eight rotations and reflections of a square, in the memory of one restored image.

    R. Timofte, R. Rothe, L. Van Gool: Seven ways to improve example-based single image super resolution. CVPR 2016,
    section 3.6.

    Args:
        predict: (h, w, c) to parts (rows, w * scale, c) from top to bottom, for any h and w.
        scale: Output pixels per input pixel, along each axis.

    Returns:
        The same kind of function; the image comes as one part.

    Example:
        >>> image = np.random.default_rng(0).random((4, 6, 1), dtype=np.float32)
        >>> (mean,) = self_ensemble(lambda low: iter([low + 1]), 1)(image)
        >>> bool(np.allclose(mean, image + 1))
        True
    """

    def averaged(low: Pixels) -> Iterator[Pixels]:
        height, width, channels = low.shape
        total = np.zeros((height * scale, width * scale, channels), np.float32)
        for turns, step in itertools.product(range(4), (1, -1)):
            view = np.ascontiguousarray(np.rot90(low, turns)[:, ::step])
            _add(predict(view), np.rot90(total, turns)[:, ::step])
        total /= 8
        yield total

    return averaged


def _add(strips: Iterator[Pixels], total: Pixels) -> None:
    """Add an image to another, part by part, and keep none of them."""
    top = 0
    for strip in strips:
        total[top : top + len(strip)] += strip
        top += len(strip)
