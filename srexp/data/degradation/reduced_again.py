"""How far a restored image is from its input once it is reduced again: what it shows beyond that was invented."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from srexp.data.degradation.imresize import REACH, resize
from srexp.types import Pixels

#: Grey levels of the range [0, 1].
LEVELS = 255
#: Side of a place, in pixels of the input: wide enough that what lies on both sides of an edge cancels out in its mean,
#: and narrow enough for an invention of a few pixels.
PLACE = 4

_COMMON = (0.1, 99.9)  # percentiles: a letter of lead or a dead pixel doesn't decide what range an image fills
_LEAST_RANGE = 0.01  # an image that fills less of its range counts as if it filled that, or its rounding would be much


class Distance(NamedTuple):
    """How far an image that was reduced again is from the input.

    Args:
        levels: Root mean square of the difference, in grey levels of 255.
        place_percent: Mean difference of `PLACE` x `PLACE` pixels of the input where it is largest, up or down, in
            percent of the range that the input fills.
    """

    levels: float
    place_percent: float


class ReducedAgain:
    """Measures while the parts of an image pass through, so that the whole image need not be there.

    The reduction is MATLAB's bicubic one, the literature's standard. Where it overshoots, at the edge of what is white,
    it is cut off at the range, as the stored input was. A network that was trained on worse images, as noisy ones,
    rightly differs from its input by what it took away.

    Args:
        low: The input, (h, w, c), float32 in [0, 1].
        scale: Restored pixels per input pixel, along each axis.
        tell: Called when all has passed, with the distance.

    Example:
        >>> low, grey = np.zeros((9, 8, 1), np.float32), np.full((18, 16, 1), 0.2, np.float32)
        >>> _ = [*ReducedAgain(low, 2, lambda far: print(f"{far.levels:.1f} grey levels")).passing(iter([grey]))]
        51.0 grey levels
    """

    def __init__(self, low: Pixels, scale: int, tell: Callable[[Distance], object]) -> None:
        self._low, self._scale, self._tell = low, scale, tell
        self._squares, self._done = 0.0, 0  # rows of the input
        self._place, self._above = 0.0, low[:0]  # the largest mean of a place, and rows that places below begin in
        self._rows, self._first = low[:0], 0  # restored rows that are kept, from which row of the input on

    def passing(self, strips: Iterator[Pixels]) -> Iterator[Pixels]:
        """Look at an image that is used elsewhere.

        Args:
            strips: Its parts (rows, w * scale, c), from top to bottom.

        Yields:
            The same parts.
        """
        for strip in strips:
            clipped = np.clip(strip, 0, 1)
            self._rows = np.concatenate([self._rows, clipped]) if len(self._rows) else clipped
            self._compare()
            yield strip

    def _compare(self) -> None:
        """Compare rows whose whole neighbourhood is there, and forget what no other needs."""
        there = self._first + len(self._rows) // self._scale
        last = there if there == len(self._low) else there - REACH - 1
        if last <= self._done:
            return
        whole = self._rows[: (there - self._first) * self._scale]
        reduced = resize(whole, scale=Fraction(1, self._scale))[self._done - self._first : last - self._first]
        difference = np.clip(reduced, 0, 1) - self._low[self._done : last]
        self._squares += float(np.sum(difference**2, dtype=np.float64))
        self._look_at_places(difference)
        kept = max(0, last - REACH - 1)
        self._rows = self._rows[(kept - self._first) * self._scale :]
        self._done, self._first = last, kept
        if last == len(self._low):
            dark, bright = np.percentile(self._low, _COMMON)
            percent = 100 * self._place / max(float(bright - dark), _LEAST_RANGE)
            self._tell(Distance(LEVELS * math.sqrt(self._squares / self._low.size), percent))

    def _look_at_places(self, difference: Pixels) -> None:
        """Find the largest mean of a place that ends in these rows; of an image of fewer rows, in all of them."""
        rows = np.concatenate([self._above, difference])
        height, width = (min(PLACE, side) for side in self._low.shape[:2])
        if len(rows) >= height:
            means = sliding_window_view(sliding_window_view(rows, height, 0).mean(-1), width, 1).mean(-1)
            self._place = max(self._place, float(np.abs(means).max()))
        self._above = rows[max(0, len(rows) - height + 1) :]
