"""What was made of the file that was read last: the images of one file are mostly read one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

_Made = TypeVar("_Made")


class LastFile(threading.local, Generic[_Made]):
    """Remembers for each thread what it made of one file, as long as nobody changes that.

    Args:
        make: Makes it.
        close: Called with it when another file takes its place.

    Example:
        >>> size = LastFile(lambda path: print("looked") or path.stat().st_size)
        >>> size(Path(__file__)) == size(Path(__file__))
        looked
        True
    """

    def __init__(self, make: Callable[[Path], _Made], close: Callable[[_Made], object] | None = None) -> None:
        self._make, self._close = make, close
        self._made: tuple[tuple[int, ...], _Made] | None = None

    def __call__(self, path: Path) -> _Made:
        """Give what is made of a file."""
        status = path.stat()
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if self._made and self._made[0] == identity:
            return self._made[1]
        if self._made and self._close:
            self._close(self._made[1])
        self._made = None  # it may be large
        made = self._make(path)
        self._made = identity, made
        return made
