"""What requests send and get lies on disk meanwhile, and is bounded in all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Visit:
    """What one request has on disk.

    Args:
        folder: A folder for it alone.
        break_off: Ends its connection.
    """

    def __init__(self, folder: Path, break_off: Callable[[], None]) -> None:
        self.sent, self.restored = folder / "sent", folder / "restored"
        self.break_off, self.size = break_off, 0

    def keep_restored(self) -> None:
        """Let go of all but what is to be sent."""
        for path in self.sent.parent.iterdir():
            if path != self.restored:
                path.unlink()


class Spool:
    """Room on disk for all requests. Where it is full, the connection that has been moving a file longest goes.

    Args:
        most: Bytes that there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._visits: set[Visit] = set()
        self._moving: dict[Visit, None] = {}  # in the order in which they began

    @contextmanager
    def visit(self, break_off: Callable[[], None]) -> Iterator[Visit]:
        """Give a request a folder of its own for as long as it is here.

        Args:
            break_off: Ends its connection.

        Yields:
            Where its files are to be.
        """
        with tempfile.TemporaryDirectory(prefix="srexp-") as folder:
            visit = Visit(Path(folder), break_off)
            self._visits.add(visit)
            try:
                yield visit
            finally:
                self._visits.discard(visit)

    @contextmanager
    def moving(self, visit: Visit) -> Iterator[None]:
        """Say that a file is on its way, from the client or to it.

        Args:
            visit: Whose file.
        """
        self._moving[visit] = None
        try:
            yield
        finally:
            self._moving.pop(visit, None)

    def has_room(self, visit: Visit, size: int) -> bool:
        """Count a file, and break off others that move until there is room for it.

        Args:
            visit: Whose file.
            size: Bytes that it has now.

        Returns:
            Whether there is room.
        """
        visit.size = size
        while sum(each.size for each in self._visits) > self._most:
            slowest = next((each for each in self._moving if each is not visit), None)
            if slowest is None:
                return False
            del self._moving[slowest]
            slowest.size = 0
            slowest.break_off()
        return True
