"""How much memory this process has, and giving back what it no longer needs."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h


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
