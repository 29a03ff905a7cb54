"""How far a restored image is from its input once it is reduced again: what it shows beyond that was invented."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from srexp.data.degradation.imresize import REACH, resize
from srexp.types import Pixels

#: Grey levels of the range [0, 1].
LEVELS = 255


class ReducedAgain:
    """Measures while the parts of an image pass through, so that the whole image need not be there.

    The reduction is MATLAB's bicubic one, the literature's standard. A network that was trained on worse images, as
    noisy ones, rightly differs from its input by what it took away.

    Args:
        low: The input, (h, w, c), float32 in [0, 1].
        scale: Restored pixels per input pixel, along each axis.
        tell: Called when all has passed, with the root mean square of the difference in grey levels of 255.

    Example:
        >>> low, grey = np.zeros((9, 8, 1), np.float32), np.full((18, 16, 1), 0.2, np.float32)
        >>> _ = [*ReducedAgain(low, 2, lambda levels: print(f"{levels:.1f} grey levels")).passing(iter([grey]))]
        51.0 grey levels
    """

    def __init__(self, low: Pixels, scale: int, tell: Callable[[float], object]) -> None:
        self._low, self._scale, self._tell = low, scale, tell
        self._squares, self._done = 0.0, 0  # rows of the input
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
        self._squares += float(np.sum((reduced - self._low[self._done : last]) ** 2, dtype=np.float64))
        kept = max(0, last - REACH - 1)
        self._rows = self._rows[(kept - self._first) * self._scale :]
        self._done, self._first = last, kept
        if last == len(self._low):
            self._tell(LEVELS * math.sqrt(self._squares / self._low.size))
