"""What a command measures of itself: time per stage, peak memory, and a profile when asked for."""

from __future__ import annotations

import cProfile
import ctypes
import io
import pstats
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

_SHOWN = 60
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h


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


def peak_bytes() -> int:
    """Give the largest resident memory of this process so far, in bytes.

    Linux says it of the process's own memory. `ru_maxrss` may be that of the process which started this one, so it is
    asked only elsewhere (macOS counts it in bytes).
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        status = ""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 2**10)


def peak_rss_mb() -> float:
    """Give the largest resident memory of this process so far, in MiB."""
    return round(peak_bytes() / 2**20, 1)


def rss_mb() -> float:
    """Give the resident memory of this process now, in MiB."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


def give_back_freed_memory() -> None:
    """Let glibc return blocks above 1 MiB to the system as soon as they are freed.

    By itself it keeps blocks of up to 32 MiB for later. With small tiles TensorFlow's activations are of that size, and
    what is kept of them came to four times what is in use. It costs a tenth of the time.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_MMAP_THRESHOLD, 2**20)


class Profile:
    """Profile a block: `profile.txt` to read, `profile.pstats` for viewers.

    Args:
        folder: Where the two files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.profiler = folder, cProfile.Profile()

    def __enter__(self) -> None:
        self.profiler.enable()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.profiler.disable()
        self.profiler.dump_stats(self.folder / "profile.pstats")
        text = io.StringIO()
        pstats.Stats(self.profiler, stream=text).sort_stats("cumulative").print_stats(_SHOWN)
        (self.folder / "profile.txt").write_text(text.getvalue(), encoding="utf-8")
