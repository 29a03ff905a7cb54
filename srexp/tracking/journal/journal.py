"""What a run has to tell the store, kept on disk in the run's folder until the store has it."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import RawIOBase
from pathlib import Path
from typing import Any, TypeAlias

from filelock import FileLock, Timeout

from srexp.errors import SrexpError
from srexp.system.files.atomic_files import bring_to_disk, write_whole
from srexp.system.files.moved_files import here, moved

Operation: TypeAlias = dict[str, Any]

NAME = "journal.jsonl"
JOURNAL_TAG = "srexp.journal"
#: What the id of a run begins with that the store doesn't know yet.
PENDING = "pending-"
_BEGINNING_SECONDS = 60


class PermanentError(SrexpError):
    """What waits can't be sent, now or later."""


class Journal:
    """Operations in the order in which they happened, one JSON line each, in a file that only grows.

    A line is an operation, with its number `n` and the time `at` which it is of (milliseconds since the epoch); or
    `{"sent": n, ...}`: the store has all up to that number, and answered the rest of the line; or
    `{"refused": n, "why": ...}`. What a crash or a full disk cut short is cut off. What can't be written is kept in
    memory, so that it can still be sent.

    Args:
        folder: Of the journal, `journal/ID` in the run's folder.
        pointer: File that names the folder as long as something waits in it.

    Attributes:
        id: Of the journal, which the store gets as a tag of what it makes.
        waiting: Operations that the store hasn't got.
        known: What the store answered: `run_id`, `experiment_id`, `model_uri`, `registered`.
        sent: Number up to which the store has the operations.
        refused: Reason for each operation that the store has no use for.
        unwritten: Numbers of operations that are only in memory.
        lost: What could not be kept at all.
        recovered: Whether another process began it, so that some of it may have arrived without a word.
        moved: Which folder it was begun in, where that was moved or copied since, and where that is now.
    """

    def __init__(self, folder: Path, pointer: Path) -> None:
        self.folder, self.pointer, self.id = folder, pointer, folder.name
        self.moved = folder, folder
        self.waiting: deque[Operation] = deque()
        self.known: dict[str, Any] = {}
        self.sent, self.recovered = -1, False
        self.refused: list[str] = []
        self.unwritten: set[int] = set()
        self.lost: list[str] = []
        self._writing = threading.RLock()
        self._next, self._files, self._end = 0, 0, 0
        self._lock: FileLock | None = None

    @classmethod
    def begin(cls, run_folder: Path, index: Path) -> Journal:
        """Begin a journal of a new run; that the disk doesn't take it shows in `unwritten` later.

        Args:
            run_folder: Folder of the run.
            index: Folder with a pointer to each journal in which something waits.

        Returns:
            The journal, which no other process takes for left behind.
        """
        name = uuid.uuid4().hex
        journal = cls((run_folder / "journal" / name).absolute(), index / name)
        with suppress(OSError):
            journal.folder.mkdir(parents=True)
            journal._take()
            write_whole(journal.pointer, str(journal.folder))
        return journal

    @classmethod
    def left_behind(cls, pointer: Path) -> Journal | None:
        """Take over a journal whose process is gone.

        Args:
            pointer: From the index.

        Returns:
            The journal; None when its process lives, or it is gone itself, and with it the pointer.
        """
        try:
            recorded = Path(pointer.read_text(encoding="utf-8"))
            journal = cls(here(recorded, pointer.parents[1], pointer.parents[2]), pointer)
            journal.moved = moved(recorded, journal.folder)
            if not (journal.folder / NAME).is_file():
                if journal._is_gone():
                    pointer.unlink(missing_ok=True)
                return None
            if not journal._take():
                return None
            journal._read()
        except OSError:
            return None
        return journal

    @property
    def run_id(self) -> str:
        """The run's id in the store; until there is one, `pending-` and the journal's."""
        return str(self.known.get("run_id") or f"{PENDING}{self.id}")

    def holds(self, until: int | None) -> bool:
        """Whether something waits, up to the operation of a number."""
        with self._writing:
            return bool(self.waiting) and (until is None or self.waiting[0]["n"] <= until)

    @property
    def only_in_memory(self) -> list[Operation]:
        """What will be lost with this process."""
        with self._writing:
            return [each for each in self.waiting if each["n"] in self.unwritten]

    def add(self, kind: str, *, at: int | None = None, **content: Any) -> Operation:
        """Add an operation.

        Args:
            kind: Its kind, `op` in the file.
            at: Milliseconds since the epoch; None for now.
            **content: What fits into JSON.

        Returns:
            The operation with its number.
        """
        with self._writing:
            now = int(time.time() * 1000) if at is None else at
            operation = {"n": self._next, "at": now, "op": kind, **content}
            self._next += 1
            self.waiting.append(operation)
            try:
                self._append(operation, durable=True)
            except OSError:
                self.unwritten.add(operation["n"])
            return operation

    def file(self, name: str, write: Callable[[Path], object]) -> str:
        """Keep a file for the store.

        Args:
            name: Its name.
            write: Writes it to a path.

        Returns:
            Its path within the journal's folder.

        Raises:
            OSError: The disk doesn't take it.
        """
        with self._writing:
            self._files += 1
            path = self.folder / "files" / f"{self._files:06}" / name
        path.parent.mkdir(parents=True)
        try:
            write(path)
            bring_to_disk(path)
        except OSError:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise
        return str(path.relative_to(self.folder))

    def done(self, operations: list[Operation]) -> None:
        """Note that the store has the oldest operations; their files aren't needed any more."""
        with self._writing:
            self.sent = operations[-1]["n"]
            while self.waiting and self.waiting[0]["n"] <= self.sent:
                self.waiting.popleft()
            try:
                self._append({"sent": self.sent, **self.known})
            except OSError:
                return
        for operation in operations:
            if operation["op"] == "file":
                shutil.rmtree((self.folder / operation["path"]).parent, ignore_errors=True)

    def refuse(self, operation: Operation, why: str) -> None:
        """Note that the store has no use for the oldest operation, which must not hold up the others."""
        with self._writing:
            self.refused.append(f"{operation['op']} {operation.get('path', '')}".strip() + f": {why}")
            self.waiting.popleft()
            with suppress(OSError):
                self._append({"refused": operation["n"], "why": why})

    def discard(self) -> None:
        """Forget what waits: there is no run that it could belong to."""
        with self._writing:
            self.waiting.clear()

    def close(self) -> None:
        """Let others have it; once everything was sent, only the list of operations stays."""
        if not self.waiting:
            for name in ("files", "model"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            with suppress(OSError):
                self.pointer.unlink(missing_ok=True)
                (self.folder / "lock").unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()

    def _take(self) -> bool:
        self._lock = FileLock(self.folder / "lock", timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            self._lock = None
            return False
        return True

    def _is_gone(self) -> bool:
        """Whether somebody removed it: it neither begins at this moment, nor lies on a disk that isn't there now."""
        old = time.time() - self.pointer.stat().st_mtime > _BEGINNING_SECONDS
        return old and self.folder.parents[2].is_dir()

    def _append(self, content: Operation, *, durable: bool = False) -> None:
        """Write one line, whole or not at all; what the store answered can be asked again after a power cut."""
        line = (json.dumps(_plain(content), ensure_ascii=False, allow_nan=False, default=str) + "\n").encode()
        path = self.folder / NAME
        try:
            with path.open("ab", buffering=0) as file:
                _write_whole(file, line)
                if durable:
                    os.fsync(file.fileno())
        except OSError:
            with suppress(OSError), path.open("r+b") as file:
                file.truncate(self._end)
            raise
        self._end += len(line)

    def _read(self) -> None:
        path = self.folder / NAME
        content = path.read_bytes()
        self._end = content.rfind(b"\n") + 1
        if self._end < len(content):
            with path.open("r+b") as file:
                file.truncate(self._end)
        refused = set()
        for line in content[: self._end].splitlines():
            try:
                read = json.loads(line)
            except ValueError:  # what a machine that lost its power left of a line
                continue
            if "n" in read:
                self.waiting.append(read)
                self._next = read["n"] + 1
            elif "sent" in read:
                self.sent = read.pop("sent")
                self.known = read
            elif "refused" in read:
                refused.add(read["refused"])
        self.waiting = deque(each for each in self.waiting if each["n"] > self.sent and each["n"] not in refused)
        self.recovered = True


def _write_whole(file: RawIOBase, line: bytes) -> None:
    if file.write(line) != len(line):
        raise OSError(errno.ENOSPC, "no room for the whole line")


def _plain(value: Any) -> Any:
    """Write what JSON has no number for as a text, which `float` reads."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
