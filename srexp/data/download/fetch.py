"""Fetching one file of a public data set: resumed when the connection breaks, verified before it gets its name."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import urllib3
from filelock import FileLock, Timeout

from srexp.data.download.http_range import TryAgainError, Wanted, receive
from srexp.errors import RequestError, SrexpError

_PROGRESS_THAT_COUNTS = 1 << 20  # an attempt that brought this many bytes clears the count of failures

_log = logging.getLogger(__name__)


def fetch(wanted: Wanted) -> Path:
    """Make sure that a file lies where it is wanted, with the right bytes, downloading what is missing of it.

    Bytes are collected in `TARGET.part`, so that a broken connection or a killed process loses nothing; they get the
    final name, in one step, only when their checksum is right. Several processes may call this at once: one works,
    the others wait and find the file. A file that somebody has put at `target` by hand is verified and kept.

    Args:
        wanted: Which file, and where.

    Returns:
        Its `target`.

    Raises:
        RequestError: The server can't be reached, doesn't have the file, or gives other bytes than expected.
        SrexpError: The file can't be written.
    """
    with writing(wanted.target.parent), exclusive(wanted.target):
        if wanted.target.exists():
            _verify_found(wanted)
        else:
            _download(wanted)
    return wanted.target


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make a folder to write into, and say what to do when it can't be written.

    Args:
        folder: Where files are about to be made.

    Yields:
        Nothing, while files are written.

    Raises:
        SrexpError: No space, no permission, or something else in its place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise SrexpError(
            f"can't write into {folder}",
            got=str(error),
            expected="a folder that can be written, with enough space",
            fix="free some space, or move the cache: paths.cache=/mnt/large/cache",
        ) from error


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Keep other processes from making `path` meanwhile.

    The kernel holds the lock, so that a process that dies gives it back, and a lock file left on disk blocks nobody.

    Args:
        path: File or folder that is about to be made; the lock lies beside it as `.NAME.lock`.

    Yields:
        Nothing, while the lock is held.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        held = lock.acquire(timeout=1)
    except Timeout:
        _log.warning("another process is making %s; waiting for it", path)
        held = lock.acquire()
    with held:
        yield


def _download(wanted: Wanted) -> None:
    """Attempt by attempt, until the bytes are there and right."""
    retry, answered, second_chance = wanted.patience.retry, False, True
    with requests.Session() as session:
        while True:
            before = wanted.bytes_there()
            try:
                receive(session, wanted)
            except TryAgainError as trouble:
                answered = answered or trouble.answered
                progressed = wanted.bytes_there() - before >= _PROGRESS_THAT_COUNTS
                retry = (wanted.patience.retry if progressed else retry).increment("GET", wanted.url)
                _wait(wanted, trouble, retry, answered=answered)
                continue
            got = wanted.checksum_of(wanted.part)
            if got == wanted.checksum:
                _keep(wanted)
                return
            wanted.discard()
            # Pieces of two versions of a file make neither: what was resumed deserves one attempt from scratch.
            if not (before and second_chance):
                raise RequestError(
                    f"{wanted.shown} gave other bytes than expected; they were deleted",
                    got=got,
                    expected=wanted.checksum,
                    fix="repeat the command from another network (a proxy or log-in page may have answered); if the "
                    "publisher has changed the file, use its old version from a mirror: dataset.url=URL",
                )
            second_chance = False
            _log.warning("%s has the wrong checksum after it was resumed; starting afresh", wanted.target.name)


def _wait(wanted: Wanted, trouble: TryAgainError, retry: urllib3.Retry, *, answered: bool) -> None:
    """Pause before the next attempt, or give up."""
    patience, failures = wanted.patience, len(retry.history)
    # One more is counted, since urllib3 itself repeats a request for the first time without a pause.
    pause = retry.increment("GET", wanted.url).get_backoff_time() if trouble.wait is None else trouble.wait
    if failures >= (patience.attempts if answered else patience.attempts_offline):
        raise wanted.unavailable(
            f"{trouble}, {failures} times in a row",
            "repeat the command when the network is back (it goes on where it stopped)",
        ) from trouble
    if pause > patience.longest_wait:
        raise wanted.unavailable(
            f"{trouble}, and the server asks to come back in {pause:.0f} s", "repeat the command then"
        ) from trouble
    _log.warning("%s: %s; trying again in %.1f s", wanted.target.name, trouble, pause)
    time.sleep(pause)


def _keep(wanted: Wanted) -> None:
    """Give the verified part its final name; its bytes are on disk before the name is."""
    with wanted.part.open("rb") as file:
        os.fsync(file.fileno())
    wanted.part.replace(wanted.target)
    wanted.tag.unlink(missing_ok=True)


def _verify_found(wanted: Wanted) -> None:
    """Check a file that lies where the download would go: put there by hand, or by an earlier command."""
    got = wanted.checksum_of(wanted.target)
    if got != wanted.checksum:
        raise RequestError(
            f"{wanted.target} is not the file that {wanted.shown} is known for",
            got=got,
            expected=wanted.checksum,
            fix=f"delete it and repeat the command, or {wanted.by_hand}",
        )
