"""What runs whose process is gone left unsent: where it is, and sending it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from srexp.system.files.atomic_files import write_whole
from srexp.system.files.moved_files import with_moved
from srexp.system.masking.redaction import mask
from srexp.tracking.journal.journal import Journal
from srexp.tracking.journal.replay import Replay, failures, is_away
from srexp.tracking.store.failures import reason
from srexp.tracking.store.locations import path_of
from srexp.tracking.store.store import Store

log = logging.getLogger(__name__)

INDEX = "pending"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a journal.

    Args:
        run_id: Of its run; `pending-...` while the store has no such run.
        folder: Of the journal.
        records: How many operations the store took now.
        left: How many wait still.
        refused: What the store has no use for.
        reason: Why some wait; empty when none does.
    """

    run_id: str
    folder: str
    records: int
    left: int
    refused: list[str]
    reason: str = ""


def found(index: Path) -> Iterator[Journal]:
    """Take over the journals in which something waits and whose process is gone, oldest first.

    Args:
        index: Folder of pointers.

    Yields:
        Journals, to be closed.
    """
    pointers = []
    for path in index.glob("[!.]*"):
        with suppress(OSError):  # the process that it belongs to may take it away at any moment
            pointers.append((path.stat().st_mtime, path))
    for _, pointer in sorted(pointers):
        if journal := Journal.left_behind(pointer):
            yield journal


def send(store: Store, index: Path, *, between: Callable[[], bool] = lambda: True) -> list[Sent]:
    """Send what was left behind.

    Args:
        store: Where to.
        index: Folder of pointers.
        between: Called between any two operations; whether to go on.

    Returns:
        What became of each journal in which something waited.
    """
    sent: list[Sent] = []
    for journal in found(index):
        away = False
        try:
            if journal.waiting:
                of_this, away = _sent(store, journal, between)
                sent.append(of_this)
        finally:
            journal.close()
        if away or not between():
            break
    return sent


def _sent(store: Store, journal: Journal, between: Callable[[], bool]) -> tuple[Sent, bool]:
    """Send one journal; also say whether the store is away, so that others need not be tried."""
    away, before = False, len(journal.waiting)
    why = _another_store(store, journal)
    if not why:
        replay = Replay(store, journal)
        log.warning("sending what run %s left unsent: %d records", journal.run_id, before)
        try:
            while journal.waiting and not why:
                replay.next()
                if not between():
                    why = "interrupted"
        except failures() as error:
            why, away = reason(error), is_away(store, error)
    if not journal.waiting:
        settle(journal)
    left = len(journal.waiting)
    return Sent(journal.run_id, str(journal.folder), before - left, left, journal.refused, why if left else ""), away


def _another_store(store: Store, journal: Journal) -> str:
    """Say to which other store it is to be sent; addresses are compared without their passwords."""
    meant = str(journal.waiting[0].get("store") or journal.known.get("store") or "")
    if meant in ("", mask(store.uri)) or _moved_with(journal, path_of(meant), path_of(store.uri)):
        return ""
    return f"it is for another store: tracking.uri={meant}"


def _moved_with(journal: Journal, meant: Path | None, now: Path | None) -> bool:
    """Whether a database is the one that was meant: it was moved or copied together with the journal."""
    if meant is None or now is None:
        return False
    beside = journal.pointer.parents[1] / meant.name
    return with_moved(str(meant), *journal.moved) == str(now) or (now == beside and not meant.exists())


def settle(journal: Journal) -> None:
    """Put what the store answered into the `result.json` that was written without it."""
    path = journal.folder.parents[1] / "result.json"
    with suppress(OSError, ValueError, KeyError):
        result = json.loads(path.read_text(encoding="utf-8"))
        if Path(result["pending"]["folder"]).name == journal.id:
            del result["pending"]
            result |= {key: value for key, value in journal.known.items() if key in result}
            write_whole(path, json.dumps(result, indent=2) + "\n")
