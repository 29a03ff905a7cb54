"""Decoded images in memory stay within their bound and are shared by threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srexp.data.image import Stored, stored
from srexp.data.preparation.memory_cache import memory_cache


def image(size: int, value: int = 0) -> Stored:
    return stored(np.full((1, size), value), 8, lossy=False)


def test_what_was_used_last_stays() -> None:
    memory, decoded = memory_cache(20), []
    for key in ("a", "b", "a", "c", "a", "b"):
        memory(key, lambda key=key: decoded.append(key) or image(10))
    assert decoded == ["a", "b", "c", "b"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 12))), st.integers(0, 30))
def test_bound_is_kept_whatever_comes(requests: list[tuple[str, int]], limit: int) -> None:
    memory = memory_cache(limit)
    sizes: dict[str, int] = {}
    for key, size in requests:
        sizes.setdefault(key, size)
        assert memory(key, lambda key=key: image(sizes[key])).pixels.size == sizes[key]
        assert memory.cache.currsize <= limit


def test_nothing_is_kept_without_memory() -> None:
    memory, decoded = memory_cache(0), []
    for _ in range(2):
        memory("a", lambda: decoded.append(1) or image(1))
    assert len(decoded) == 2


def test_threads_get_their_own_image() -> None:
    memory = memory_cache(50)
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda n: memory(str(n % 9), lambda: image(10, n % 9)).pixels[0, 0, 0], range(900)))
    assert values == [n % 9 for n in range(900)]
    assert memory.cache.currsize <= 50
