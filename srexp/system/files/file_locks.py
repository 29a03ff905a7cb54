"""Locks of files, which the processes of a machine take in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srexp.errors import SrexpError


@contextmanager
def in_turn(lock: Path, seconds: float, busy: SrexpError) -> Iterator[None]:
    """Hold a lock; it ends with the process of its holder.

    Args:
        lock: File that is locked; its folder is made if need be.
        seconds: How long to wait for it.
        busy: What to say when another process holds it all that time.

    Yields:
        Nothing, while the lock is held.

    Raises:
        SrexpError: Another process holds it.
    """
    from filelock import FileLock, Timeout

    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock).acquire(timeout=seconds)
    except Timeout as error:
        raise busy from error
    with held:
        yield
