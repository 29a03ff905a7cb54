"""The mean over what a network makes of an image and of its mirror images: slower by eight, better by a little."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from srexp.types import Pixels

VIEWS = 8


def self_ensemble(
    predict: Callable[[Pixels], Iterator[Pixels]],
    scale: int,
    *,
    on_spread: Callable[[Pixels], object] | None = None,
) -> Callable[[Pixels], Iterator[Pixels]]:
    """Average over the eight rotations and reflections of a square, in the memory of one restored image.

    The eight differ where a network isn't sure: what it makes of a place depends on how that happens to lie.

    R. Timofte, R. Rothe, L. Van Gool: Seven ways to improve example-based single image super resolution. CVPR 2016,
    section 3.6.

    Args:
        predict: (h, w, c) to parts (rows, w * scale, c) from top to bottom, for any h and w.
        scale: Output pixels per input pixel, along each axis.
        on_spread: Receives the standard deviation of the eight, (h * scale, w * scale, c), before the image is given;
            takes the memory of one more image.

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
        squares = np.zeros_like(total) if on_spread else None
        for done, (turns, step) in enumerate(itertools.product(range(4), (1, -1))):
            view = np.ascontiguousarray(np.rot90(low, turns)[:, ::step])
            turned = None if squares is None else np.rot90(squares, turns)[:, ::step]
            _add(predict(view), np.rot90(total, turns)[:, ::step], turned, done)
        if on_spread and squares is not None:
            on_spread(np.sqrt(squares / VIEWS))
        total /= VIEWS
        yield total

    return averaged


def _add(strips: Iterator[Pixels], total: Pixels, squares: Pixels | None, done: int) -> None:
    """Add an image to those that are done, part by part, and keep none of them.

    The squares are of distances to the mean so far (Welford 1962), which loses nothing where the eight are alike.
    """
    top = 0
    for strip in strips:
        rows = slice(top, top + len(strip))
        if squares is not None and done:
            squares[rows] += np.square(strip - total[rows] / done) * (done / (done + 1))
        total[rows] += strip
        top += len(strip)
