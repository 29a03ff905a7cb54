"""Use of the machine, measured beside the work."""

from __future__ import annotations

import time
from pathlib import Path

from srexp.tracking.journal.journal import NAME
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect


def test_system_metrics_are_kept_when_wanted(runs: Path) -> None:
    tracking = Tracking(folder=runs, system_metrics=True, system_metrics_seconds=0.2)
    with tracking.run("x") as run:
        deadline = time.monotonic() + 60
        while b"system_memory_usage_percentage" not in (run.journal.folder / NAME).read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    metrics = connect(tracking.store).get_run(run.id).data.metrics
    assert metrics["system/system_memory_usage_percentage"] > 0
    # They come before all else on a run's page.
    assert not [name for name in metrics if "disk" in name or "network" in name]
