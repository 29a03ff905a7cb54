"""An open run as a journal and a thread: how it begins, what is added to it, what waits, and how it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srexp.errors import SrexpError
from srexp.system.masking.redaction import mask
from srexp.tracking.journal.journal import Journal
from srexp.tracking.journal.outbox import Outbox
from srexp.tracking.journal.replay import is_away
from srexp.tracking.journal.upload import digests
from srexp.tracking.store.failures import reason
from srexp.tracking.store.parameters import tag
from srexp.tracking.store.store import Store, translated

log = logging.getLogger(__name__)

SYNC = "python -m srexp runs sync=true"
#: Longest time that a run waits for a server to know it, and the end of one that was interrupted for anything.
_START_SECONDS, _SHORT_SECONDS = 15.0, 3.0
_MOST_NAMED = 20


@dataclass(eq=False)
class Writer:
    """What carries an open run to the store.

    Whatever is written goes into a journal in the run's folder, and from there to the store by a thread of its own,
    so that a store that is slow or away costs nothing here. Nothing touches MLflow's process-wide state, so several
    runs may be open at the same time.

    Args:
        store: Addresses of the store.
        journal: Whose first operation creates the run, or goes on with it.
        flush_seconds: Longest time that something waits before it is sent.
        wait_seconds: Longest time that the end waits for a store that takes nothing.
        before: What the same run left unsent when it was interrupted.
        sync: Command that sends what is left.

    Attributes:
        store: Addresses of the store.
        journal: What was written.
        is_open: False once it ended, or could not begin.
        seconds: Time that the caller has spent writing so far.
        files: Artifacts that this process kept, in that order.
    """

    store: Store
    journal: Journal
    flush_seconds: float
    wait_seconds: float
    before: Sequence[Journal] = ()
    sync: str = SYNC

    def __post_init__(self) -> None:
        """Be open, with nothing sent yet."""
        self.seconds, self.is_open, self._warned = 0.0, True, False
        self.files: list[str] = []
        self._outbox = Outbox(self.store, self.journal, seconds=self.flush_seconds, before=self.before)

    @property
    def id(self) -> str:
        """MLflow run id; `pending-...` as long as the store doesn't know the run."""
        return self.journal.run_id

    @property
    def experiment(self) -> str:
        """MLflow experiment id; empty as long as the store doesn't know the run."""
        return str(self.journal.known.get("experiment_id", ""))

    def begin(self) -> None:
        """Let the store know of the run; one that is away gets it later.

        Raises:
            SrexpError: The store answered and refused, or neither store nor disk takes anything.
        """
        failure = self._outbox.start(None if self.store.lock else _START_SECONDS)
        if failure is None:
            return
        if not is_away(self.store, failure):
            resumed = self.journal.waiting[0].get("run_id") if self.journal.waiting else None
            what = f"run {resumed} can't be resumed" if resumed else "the run can't be created"
            self.discard()
            with translated(self.store, what):
                raise failure
        if self.journal.only_in_memory:
            self.discard()
            raise SrexpError(
                f"the run can be kept nowhere: {reason(failure)}",
                got=f"{mask(self.store.uri)}, and {self.journal.folder}",
                expected="a tracking store that answers, or a folder that may be written and has room",
                fix="start the server, make room, or correct tracking.uri or hydra.run.dir",
            ) from failure
        log.warning(
            "the tracking store %s takes nothing (%s); the work goes on, and its records wait in %s",
            mask(self.store.uri),
            reason(failure),
            self.journal.folder,
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count the time spent writing."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - begin

    def add(self, kind: str, *, at: int | None = None, **content: Any) -> int:
        """Write an operation of a kind that `Replay` knows.

        Args:
            kind: Its name.
            at: Milliseconds since the epoch; None for now.
            **content: What it needs, ready for JSON.

        Returns:
            Its number.

        Raises:
            SrexpError: The run has ended, so nobody would send it.
        """
        if not self.is_open:
            raise SrexpError(f"{kind} can't be written to run {self.id}, which has ended")
        with self.writing():
            number: int = self.journal.add(kind, at=at, **content)["n"]
        if number in self.journal.unwritten and not self._warned:
            self._warned = True
            log.warning("%s can't be written; what the store doesn't take now will be lost", self.journal.folder)
        return number

    def keep(self, path: str, write: Callable[[Path], object]) -> None:
        """Keep a file in the journal, to be an artifact at a path; a disk that is full must not end the work."""
        folder, _, name = path.rpartition("/")
        try:
            with self.writing():
                kept = self.journal.file(name, write)
                sums = digests((self.journal.folder / kept).parent)
        except OSError as error:
            self.journal.lost.append(f"{path} ({error.strerror or error})")
            log.warning("%s of run %s can't be stored: %s", path, self.id, error)
            return
        self.add("file", path=kept, folder=folder or None, sha256=sums)
        self.files.append(path)

    def confirmed(self, number: int) -> bool:
        """Wait until the store has an operation, as long as `wait_seconds`.

        Args:
            number: From `add`.

        Returns:
            Whether it has.

        Raises:
            SrexpError: The store has no use for it.
        """
        refused = len(self.journal.refused)
        with self.writing():
            taken = self._outbox.flush(self.wait_seconds, until=number)
        if len(self.journal.refused) > refused:
            raise SrexpError(
                f"run {self.id} could not be written: {self.journal.refused[-1]}", got=mask(self.store.uri)
            )
        return taken

    @property
    def failure(self) -> Exception | None:
        """Why the store takes nothing; None while it does."""
        return self._outbox.failure

    def flush(self) -> bool:
        """Wait for the store to have all of it, `wait_seconds` for one that takes nothing; it gets it soon anyway.

        Returns:
            Whether it has.
        """
        with self.writing():
            return self._outbox.flush(self.wait_seconds)

    def end(self, status: str, cause: str | None = None, *, impatient: Callable[[], bool] = lambda: False) -> None:
        """Set the final status and wait for the store to have everything; `Tracking.run` does it.

        Args:
            status: FINISHED, FAILED or KILLED.
            cause: Why it didn't finish.
            impatient: Whether to stop waiting now.

        Raises:
            SrexpError: Something could be kept neither in the store nor on disk, or the store refused it.
        """
        if cause:
            self.add("tags", tags={"srexp.error": tag(cause)})
        self.add("end", status=status)
        with self.writing():
            hurry = status != "FINISHED" and (self.store.lock is None or self._outbox.failure is not None)
            most = min(self.wait_seconds, _SHORT_SECONDS) if hurry else self.wait_seconds
            self._outbox.flush(most, in_all=hurry, impatient=impatient)
        gone = [*self.journal.lost, *(_called(each) for each in self.journal.only_in_memory)]
        self.is_open = False
        self._outbox.close()
        if waiting := self.pending():
            log.warning(
                "%d records of run %s are not in the tracking store yet (%s); they lie in %s, and `%s` sends them",
                waiting["records"],
                self.id,
                waiting["reason"],
                waiting["folder"],
                waiting["send"],
            )
        if gone or self.journal.refused:
            raise _lost(self.id, gone, self.journal.refused, mask(self.store.uri))

    def discard(self) -> None:
        """Forget a run that could not begin."""
        self.is_open = False
        self.journal.discard()
        self._outbox.close()

    def answered(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Put into a result what the store answered since, and what it hasn't got.

        Args:
            result: With `run_id`, and perhaps `model_uri` and `registered`.

        Returns:
            The same with what is known now: `run_id` is None while the store doesn't know the run, and `pending` says
            what waits where.
        """
        known = {"run_id": None, **self.journal.known}
        waiting = self.pending()
        told = {**result, **{key: value for key, value in known.items() if key in result}}
        return {**told, "pending": waiting} if waiting else told

    def pending(self) -> dict[str, Any]:
        """Say what the store hasn't got; empty when it has everything."""
        left = len(self.journal.waiting) - len(self.journal.only_in_memory)
        if not left:
            return {}
        why = reason(self._outbox.failure) if self._outbox.failure else "it takes them slowly"
        return {"folder": str(self.journal.folder), "records": left, "reason": why, "send": self.sync}


def _called(operation: Mapping[str, Any]) -> str:
    name = operation.get("path") or operation.get("step") or ""
    return f"{operation['op']} {name}".strip()


def _lost(run_id: str, gone: Sequence[str], refused: Sequence[str], store: str) -> SrexpError:
    """Say what is stored nowhere, and what the store won't have."""
    rest = [f"and {len(gone) - _MOST_NAMED} more"] if len(gone) > _MOST_NAMED else []
    named = [*gone[:_MOST_NAMED], *rest]
    told = [f"stored nowhere, since neither disk nor store took it: {', '.join(named)}"] if gone else []
    told += [f"refused by the store: {'; '.join(refused)}"] if refused else []
    return SrexpError(
        f"run {run_id} is not complete; " + "; ".join(told),
        got=store,
        expected="a disk with room, and a store that takes what a run writes",
        fix="make room and run it again; what was stored before is as it was",
    )
