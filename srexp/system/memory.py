"""How much memory this process has and may take, and giving back what it no longer needs."""

from __future__ import annotations

import ctypes
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

from srexp.lazy_imports import psutil

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
_SHARE = 0.8  # of the free memory that a process may come to take
_CGROUP = Path("/sys/fs/cgroup")


def peak_bytes() -> int:
    """Give the largest resident memory of this process so far, in bytes.

    Linux says it of the process's own memory. `ru_maxrss` may be that of the process which started this one, so it is
    asked only elsewhere (macOS counts it in bytes).
    """
    with suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        if peak := re.search(r"^VmHWM:\s*(\d+)", status, re.MULTILINE):
            return int(peak[1]) * 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 2**10)


def peak_rss_mb() -> float:
    """Give the largest resident memory of this process so far, in MiB."""
    return round(peak_bytes() / 2**20, 1)


def rss_mb() -> float:
    """Give the resident memory of this process now, in MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


def free_bytes() -> int:
    """Give the memory that this process may still take, in bytes, within its container where it is in one."""
    free = int(psutil.virtual_memory().available)
    most, used = _cgroup("memory.max"), _cgroup("memory.current")
    return int(_SHARE * (free if most is None or used is None else min(free, most - used)))


def whole_bytes() -> int:
    """Give all the memory that there is, in bytes, with swap, within this process's container where it is in one."""
    whole = int(psutil.virtual_memory().total + psutil.swap_memory().total)
    most, swap = _cgroup("memory.max"), _cgroup("memory.swap.max")
    return whole if most is None or swap is None else min(whole, most + swap)


def _cgroup(name: str) -> int | None:
    """Read a figure of the container; None where there is no container, or no bound."""
    try:
        found = (_CGROUP / name).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if found == "max" else int(found)


def give_back_freed_memory() -> None:
    """Let glibc return to the system what was freed so far, of which it keeps some hundred MiB for later."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def keep_no_freed_memory() -> None:
    """Let glibc return blocks above 1 MiB to the system as soon as they are freed.

    By itself it keeps blocks of up to 32 MiB for later. With small tiles TensorFlow's activations are of that size, and
    what is kept of them came to four times what is in use. It costs a tenth of the time.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_MMAP_THRESHOLD, 2**20)
