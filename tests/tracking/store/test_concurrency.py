"""Several sweeps write to one store while others read it."""

import subprocess
import sys

import pytest

from srexp.tracking.store.store import connect, resolve

SWEEPS, JOBS, EPOCHS = 3, 3, 4

# MLflow is imported once; then the sweeps are forked, and the reader lists the store until they have ended.
WORK = f"""
import os, sys, time
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect

folder = Path(sys.argv[1])

def sweep(name):
    tracking = Tracking(folder=folder, system_metrics=False, flush_seconds=0.05)
    with tracking.run("task", name=name, tags={{"sweep": name}}) as parent:
        for job in range({JOBS}):
            with tracking.run("task", name=f"{{name}} {{job}}", parent=parent.id, tags={{"sweep": name}}) as run:
                run.log_config({{"seed": job}}, f"seed: {{job}}")
                for epoch in range(1, {EPOCHS + 1}):
                    run.log_metrics({{"val_psnr": 30.0 + epoch}}, step=epoch)
                    time.sleep(0.02)
    os._exit(0)

sweeps = []
for number in range({SWEEPS}):
    sweeps.append(os.fork())
    if not sweeps[-1]:
        sweep(f"sweep {{number}}")

client, seen, failed = connect(Tracking(folder=folder).store), [0], []
while sweeps:
    experiment = client.get_experiment_by_name("task")
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    seen.append(len(found))
    for run in found:
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "_val/psnr")]
        assert steps == list(range(1, len(steps) + 1)), steps
    for process in list(sweeps):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            sweeps.remove(process)
            failed += [status] if status else []
assert seen == sorted(seen), seen
sys.exit(1 if failed else 0)
"""


@pytest.mark.slow
@pytest.mark.system
def test_sweeps_write_to_one_store_while_it_is_read(runs):
    done = subprocess.run([sys.executable, "-c", WORK, runs], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    client = connect(resolve(None, runs, environ={}))
    [experiment] = client.search_experiments(filter_string="name = 'task'")
    found = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in found] == ["FINISHED"] * (SWEEPS * (JOBS + 1))
    parents = {run.info.run_id: run for run in found if "mlflow.parentRunId" not in run.data.tags}
    children = [run for run in found if run.info.run_id not in parents]
    assert len(parents) == SWEEPS
    for run in children:
        assert run.data.tags["sweep"] == parents[run.data.tags["mlflow.parentRunId"]].data.tags["sweep"]
        history = client.get_metric_history(run.info.run_id, "_val/psnr")
        assert [(metric.step, metric.value) for metric in history] == [(n, 30.0 + n) for n in range(1, EPOCHS + 1)]
