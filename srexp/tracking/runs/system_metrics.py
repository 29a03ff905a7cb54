"""System metrics on the way that all metrics take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from srexp.tracking.store.store import translated

if TYPE_CHECKING:
    from srexp.tracking.runs.run import Run


@contextmanager
def system_metrics(run: Run, seconds: float, *, again: bool = False) -> Iterator[None]:
    """Record use of processor, memory and GPU; a run's page lists them before what it scored, so they are few.

    MLflow's monitor asks the store before every record whether the run is still open, and ends when there is no
    answer; here it only measures.

    Args:
        run: An open run.
        seconds: Time between two records.
        again: Whether the run had some before, whose steps are gone on with.

    Yields:
        Nothing.
    """
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    class Monitor(SystemMetricsMonitor):
        def monitor(self: Any) -> None:
            while True:
                self.collect_metrics()
                if self._shutdown_event.wait(self.sampling_interval):
                    return
                self.publish_metrics(self.aggregate_metrics())

    started: Any = Monitor
    with translated(run.store, f"the system metrics of run {run.id} can't be looked up"):
        monitor = started(run.id, sampling_interval=seconds, tracking_uri=run.store.uri, resume_logging=again)

    monitor.monitors = [each for each in monitor.monitors if not isinstance(each, (DiskMonitor, NetworkMonitor))]

    def record(metrics: Mapping[str, float], step: int) -> None:
        run.log_metrics(metrics, step=step)

    # What the monitor takes for MLflow's own logger, in which nothing waits.
    monitor.mlflow_logger = SimpleNamespace(data=(), record_metrics=record, flush=lambda: None)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
