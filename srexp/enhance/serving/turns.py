"""In which order images get the processor: by tiles, so that a small one needn't wait for a large one's end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from srexp.enhance.predict import Restore
from srexp.types import Batch

_Result = TypeVar("_Result")

#: Share of the time that large images have while small ones are there, as 1 / (1 + PAUSE).
PAUSE = 3


@dataclass(eq=False, slots=True)
class Image:
    """An image on its way through the network.

    Args:
        small: Whether it goes before those that aren't.
        over: Whether nobody wants it any more.
        counted: Time on the processor of the thread that works on it, as far as there was a pause for it.
        tiles: Tiles that it consists of; 0 where that isn't known yet.
        done: Tiles that are computed.
    """

    small: bool = True
    over: bool = False
    counted: float = 0.0
    tiles: int = 0
    done: int = 0


_IMAGE: ContextVar[Image] = ContextVar("_IMAGE")


class AbandonedError(Exception):
    """The image that is being restored is wanted no more."""


class Turns:
    """Let threads compute a tile at a time.

    While there are small images, a tile of a large one is followed by a pause three times as long, in which the
    processor is the small ones': an image that comes then meets a tile of a large one in every fourth case at most.
    What the large one's thread does beside tiles, as packing pixels, is counted with them.

    Args:
        at_a_time: Tiles that may be computed at the same time.

    Example:
        >>> import numpy as np
        >>> turns, image = Turns(at_a_time=1), Image()
        >>> twice = turns.taking(lambda batch: batch * 2)
        >>> turns.run(image, lambda: float(twice(np.ones((1, 4, 4, 1))).max()))
        2.0
        >>> turns.abandon(image)
        >>> turns.run(image, lambda: twice(np.ones((1, 4, 4, 1))))
        Traceback (most recent call last):
        srexp.enhance.serving.turns.AbandonedError
    """

    def __init__(self, at_a_time: int) -> None:
        self._changed = threading.Condition()
        self._free, self._small, self._pause_ends = at_a_time, 0, 0.0
        self._waiting: list[Image] = []

    @contextmanager
    def small(self) -> Iterator[None]:
        """Say that there is an image that is, or may be, small."""
        self._change(small=1)
        try:
            yield
        finally:
            self._change(small=-1)

    def run(self, image: Image, work: Callable[[], _Result]) -> _Result:
        """Work on an image in this thread.

        Args:
            image: The image.
            work: Whatever calls a function that `taking` made.

        Returns:
            What it returns.
        """
        before = _IMAGE.set(image)
        image.counted = time.thread_time()
        try:
            return work()
        finally:
            self._pause_after(image)
            _IMAGE.reset(before)

    @staticmethod
    def expect(tiles: int) -> None:
        """Say how many tiles the image that this thread works on consists of.

        Args:
            tiles: Their number.
        """
        image = _IMAGE.get()
        image.tiles, image.done = tiles, 0

    def abandon(self, image: Image) -> None:
        """End the work on an image before its next tile.

        Args:
            image: The image.
        """
        image.over = True
        self._change()

    def taking(self, restore: Restore) -> Restore:
        """Let a network take turns.

        Args:
            restore: The network.

        Returns:
            The same, which waits for its turn before it computes.
        """

        def taken(batch: Batch) -> Batch:
            image = _IMAGE.get()
            beside = time.thread_time()
            self._wait(image)
            began = time.monotonic()
            try:
                restored = restore(batch)
                image.done += 1
                return restored
            finally:
                self._pause_after(image, time.monotonic() - began + beside - image.counted)
                self._change(free=1)

        return taken

    def _pause_after(self, image: Image, seconds: float | None = None) -> None:
        """Let large images pause for what one took: so many seconds, or else its thread's since its last tile."""
        now = time.thread_time()
        if not image.small:
            pause = PAUSE * (now - image.counted if seconds is None else seconds)
            self._pause_ends = max(self._pause_ends, time.monotonic() + pause)  # what ends an image shortens none
        image.counted = now

    def _wait(self, image: Image) -> None:
        """Take a turn: who has waited longest goes first, or small images would keep a large one out."""
        with self._changed:
            self._waiting.append(image)
            try:
                while not image.over:
                    if image in self._next():
                        self._free -= 1
                        return
                    self._changed.wait(None if image.small else self._pause() or None)
            finally:
                self._waiting.remove(image)
            raise AbandonedError

    def _next(self) -> list[Image]:
        """Those that may compute now."""
        paused = self._pause() > 0
        return [each for each in self._waiting if not each.over and (each.small or not paused)][: self._free]

    def _pause(self) -> float:
        """Seconds that large images still have to pause."""
        return max(0.0, self._pause_ends - time.monotonic()) if self._small else 0.0

    def _change(self, *, small: int = 0, free: int = 0) -> None:
        with self._changed:
            self._small += small
            self._free += free
            self._changed.notify_all()
