"""A thread that restores what waits in a spool and sends it on, whatever the destination does meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from srexp.enhance.pacs.sending import AwayError, BrokenOffError, RefusedError, Send
from srexp.enhance.pacs.spool import Spool

log = logging.getLogger(__name__)

#: Makes of a received file another one, as its second argument is called; a `MemoryError` says nothing of the file.
Restore = Callable[[Path, Path], None]

_NAME = "srexp relay"
_LONGEST_PAUSE = 16  # times the first one
_LOOK_SECONDS, _LAST_SECONDS = 60.0, 2.0


class Relay:
    """Restores and sends one image after the other; what isn't taken waits, and the next one is not made before.

    Args:
        spool: Where images wait.
        restore: Restores one.
        send: Sends what was made of it.
        told: Says of any error what may be said of it.
        seconds: Pause before the destination is tried again; it doubles, up to sixteen times as long.
    """

    def __init__(
        self, spool: Spool, restore: Restore, send: Send, *, told: Callable[[Exception], str], seconds: float
    ) -> None:
        self._spool, self._restore, self._send, self._told = spool, restore, send, told
        self._seconds, self._pause, self._warned = seconds, seconds, False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name=_NAME, daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier process left."""
        self._thread.start()

    def close(self) -> None:
        """End after the image that is being worked on; one that takes long is left to the next process."""
        self._closing.set()
        self._spool.wake()
        self._thread.join(_LAST_SECONDS)

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                came_through = self._pass()
            except Exception as error:  # noqa: BLE001 # a full disk, say; what is received would never go on without it
                reason = f"the spool can't be used: {getattr(error, 'strerror', None) or error}"
                self._warn("memory ran out" if isinstance(error, MemoryError) else reason)
                came_through = False
            if came_through:
                self._spool.wait(_LOOK_SECONDS)
            else:
                self._closing.wait(self._pause)
                self._pause = min(2 * self._pause, _LONGEST_PAUSE * self._seconds)

    def _pass(self) -> bool:
        """Work on all that waits; whether the destination took what it was sent."""
        while waiting := self._spool.waiting():
            for key in waiting:
                if self._closing.is_set():
                    return True
                if not self._pass_on(key):
                    return False
        return True

    def _pass_on(self, key: str) -> bool:
        """Bring one image on its way; whether the next one can go."""
        try:
            made = self._spool.restored(key) or self._made(key)
        except (OSError, MemoryError):  # without room for this one there may be some for the others, and later
            self._spool.postpone(key)
            raise
        except Exception as error:  # noqa: BLE001 # whatever a library makes of a file
            self._put_aside(key, error)
            return True
        try:
            self._send(made)
        except RefusedError as error:
            self._put_aside(key, error)
            return True
        except Exception as error:  # noqa: BLE001 # whatever a library makes of an answer
            self._warn(self._told(error), f", {len(self._spool.waiting())} images wait")
            if not isinstance(error, AwayError) or isinstance(error, BrokenOffError):
                self._spool.postpone(key)
            return False
        self._spool.done(key)
        if self._warned:
            log.warning("the destination takes images again")
        self._warned, self._pause = False, self._seconds
        return True

    def _made(self, key: str) -> Path:
        fresh = self._spool.incoming / f"{key}.dcm"
        try:
            self._restore(self._spool.received(key), fresh)
            return self._spool.keep(key, fresh)
        finally:
            fresh.unlink(missing_ok=True)

    def _put_aside(self, key: str, error: Exception) -> None:
        self._spool.fail(key)
        log.warning("an image was put aside, %d in all: %s", self._spool.failed(), self._told(error))

    def _warn(self, reason: str, waiting: str = "") -> None:
        """Say once that nothing is taken."""
        if not self._warned:
            log.warning("nothing is sent on%s: %s", waiting, reason)
        self._warned = True
