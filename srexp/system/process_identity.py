"""Which process a run or a trial belongs to, and whether it still lives."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from srexp.lazy_imports import psutil

#: What names a process.
FACTS = ("host", "pid", "process_start")
#: What tells it from a later one with its number also when the clock has been set; earlier versions noted none.
SINCE_BOOT = "process_since_boot"
#: Tags that say which process a run belongs to.
TAGS = tuple(f"srexp.{fact}" for fact in (*FACTS, SINCE_BOOT))

_SAME_START = 5.0  # seconds between two readings of one start
_SAME_SINCE_BOOT = 1.0  # seconds; a process number isn't used again so soon


def facts_of(pid: int | None = None) -> dict[str, Any]:
    """Name a process so that it can be told from a later one with its number.

    Args:
        pid: Its number; None for this one.

    Returns:
        `host`, `pid`, `process_start` in seconds since the epoch, by the clock as it is set now, and
        `process_since_boot` in seconds since the machine's start.

    Example:
        >>> is_gone(facts_of())
        False
    """
    process = psutil.Process(pid)
    start = process.create_time()
    return {
        "host": socket.gethostname(),
        "pid": process.pid,
        "process_start": round(start, 2),
        SINCE_BOOT: round(start - psutil.boot_time(), 2),
    }


def is_named(facts: Mapping[str, Any]) -> bool:
    """Whether facts name a process in full."""
    return all(name in facts for name in FACTS)


def is_gone(facts: Mapping[str, Any]) -> bool | None:
    """Whether the process that these facts name has ended.

    Args:
        facts: Those of `facts_of`, perhaps as text, among others.

    Returns:
        None when the process isn't named, or belongs to another machine.
    """
    if not is_named(facts) or facts["host"] != socket.gethostname():
        return None
    try:
        number, start, since_boot = (
            int(facts["pid"]),
            float(facts["process_start"]),
            float(facts.get(SINCE_BOOT, "inf")),
        )
    except ValueError:
        return None
    try:
        process = psutil.Process(number)
        now = process.create_time()
        # Both are reckoned from the clock on one system or another; a clock that is set changes one of them.
        another = abs(now - start) > _SAME_START and abs(now - psutil.boot_time() - since_boot) > _SAME_SINCE_BOOT
        return another or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def process_tags(pid: int | None = None) -> dict[str, str]:
    """Say which process a run belongs to, so that runs of processes that are gone can be told from living ones.

    A process number is used again by and by; with its start time it stays unique until the machine's next start.

    Args:
        pid: The process that will end the run; None for this one.

    Returns:
        Tags `srexp.host`, `srexp.pid`, `srexp.process_start` (seconds since the epoch) and `srexp.process_since_boot`.

    Example:
        >>> sorted(process_tags())
        ['srexp.host', 'srexp.pid', 'srexp.process_since_boot', 'srexp.process_start']
    """
    return {f"srexp.{name}": str(fact) for name, fact in facts_of(pid).items()}


def process_is_gone(tags: Mapping[str, str]) -> bool | None:
    """Say whether the process that a run belongs to has ended.

    Args:
        tags: Those of the run, with what `process_tags` wrote.

    Returns:
        None where it can't be told: the process is another machine's, or unknown.

    Example:
        >>> process_is_gone(process_tags())
        False
    """
    return is_gone({name: tags[f"srexp.{name}"] for name in (*FACTS, SINCE_BOOT) if f"srexp.{name}" in tags})
