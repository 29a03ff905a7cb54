"""The section `tracking` of the configuration, and how a run begins and ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from srexp.errors import SrexpError
from srexp.system import process_identity
from srexp.system.masking.pseudonyms import pseudonymised
from srexp.system.masking.redaction import mask
from srexp.system.signals import interruptible
from srexp.tracking.journal import recovery
from srexp.tracking.journal.journal import PENDING, Journal
from srexp.tracking.journal.writer import SYNC
from srexp.tracking.runs import environment
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.system_metrics import system_metrics
from srexp.tracking.store.parameters import tag
from srexp.tracking.store.store import Store, resolve

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Where runs are kept, and how closely they are watched.

    Args:
        folder: Folder that runs write to, `mlruns/`; given at run time.
        uri: MLflow tracking URI; None for `MLFLOW_TRACKING_URI`, or else a database in the folder.
        artifacts: Root of the artifacts of a database store; None for `artifacts/` in the folder.
        system_metrics: Record use of processor, memory, disk and GPU.
        system_metrics_seconds: Time between two such records.
        flush_seconds: Longest time that what a run writes waits before it is sent.
        wait_seconds: Longest time that the end of a run waits for a store that takes nothing.
        max_images: How many different images of a split a run shows.

    Raises:
        RequestError: The URI isn't one of a store.

    Example:
        >>> Tracking(folder=Path("/data/mlruns"), uri="http://tracking:5000").store.uri
        'http://tracking:5000'
    """

    folder: Path
    uri: str | None = None
    artifacts: str | None = None
    system_metrics: bool = True
    system_metrics_seconds: Annotated[float, Field(gt=0)] = 10.0
    flush_seconds: Annotated[float, Field(gt=0)] = 2.0
    wait_seconds: Annotated[float, Field(ge=0)] = 60.0
    max_images: Annotated[int, Field(ge=0)] = 4

    @property
    def store(self) -> Store:
        """Absolute addresses of the store."""
        return resolve(self.uri, self.folder, artifacts=self.artifacts)

    @property
    def index(self) -> Path:
        """Folder with a pointer to each journal that the store hasn't got whole."""
        return self.folder.expanduser().absolute() / recovery.INDEX

    @contextmanager
    def run(
        self,
        experiment: str,
        *,
        name: str | None = None,
        parent: str | None = None,
        tags: Mapping[str, object] | None = None,
        resume: str | None = None,
        folder: Path | None = None,
    ) -> Iterator[Run]:
        """Open a run; it ends FINISHED, FAILED after an exception, KILLED after Ctrl-C, SIGTERM or SIGHUP.

        What is written waits in a journal until the store has it. A store that is away keeps nothing from beginning,
        going on or ending; what it hasn't got then is sent by the next run, or by `recovery.send`.

        Args:
            experiment: Name of the MLflow experiment, the task.
            name: Name of the run; None for one that MLflow makes up.
            parent: Run id of the run that this one belongs to, also one of another process.
            tags: What runs are filtered by.
            resume: Run id of a run that ended, to go on with; it keeps its name and parent.
            folder: Folder of the run, for its journal; None for the folder of runs.

        Yields:
            The open run.

        Raises:
            SrexpError: The store answered and refused the run, or something could be kept nowhere.
            Interrupted: The process was asked to end.
        """
        run: Run | None = None
        failure: BaseException | None = None
        with interruptible() as shield:
            try:
                known = {**process_identity.process_tags(), **(tags or {})}
                resuming = {"op": "resume", "run_id": resume, "tags": known}
                first = resuming if resume else _creating(experiment, name, parent, known)
                run = self._open(first, folder)
                run.begin()
                seconds, again = self.system_metrics_seconds, resume is not None
                with system_metrics(run, seconds, again=again) if self.system_metrics else nullcontext():
                    yield run
            except BaseException as error:
                failure = shield.meaning(error)
                raise
            finally:
                shield.closing = True
                if run is not None and run.is_open:
                    _end(run, failure, lambda: shield.waiting is not None)

    def _open(self, first: Mapping[str, Any], folder: Path | None) -> Run:
        """Begin the journal of a run with its first operation, whose kind is `op`."""
        store, resumed = self.store, first.get("run_id")
        before = [each for each in recovery.found(self.index) if _is_of(each, resumed)] if resumed else []
        journal = Journal.begin(folder or self.folder, self.index)
        if resumed and not str(resumed).startswith(PENDING):
            journal.known["run_id"] = resumed
        tags = {key: tag(value) for key, value in first["tags"].items()}
        journal.add(str(first["op"]), **{**first, "tags": tags, "store": mask(store.uri)})
        return Run(
            store,
            journal,
            flush_seconds=self.flush_seconds,
            wait_seconds=self.wait_seconds,
            before=before,
            sync=f"{SYNC} tracking.uri={mask(self.uri)}" if self.uri else SYNC,
        )


def _creating(experiment: str, name: str | None, parent: str | None, tags: Mapping[str, object]) -> dict[str, Any]:
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    known = {**environment.origin_tags(), **tags, **({MLFLOW_PARENT_RUN_ID: parent} if parent else {})}
    return {"op": "create", "experiment": experiment, "name": name, "tags": known}


def _is_of(journal: Journal, run_id: object) -> bool:
    """Whether a journal is of a run; that of another is given free."""
    if journal.waiting and run_id in (journal.run_id, f"{PENDING}{journal.id}"):
        return True
    journal.close()
    return False


def _end(run: Run, failure: BaseException | None, impatient: Callable[[], bool]) -> None:
    """Give a run its final state; what the store refuses now must not hide why the work failed."""
    status, reason = _outcome(failure)
    try:
        run.end(status, reason, impatient=impatient)
    except SrexpError as error:
        if failure is None:
            raise
        log.warning("%s", error)


def _outcome(failure: BaseException | None) -> tuple[str, str | None]:
    if failure is None or (isinstance(failure, SystemExit) and not failure.code):
        return "FINISHED", None
    status = "KILLED" if isinstance(failure, KeyboardInterrupt) else "FAILED"
    return status, pseudonymised(f"{type(failure).__name__}: {failure}").removesuffix(": ")
