"""Decode every image once, on all processors, and note what it is; links to one file count as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from srexp.data.formats.registry import read_image
from srexp.data.image import Intensity, Stored, UnreadableImageError, to_channel
from srexp.data.preparation.index import Identity, Index, identity_of
from srexp.data.preparation.memory_cache import MemoryCache
from srexp.data.preparation.request import Preparation
from srexp.data.sources.source import Facts, Found, Item

Refused: TypeAlias = list[tuple[str, str]]

_BATCH_PER_WORKER = 32


@dataclass(frozen=True)
class Scan:
    """How images are decoded and what is noted of them.

    Args:
        intensity: How values become a range.
        asked: What else decides it.
        memory: Where decoded images are kept for the training that follows.
    """

    intensity: Intensity
    asked: Preparation
    memory: MemoryCache

    def run(self, items: Sequence[Item]) -> tuple[list[Found | None], Refused]:
        """Decode what no earlier scan has seen.

        Args:
            items: The images, in the order of their keys.

        Returns:
            For each item its finding, None when it can't be used; and the key and reason of those.
        """
        once: dict[Identity | str, Identity | str] = {}  # items of one file share a tuple
        identities = [once.setdefault(identity, identity) for identity in map(_identity, items)]
        paired = zip(identities, items, strict=True)
        of_identity = {identity: item for identity, item in paired if not isinstance(identity, str)}
        index = Index(self.asked.cache_dir, about=(_place(items), self.intensity, _name(self.asked.facts)))
        reasons = self._decode(of_identity, index)
        found = [None if isinstance(identity, str) else index.found.get(identity) for identity in identities]
        refused = [
            (item.key, identity if isinstance(identity, str) else reasons[identity])
            for item, identity, result in zip(items, identities, found, strict=True)
            if result is None
        ]
        return found, refused

    def _decode(self, of_identity: dict[Identity, Item], index: Index) -> dict[Identity, str]:
        """Fill the index, and give the reason of each image that could not be used."""
        todo = [identity for identity in of_identity if identity not in index.found]
        reasons: dict[Identity, str] = {}
        workers = os.cpu_count() or 1
        step = workers * _BATCH_PER_WORKER
        try:
            with ThreadPoolExecutor(workers, thread_name_prefix="scan") as pool:
                for start in range(0, len(todo), step):
                    batch = todo[start : start + step]
                    for identity, result in zip(batch, pool.map(self._find, map(of_identity.get, batch)), strict=True):
                        if isinstance(result, Found):
                            index.found[identity] = result
                        else:
                            reasons[identity] = result
                    if self.asked.progress:
                        self.asked.progress(min(start + step, len(todo)), len(todo))
        finally:
            index.save()
        return reasons

    def _find(self, item: Item) -> Found | str:
        """Decode one image; gives the reason when it can't be used."""
        try:
            image = read_image(item.path, item.frame, self.intensity)
        except UnreadableImageError as error:
            return error.told()
        sha256 = image.digest()
        self.memory(sha256, lambda: to_channel(image, self.asked.channel))
        height, width, channels = image.pixels.shape
        noted = self.asked.facts(image) if self.asked.facts else {}
        return Found(height, width, channels, image.bits, image.lossy, sha256, noted)


def _identity(item: Item) -> Identity | str:
    """Tell a file from others, or why it can't be told."""
    try:
        return identity_of(item)
    except OSError as error:
        return f"has gone, or can't be reached ({error.strerror})"


def _place(items: Sequence[Item]) -> str:
    """Give the folder that holds all of the sorted items."""
    return os.path.commonpath([items[0].path.parent, items[-1].path.parent]) if items else ""


def _name(facts: Callable[[Stored], Facts] | None) -> str:
    return f"{facts.__module__}.{facts.__qualname__}" if facts else ""
