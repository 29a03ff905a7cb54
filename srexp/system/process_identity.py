"""Which process a run or a trial belongs to, and whether it still lives."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

#: What names a process.
FACTS = ("host", "pid", "process_start")

_SAME_START = 5.0  # seconds; the start is reckoned from the clock, which may be set meanwhile


def facts_of(pid: int | None = None) -> dict[str, Any]:
    """Name a process so that it can be told from a later one with its number.

    Args:
        pid: Its number; None for this one.

    Returns:
        `host`, `pid`, and `process_start` in seconds since the epoch.

    Example:
        >>> is_gone(facts_of())
        False
    """
    import psutil

    process = psutil.Process(pid)
    return {"host": socket.gethostname(), "pid": process.pid, "process_start": round(process.create_time(), 2)}


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
    import psutil

    if not is_named(facts) or facts["host"] != socket.gethostname():
        return None
    try:
        number, start = int(facts["pid"]), float(facts["process_start"])
    except ValueError:
        return None
    try:
        process = psutil.Process(number)
        return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - start) > _SAME_START
    except psutil.NoSuchProcess:
        return True


def process_tags(pid: int | None = None) -> dict[str, str]:
    """Say which process a run belongs to, so that runs of processes that are gone can be told from living ones.

    A process number is used again by and by; with its start time it stays unique until the machine's next start.

    Args:
        pid: The process that will end the run; None for this one.

    Returns:
        Tags `srexp.host`, `srexp.pid` and `srexp.process_start` (seconds since the epoch).

    Example:
        >>> sorted(process_tags())
        ['srexp.host', 'srexp.pid', 'srexp.process_start']
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
    return is_gone({name: tags[f"srexp.{name}"] for name in FACTS if f"srexp.{name}" in tags})
