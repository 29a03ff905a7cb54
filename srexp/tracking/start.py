"""The section `tracking` of the configuration, and how a run begins and ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from srexp.errors import RequestError, SrexpError
from srexp.tracking import environment
from srexp.tracking.parameters import tag
from srexp.tracking.run import Run
from srexp.tracking.signals import interruptible
from srexp.tracking.store import Store, connect, experiment_id, resolve, translated

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
        flush_seconds: Longest time that a metric waits before it is sent.
        max_images: How many different images of a split a run shows.

    Raises:
        RequestError: A number is out of range, or the URI isn't one of a store.

    Example:
        >>> Tracking(folder=Path("/data/mlruns"), uri="http://tracking:5000").store.uri
        'http://tracking:5000'
    """

    folder: Path
    uri: str | None = None
    artifacts: str | None = None
    system_metrics: bool = True
    system_metrics_seconds: float = 10.0
    flush_seconds: float = 2.0
    max_images: int = 4

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        for name in ("system_metrics_seconds", "flush_seconds"):
            if not getattr(self, name) > 0:
                raise RequestError(f"tracking.{name} is out of range", got=getattr(self, name), expected="more than 0")
        if self.max_images < 0:
            raise RequestError("tracking.max_images is out of range", got=self.max_images, expected="0 or more")

    @property
    def store(self) -> Store:
        """Absolute addresses of the store."""
        return resolve(self.uri, self.folder, artifacts=self.artifacts)

    @contextmanager
    def run(
        self,
        experiment: str,
        *,
        name: str | None = None,
        parent: str | None = None,
        tags: Mapping[str, object] | None = None,
        resume: str | None = None,
    ) -> Iterator[Run]:
        """Open a run; it ends FINISHED, FAILED after an exception, KILLED after Ctrl-C, SIGTERM or SIGHUP.

        Args:
            experiment: Name of the MLflow experiment, the task.
            name: Name of the run; None for one that MLflow makes up.
            parent: Run id of the run that this one belongs to, also one of another process.
            tags: What runs are filtered by.
            resume: Run id of a run that ended, to go on with; it keeps its name and parent.

        Yields:
            The open run.

        Raises:
            SrexpError: The store can't be opened, or didn't take what was written.
            Interrupted: The process was asked to end.
        """
        run: Run | None = None
        failure: BaseException | None = None
        with interruptible() as shield:
            try:
                run = self._resume(resume, tags or {}) if resume else self._create(experiment, name, parent, tags or {})
                with self._system_metrics(run):
                    yield run
            except BaseException as error:
                failure = shield.meaning(error)
                raise
            finally:
                shield.closing = True
                if run is not None:
                    _end(run, failure)

    def _create(self, experiment: str, name: str | None, parent: str | None, tags: Mapping[str, object]) -> Run:
        store = self.store
        client = connect(store)
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

        known: dict[str, object] = {**environment.origin_tags(), **environment.process_tags(), **tags}
        if parent:
            known[MLFLOW_PARENT_RUN_ID] = parent
        with translated(store, "the run can't be created"):
            number = experiment_id(client, store, experiment)
            created = client.create_run(number, run_name=name, tags={key: tag(value) for key, value in known.items()})
        return Run(client, store, number, created.info.run_id, self.flush_seconds)

    def _resume(self, run_id: str, tags: Mapping[str, object]) -> Run:
        store = self.store
        client = connect(store)
        known: dict[str, object] = {**environment.process_tags(), **tags}
        with translated(store, f"run {run_id} can't be resumed"):
            earlier = client.get_run(run_id)
        run = Run(client, store, earlier.info.experiment_id, run_id, self.flush_seconds)
        run.set_tags(known)  # first its process: an open run whose process is gone is ended by whoever finds it
        with translated(store, f"run {run_id} can't be resumed"):
            client.update_run(run_id, status="RUNNING")
        return run

    @contextmanager
    def _system_metrics(self, run: Run) -> Iterator[None]:
        if not self.system_metrics:
            yield
            return
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(
            run.id, sampling_interval=self.system_metrics_seconds, tracking_uri=run.store.uri
        )
        monitor.start()
        try:
            yield
        finally:
            monitor.finish()


def _end(run: Run, failure: BaseException | None) -> None:
    """Give a run its final state; what the store refuses now must not hide why the work failed."""
    status, reason = _outcome(failure)
    try:
        run.end(status, reason)
    except SrexpError as error:
        if failure is None:
            raise
        log.warning("%s", error)


def _outcome(failure: BaseException | None) -> tuple[str, str | None]:
    if failure is None or (isinstance(failure, SystemExit) and not failure.code):
        return "FINISHED", None
    status = "KILLED" if isinstance(failure, KeyboardInterrupt) else "FAILED"
    return status, f"{type(failure).__name__}: {failure}".removesuffix(": ")
