"""Images that lie in more than one split: the very same pixels, or copies that were changed on the way."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np

from srexp.data.audit.candidate_pairs import propose
from srexp.data.audit.similarity import decoded, similarity, thumbnail
from srexp.data.image import UnreadableImageError
from srexp.data.preparation.prepare import Prepared
from srexp.data.sources.source import SPLITS, Entry, Split
from srexp.system.files.atomic_files import whole_file

#: Similarity from which two images are taken for the same picture.
#:
#: Measured on 150 radiographs of 150 patients (NIH ChestX-ray14): at least 0.96 with a copy that was shrunk by half,
#: compressed as JPEG of quality 80, trimmed by 5 %, given gamma 0.9 or 1.1, brightened, or all of it; 0.67 at most
#: between patients.
SAME_FROM = 0.85

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two different files in different splits that show the same picture.

    Args:
        first: One of them.
        second: The other.
        similarity: See `srexp.data.audit.similarity.similarity`.
    """

    first: Entry
    second: Entry
    similarity: float


def exact(prepared: Prepared, splits: Sequence[Split]) -> list[list[Entry]]:
    """Find images whose pixels lie in more than one of the splits.

    Args:
        prepared: The data set.
        splits: Which splits to compare.

    Returns:
        For each such image its entries in all of the splits.
    """
    same: dict[str, list[Entry]] = defaultdict(list)
    for split in splits:
        for entry in prepared.entries[split]:
            same[entry.sha256].append(entry)
    return [entries for entries in same.values() if len({entry.split for entry in entries}) > 1]


def near(prepared: Prepared, *, most: int, cache_dir: Path | None = None) -> tuple[list[NearDuplicate], int]:
    """Find images in different splits that are changed copies of each other.

    Signatures from the scan propose pairs. Then the images are read again and compared, the most similar pairs first.

    Args:
        prepared: The data set; its entries have the fact `signature`.
        most: How many proposed pairs are looked at.
        cache_dir: Keeps what was found for this content and split; nothing is kept when None.

    Returns:
        The pairs, most alike first, and the number of proposed pairs that were not looked at.
    """
    images = _different(prepared)
    path = cache_dir / f"twins-{prepared.fingerprint[:16]}-{most}.json" if cache_dir else None
    known = _load(path, prepared.fingerprint) if path else None
    if known is None:
        known = _search(prepared, list(images.values()), most)
        if path:
            _save(path, prepared.fingerprint, known)
    pairs, left = known
    return [NearDuplicate(images[first], images[second], alike) for first, second, alike in pairs], left


_Content: TypeAlias = tuple[str, Split]
_Known: TypeAlias = tuple[list[tuple[_Content, _Content, float]], int]


def _different(prepared: Prepared) -> dict[_Content, Entry]:
    """Give one entry for each different image of each split, where it has anything to compare."""
    entries = (entry for split in SPLITS for entry in prepared.entries[split] if entry.facts.get("signature"))
    return {(entry.sha256, entry.split): entry for entry in entries}


def _search(prepared: Prepared, entries: Sequence[Entry], most: int) -> _Known:
    signatures = decoded([str(entry.facts["signature"]) for entry in entries])
    groups = np.array([SPLITS.index(entry.split) for entry in entries])
    proposed = [
        pair for pair in propose(signatures, groups) if entries[pair.first].sha256 != entries[pair.second].sha256
    ]
    picture = cache(lambda place: thumbnail(prepared.read(entries[place])))
    found = []
    for pair in proposed[:most]:
        first, second = entries[pair.first], entries[pair.second]
        try:
            alike = similarity(picture(pair.first), picture(pair.second), pair.window)
        except UnreadableImageError:  # gone since the scan; training will say so
            continue
        if alike >= SAME_FROM:
            found.append(((first.sha256, first.split), (second.sha256, second.split), round(alike, 4)))
    return sorted(found, key=lambda pair: -pair[-1]), max(0, len(proposed) - most)


def _load(path: Path, fingerprint: str) -> _Known | None:
    """Read what was found earlier; a file that is missing, damaged or of something else counts as none."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["about"] == [_FORMAT, fingerprint]:
            return [((a, b), (c, d), float(alike)) for (a, b), (c, d), alike in kept["pairs"]], int(kept["left"])
    return None


def _save(path: Path, fingerprint: str, known: _Known) -> None:
    """Keep what was found, in one step; a cache that can't be written costs time and nothing else."""
    pairs, left = known
    content = {"about": [_FORMAT, fingerprint], "pairs": pairs, "left": left}
    with contextlib.suppress(OSError), whole_file(path, durable=False) as file:
        file.write(json.dumps(content).encode())
