"""Decoded images kept in memory, up to a bound, for several threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from cachetools import LRUCache

from srexp.data.image import Stored


class MemoryCache:
    """The images used last, as many as fit.

    Two threads that miss the same image at once both decode it, which costs less than making one wait.

    Args:
        limit_bytes: Bound of the pixels kept; 0 keeps none.

    Example:
        >>> import numpy as np
        >>> memory = MemoryCache(100)
        >>> image = Stored(np.zeros((8, 8, 1), np.uint8), 8, lossy=False)
        >>> memory.get("a", lambda: image) is memory.get("a", lambda: None)
        True
    """

    def __init__(self, limit_bytes: int) -> None:
        self._images: LRUCache[str, Stored] = LRUCache(limit_bytes, getsizeof=lambda image: image.pixels.nbytes)
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Pixels kept at present."""
        return int(self._images.currsize)

    def get(self, key: str, decode: Callable[[], Stored]) -> Stored:
        """Give an image, decoding it when it is not held.

        Args:
            key: Identifies the image.
            decode: Makes it.

        Returns:
            The image.
        """
        with self._lock:
            if (held := self._images.get(key)) is not None:
                return held
        image = decode()
        with self._lock, contextlib.suppress(ValueError):  # larger than the bound
            self._images.setdefault(key, image)
        return image
