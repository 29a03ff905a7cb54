"""Decoded images kept in memory, up to a bound, for several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from srexp.data.image import Stored


class MemoryCache:
    """The images used last, as many as fit.

    Two threads that miss the same image at once both decode it, which costs less than making one wait.

    Args:
        limit_bytes: Bound of the pixels kept; 0 keeps none.

    Attributes:
        held_bytes: Pixels kept at present.

    Example:
        >>> import numpy as np
        >>> memory = MemoryCache(100)
        >>> image = Stored(np.zeros((8, 8, 1), np.uint8), 8, lossy=False)
        >>> memory.get("a", lambda: image) is memory.get("a", lambda: None)
        True
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self.held_bytes = 0
        self._images: OrderedDict[str, Stored] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, decode: Callable[[], Stored]) -> Stored:
        """Give an image, decoding it when it is not held.

        Args:
            key: Identifies the image.
            decode: Makes it.

        Returns:
            The image.
        """
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
                return self._images[key]
        image = decode()
        size = image.pixels.nbytes
        with self._lock:
            if key not in self._images and size <= self._limit:
                self._images[key] = image
                self.held_bytes += size
                while self.held_bytes > self._limit:
                    _, dropped = self._images.popitem(last=False)
                    self.held_bytes -= dropped.pixels.nbytes
        return image
