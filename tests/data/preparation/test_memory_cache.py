"""Decoded images in memory stay within their bound and are shared by threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srexp.data.image import Stored, stored
from srexp.data.preparation.memory_cache import MemoryCache


def image(size: int, value: int = 0) -> Stored:
    return stored(np.full((1, size), value), 8, lossy=False)


def test_what_was_used_last_stays() -> None:
    memory, decoded = MemoryCache(20), []
    for key in ("a", "b", "a", "c", "a", "b"):
        memory.get(key, lambda key=key: decoded.append(key) or image(10))
    assert decoded == ["a", "b", "c", "b"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 12))), st.integers(0, 30))
def test_bound_is_kept_whatever_comes(requests: list[tuple[str, int]], limit: int) -> None:
    memory = MemoryCache(limit)
    sizes: dict[str, int] = {}
    for key, size in requests:
        sizes.setdefault(key, size)
        assert memory.get(key, lambda key=key: image(sizes[key])).pixels.size == sizes[key]
        assert memory.held_bytes <= limit


def test_nothing_is_kept_without_memory() -> None:
    memory, decoded = MemoryCache(0), []
    for _ in range(2):
        memory.get("a", lambda: decoded.append(1) or image(1))
    assert len(decoded) == 2


def test_threads_get_their_own_image() -> None:
    memory = MemoryCache(50)
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda n: memory.get(str(n % 9), lambda: image(10, n % 9)).pixels[0, 0, 0], range(900)))
    assert values == [n % 9 for n in range(900)]
    assert memory.held_bytes <= 50
