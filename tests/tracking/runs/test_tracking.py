"""Real processes that are asked to end while their run is open."""

import os
import signal
import subprocess
import sys

import pytest

from srexp.tracking.store.store import connect

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# MLflow is imported once, then a process is forked for each signal.
WORK = """
import os, signal, sys, time
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from srexp.tracking.runs.tracking import Tracking

def work():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Tracking(folder=Path(sys.argv[1]), system_metrics=False, flush_seconds=60).run("x") as run:
            run.log_metrics({"loss": 1.0}, step=1)
            print(os.getpid(), run.id, flush=True)
            time.sleep(60)
    except KeyboardInterrupt as stop:
        sys.exit(getattr(stop, "exit_code", 130))

children = []
for _ in range(int(sys.argv[2])):
    children.append(os.fork())
    if not children[-1]:
        work()
print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), flush=True)
"""


@pytest.mark.slow
@pytest.mark.system
def test_processes_asked_to_end_leave_killed_runs_with_their_metrics(tracking):
    command = [sys.executable, "-c", WORK, str(tracking.folder), str(len(SIGNALS))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        opened = [process.stdout.readline().split() for _ in SIGNALS]
        for (pid, _), number in zip(opened, SIGNALS, strict=True):
            os.kill(int(pid), number)
        assert process.stdout.readline().split() == ["130"] * len(SIGNALS)
    kept = [connect(tracking.store).get_run(run_id) for _, run_id in opened]
    assert [run.info.status for run in kept] == ["KILLED"] * len(SIGNALS)
    assert [run.data.metrics for run in kept] == [{"_train/loss": 1.0}] * len(SIGNALS)
    assert [run.data.tags["srexp.error"] for run in kept] == [
        "KeyboardInterrupt",
        "Interrupted: SIGTERM",
        "Interrupted: SIGHUP",
    ]
