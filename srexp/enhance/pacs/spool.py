"""Where received images wait until what was made of them is taken: on disk, so that no end of the process loses one.

A folder holds `received/KEY.dcm` for each image that waits, `restored/KEY.dcm` for what was made of it,
`failed/KEY.dcm` for one that could not be restored or wasn't taken, and `sent.db` with the keys of those that are done.
A key is a digest, so that names and lists say nothing of whose images these are. An image is there before its sender is
told so, and goes after its key is among those that are done: whatever ends the process, the next one finds it in one
place or the other.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import threading
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Literal, Self, TypeAlias

from srexp.errors import RequestError
from srexp.system.files.atomic_files import bring_to_disk, private_files
from srexp.system.files.digests import sha256
from srexp.system.files.file_locks import in_turn

#: What became of an image that was received: it waits now, waited or was done before, or has no room.
Receipt: TypeAlias = Literal["new", "duplicate", "full"]

_INCOMING, _RECEIVED, _RESTORED, _FAILED = "incoming", "received", "restored", "failed"
_MODE = 0o600


class Spool:
    """The spool of one server.

    Args:
        folder: Where it lies, made if need be; one server at a time has it.
        most: Bytes that may lie in it.
        settings: What decides what is made of an image: with other settings it is another one.

    Raises:
        RequestError: The folder can't be written, or another server has it.
    """

    def __init__(self, folder: Path, most: int, settings: str) -> None:
        self.folder, self._most, self._settings = folder, most, settings
        self._turn, self._changed, self._open = threading.Lock(), threading.Event(), ExitStack()
        self._sent: sqlite3.Connection

    def __enter__(self) -> Self:
        """Take the folder, and put in order what the end of another process left."""
        taken = RequestError(
            "another server has pacs.spool", got=str(self.folder), fix="pacs.spool= another folder, or end that server"
        )
        try:
            with private_files():
                for name in (_INCOMING, _RECEIVED, _RESTORED, _FAILED):
                    (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
                self._open.enter_context(in_turn(self.folder / "lock", 0, taken))
            shutil.rmtree(self.incoming)  # whose senders were told nothing
            self.incoming.mkdir(mode=0o700)
            with private_files():
                self._sent = self._open.enter_context(
                    closing(sqlite3.connect(self.folder / "sent.db", check_same_thread=False))
                )
                self._sent.execute("PRAGMA synchronous=FULL")
                self._sent.execute("CREATE TABLE IF NOT EXISTS sent (key TEXT PRIMARY KEY) WITHOUT ROWID")
                self._sent.commit()
        except (OSError, sqlite3.Error) as error:
            self._open.close()
            raise RequestError(
                f"pacs.spool can't be used: {getattr(error, 'strerror', None) or error}",
                got=str(self.folder),
                expected="a folder of this user",
                fix="pacs.spool= another folder",
            ) from None
        except BaseException:
            self._open.close()
            raise
        for path in (self.folder / _FAILED).iterdir():  # another version or model may do better
            path.replace(self.folder / _RECEIVED / path.name)
        for key in self.waiting():
            if self._is_sent(key):
                self._remove(key)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder free."""
        self._open.close()

    @property
    def incoming(self) -> Path:
        """Where files lie that are not complete yet."""
        return self.folder / _INCOMING

    def receive(self, path: Path, uid: str) -> Receipt:
        """Take an image, durably.

        Args:
            path: The complete file, in `incoming`; it is moved, or removed where it isn't new.
            uid: SOP instance UID by which its sender calls it.

        Returns:
            What became of it.

        Raises:
            OSError: The disk didn't take it.
        """
        path.chmod(_MODE)
        bring_to_disk(path)  # before it has a name by which it is taken for complete
        key = hashlib.sha256(f"{uid}/{sha256(path)}/{self._settings}".encode()).hexdigest()[:40]
        target, aside = (self.folder / name / f"{key}.dcm" for name in (_RECEIVED, _FAILED))
        with self._turn:
            sent = self._is_sent(key)
            if known := sent or target.exists():
                path.unlink()
            elif aside.exists():  # whoever sends it again wants it tried again
                path.unlink()
                aside.replace(target)
            elif not self.has_room(0):
                path.unlink()
                return "full"
            else:
                path.replace(target)
            if not sent:  # also what is known: its first sender may have been told that the disk failed here
                bring_to_disk(target)
        self._changed.set()
        return "duplicate" if known else "new"

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may lie in the folder."""
        return size + self.size() <= self._most

    def size(self) -> int:
        """Bytes of all images that lie in the folder, those that are still coming as well."""
        total = 0
        for name in (_INCOMING, _RECEIVED, _RESTORED, _FAILED):
            for path in (self.folder / name).iterdir():
                with suppress(FileNotFoundError):
                    total += path.stat().st_size
        return total

    def waiting(self) -> list[str]:
        """Give the keys of the images that wait, in the order in which they came."""
        found = []
        for path in (self.folder / _RECEIVED).iterdir():
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path.stem))
        return [key for _, key in sorted(found)]

    def wait(self, seconds: float) -> None:
        """Wait until an image comes, or for so long."""
        self._changed.wait(seconds)
        self._changed.clear()

    def wake(self) -> None:
        """End the waiting."""
        self._changed.set()

    def received(self, key: str) -> Path:
        """Give the file of an image that waits."""
        return self.folder / _RECEIVED / f"{key}.dcm"

    def restored(self, key: str) -> Path | None:
        """Give what was made of an image; None where nothing was yet."""
        path = self.folder / _RESTORED / f"{key}.dcm"
        return path if path.exists() else None

    def keep(self, key: str, made: Path) -> Path:
        """Keep what was made of an image, whole or not at all; it is sent as often as need be, and not made again.

        Args:
            key: Of the image.
            made: The file, in `incoming`; it is moved.

        Returns:
            Where it lies now.
        """
        made.chmod(_MODE)
        bring_to_disk(made)
        target = self.folder / _RESTORED / f"{key}.dcm"
        made.replace(target)
        bring_to_disk(target)
        return target

    def done(self, key: str) -> None:
        """Say that another machine has what was made of an image, which is removed.

        Args:
            key: Of the image.
        """
        with self._turn:
            self._sent.execute("INSERT OR IGNORE INTO sent VALUES (?)", (key,))
            self._sent.commit()
            self._remove(key)

    def postpone(self, key: str) -> None:
        """Let the others that wait go before an image."""
        os.utime(self.received(key))

    def fail(self, key: str) -> None:
        """Put an image aside that can't be restored, or won't be taken; the next server tries it again.

        Args:
            key: Of the image.
        """
        with self._turn:
            self.received(key).replace(self.folder / _FAILED / f"{key}.dcm")
            (self.folder / _RESTORED / f"{key}.dcm").unlink(missing_ok=True)
            bring_to_disk(self.folder / _FAILED / f"{key}.dcm")

    def failed(self) -> int:
        """Count the images that were put aside."""
        return sum(1 for _ in (self.folder / _FAILED).iterdir())

    def _is_sent(self, key: str) -> bool:
        return self._sent.execute("SELECT 1 FROM sent WHERE key = ?", (key,)).fetchone() is not None

    def _remove(self, key: str) -> None:
        for name in (_RESTORED, _RECEIVED):
            (self.folder / name / f"{key}.dcm").unlink(missing_ok=True)
