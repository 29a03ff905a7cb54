"""Which process a trial belongs to, and whether it still lives."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

FACTS = ("host", "pid", "process_start")
"""The facts of a trial that name its process."""

_SAME_START = 5.0  # seconds; the start is reckoned from the clock, which may be set meanwhile


def this_process() -> dict[str, Any]:
    """Name this process so that it can be told from a later one with its number.

    Returns:
        Facts for a trial: `host`, `pid`, and `process_start` in seconds since the epoch.

    Example:
        >>> is_gone(this_process())
        False
    """
    import psutil

    process = psutil.Process()
    return {"host": socket.gethostname(), "pid": process.pid, "process_start": round(process.create_time(), 2)}


def is_named(facts: Mapping[str, Any]) -> bool:
    """Whether facts of a trial name its process in full."""
    return all(name in facts for name in FACTS)


def is_gone(facts: Mapping[str, Any]) -> bool | None:
    """Whether the process that these facts name has ended.

    Args:
        facts: Of a trial.

    Returns:
        None when the process isn't named, or belongs to another machine.
    """
    import psutil

    if not is_named(facts) or facts["host"] != socket.gethostname():
        return None
    try:
        process = psutil.Process(int(facts["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(process.create_time() - float(facts["process_start"])) > _SAME_START
    except psutil.NoSuchProcess:
        return True
