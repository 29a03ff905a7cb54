"""What a task asks of the images of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from srexp.data.image import Channel, Stored
from srexp.data.sources.source import Facts, Split

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How images are decoded, checked and split.

    Args:
        seed: Draws the split.
        channel: What images are converted to.
        scale: Images are cropped to a multiple of it before they are compared with `patch_size`.
        patch_size: Smallest height and width of what is trained on, in high-resolution pixels.
        scored: Smallest height and width of what can be scored, to which all must come that go into one split, and
            what is left where files that can't be used are skipped.
        cache_dir: Keeps what the scan found; nothing is kept when None.
        decoded_dir: Keeps decoded images on disk, for data sets larger than memory; none are kept when None.
        facts: Called once with each different image as stored; what it gives ends up in `Entry.facts`.
        progress: Called with the number of images done and their total.
        names: Calls images by their names instead of pseudonyms, which is for what is shown and not kept.
        all_in: Puts every image into this split instead of drawing or taking one, to score a whole data set.
    """

    seed: int
    channel: Channel
    scale: int
    patch_size: int
    scored: int = 1
    cache_dir: Path | None = None
    decoded_dir: Path | None = None
    facts: Callable[[Stored], Facts] | None = None
    progress: Progress | None = None
    names: bool = False
    all_in: Split | None = None
