"""What many jobs leave behind in one process: no open file and no thread."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from srexp.cli import run
from srexp.tracking.runs.tracking import Tracking


def held() -> tuple[int, int]:
    process = psutil.Process()
    return process.num_fds(), process.num_threads()


@pytest.mark.slow
def test_ten_jobs_of_a_multirun_leave_nothing_open(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    for turn in range(2):
        before = held()
        sweep = f"hydra.sweep.dir={tmp_path}/{turn}"
        assert run(["-m", "check", "seed=1,2,3,4,5,6,7,8,9,10", sweep]) == 0
    assert held() == before


def test_ten_runs_in_one_process_leave_nothing_open(tmp_path: Path, made_store: Path, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").write_bytes(made_store.read_bytes())
    tracking = Tracking(folder=tmp_path, system_metrics_seconds=0.1)

    def work(runs: int) -> None:
        for _ in range(runs):
            with tracking.run("task") as tracked:
                tracked.log_metrics({"psnr": 40.0}, step=1)

    work(3)  # SQLAlchemy's pool has its connections now
    before = held()
    work(10)
    deadline = time.monotonic() + 30  # the thread of the last run may still be giving its journal free
    while held()[1] > before[1] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert held()[1] <= before[1]
    assert held()[0] <= before[0] + 1
