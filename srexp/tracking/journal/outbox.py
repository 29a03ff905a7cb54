"""A thread that sends a journal to the store, whatever the store does meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar

from srexp.tracking.journal import recovery
from srexp.tracking.journal.journal import Journal
from srexp.tracking.journal.replay import Replay, failures
from srexp.tracking.store.failures import reason
from srexp.tracking.store.store import Store

log = logging.getLogger(__name__)

NAME = "srexp tracking"
_LONGEST_PAUSE = 10.0
_LOOK = 0.5


class Outbox:
    """Sends what waits in a journal every few seconds, in order; what can't be sent is tried again.

    Training only ever adds to the journal. Whoever needs an answer waits for it here, and for a bounded time: the
    requests are this thread's, and it is a daemon, so that no server can hold up the end of the process either.

    Args:
        store: Addresses of the store.
        journal: Of a run.
        seconds: Longest time that an operation waits while the store takes them.
        before: What the same run left unsent when it was interrupted.
    """

    #: Stores that did not come back while somebody waited; nobody waits for them again until they took something.
    given_up: ClassVar[set[str]] = set()

    def __init__(self, store: Store, journal: Journal, *, seconds: float, before: Sequence[Journal] = ()) -> None:
        self.store, self.journal = store, journal
        self.failure: Exception | None = None
        self._replays = deque(Replay(store, each) for each in (*before, journal))
        self._seconds, self._others_sent = seconds, False
        self._changed = threading.Condition()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._warned, self._taken = False, 0
        logging.getLogger("mlflow.store.db.utils").addFilter(_not_ours)
        self._thread = threading.Thread(target=self._work, name=NAME, daemon=True)

    def start(self, seconds: float | None) -> Exception | None:
        """Begin, and wait for the answer to the first operation.

        Args:
            seconds: Longest time to wait; None for as long as the store takes.

        Returns:
            Why there is no answer, or None when there is one.
        """
        first = self.journal.sent
        self._warned = True  # the caller says it
        self._wake.set()
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self.journal.sent > first or self.failure is not None, seconds)
        self._warned = self.failure is not None
        return None if self.journal.sent > first else self.failure or TimeoutError("no answer")

    def flush(
        self,
        seconds: float,
        *,
        until: int | None = None,
        in_all: bool = False,
        impatient: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait for the store to have what was added so far.

        Args:
            seconds: Longest time to wait for a store that takes nothing.
            until: Number of the operation to wait for; None for all.
            in_all: Whether to wait no longer than that for one that takes something now and then, either.
            impatient: Whether to stop waiting now.

        Returns:
            Whether the store has it.
        """
        end, taken = time.monotonic() + (0.0 if self.store.uri in self.given_up else seconds), self._taken
        with self._changed:
            while self.journal.holds(until) and (rest := end - time.monotonic()) > 0 and not impatient():
                self._wake.set()
                self._changed.wait(min(rest, _LOOK))
                if taken != self._taken and not in_all:
                    end, taken = time.monotonic() + seconds, self._taken
            left = self.journal.holds(until)
        if left and not impatient():
            self.given_up.add(self.store.uri)
        return not left

    def close(self) -> None:
        """Let the thread end once it has nothing to do; it gives the journal free then."""
        self._closing.set()
        self._wake.set()
        self._thread.join(_LOOK)

    def _work(self) -> None:
        pause = 0.0
        try:
            while True:
                self._wake.wait(pause)
                self._wake.clear()
                closing = self._closing.is_set()
                pause = self._seconds if self._send() else max(self._seconds, min(2 * pause, _LONGEST_PAUSE))
                if closing:
                    return
                if self.failure is None and not self._others_sent:
                    self._others_sent = True
                    self._send_others()
        finally:
            for replay in self._replays:
                replay.journal.close()

    def _send_others(self) -> None:
        """Send what others left; whatever is wrong with their folders, this run's records go on being sent."""
        try:
            recovery.send(self.store, self.journal.pointer.parent, between=self._between)
        except OSError as error:
            log.warning("what other runs left unsent stays where it is: %s", error)

    def _between(self) -> bool:
        """Send what came meanwhile; whether there is time to go on with what others left."""
        return self._send() and not self._closing.is_set()

    def _send(self) -> bool:
        """Send all that waits; whether the store took it."""
        while True:
            replay = self._replays[0]
            if replay.journal.waiting:
                try:
                    replay.next()
                except failures() as error:
                    self._tell(error)
                    return False
                self._tell(None)
            elif len(self._replays) > 1:
                recovery.settle(replay.journal)
                self._replays.popleft().journal.close()
            else:
                return True

    def _tell(self, failure: Exception | None) -> None:
        if failure is None:
            self.given_up.discard(self.store.uri)
            self._warned = False
            self._taken += 1
        elif not self._warned:
            log.warning("the tracking store takes nothing; what is to be sent waits: %s", reason(failure))
            self._warned = True
        with self._changed:
            self.failure = failure
            self._changed.notify_all()


def _not_ours(record: logging.LogRecord) -> bool:
    """Leave out the traceback that MLflow logs each time that a database refuses; the reason is said once, here."""
    return record.threadName != NAME
