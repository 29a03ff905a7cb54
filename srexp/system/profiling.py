"""What a command measures of itself: time per stage, and a profile when asked for."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHOWN = 60


class Stopwatch:
    """Wall time of the stages of a command.

    Example:
        >>> watch = Stopwatch()
        >>> with watch("data"):
        ...     pass
        >>> sorted(watch.seconds())
        ['data', 'total']
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage; one that comes twice is added up."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._stages[stage] = self._stages.get(stage, 0.0) + time.perf_counter() - start

    def add(self, stage: str, seconds: float) -> None:
        """Count time that another process spent on a stage before this one went on."""
        self._stages[stage] = self._stages.get(stage, 0.0) + seconds
        self._started -= seconds

    def seconds(self) -> dict[str, float]:
        """Give the stages and the total since the start, in seconds."""
        stages = {**self._stages, "total": time.perf_counter() - self._started}
        return {stage: round(seconds, 3) for stage, seconds in stages.items()}


@contextmanager
def profiled(folder: Path) -> Iterator[None]:
    """Profile a block: `profile.txt` to read, `profile.pstats` for viewers.

    Args:
        folder: Where the two files go.
    """
    profiler = cProfile.Profile()
    try:
        with profiler:
            yield
    finally:
        profiler.dump_stats(folder / "profile.pstats")
        with (folder / "profile.txt").open("w", encoding="utf-8") as text:
            pstats.Stats(profiler, stream=text).sort_stats("cumulative").print_stats(_SHOWN)
