"""Decoded images kept in memory, up to a bound, for several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias

from cachetools import LRUCache, cached

from srexp.data.image import Stored

#: From what identifies an image, and a function that decodes it, to the image.
MemoryCache: TypeAlias = Callable[[str, Callable[[], Stored]], Stored]


def memory_cache(limit_bytes: int) -> MemoryCache:
    """Keep the images used last, as many as fit.

    Two threads that miss the same image at once both decode it, which costs less than making one wait.

    Args:
        limit_bytes: Bound of the pixels kept; 0 keeps none.

    Returns:
        What gives an image, decoding it when it is not held.

    Example:
        >>> import numpy as np
        >>> memory = memory_cache(100)
        >>> image = Stored(np.zeros((8, 8, 1), np.uint8), 8, lossy=False)
        >>> memory("a", lambda: image) is memory("a", lambda: None)
        True
    """
    images: LRUCache[str, Stored] = LRUCache(limit_bytes, getsizeof=lambda image: image.pixels.nbytes)
    kept: MemoryCache = cached(images, key=lambda key, _: key, lock=threading.Lock())(lambda _, decode: decode())
    return kept
