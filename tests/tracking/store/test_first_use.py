"""Many processes on a store that doesn't exist yet: MLflow alone breaks it for good."""

import subprocess
import sys

import pytest

from srexp.tracking.store.store import connect, resolve

PROCESSES = 6
STORES = 4  # ten of ten were seen; each costs some six seconds of processor

# MLflow is imported once; then, for each store, six processes are forked that start at the same moment. They share a
# parent and a data set, as the jobs of a multirun do.
WORK = f"""
import os, sys, time
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from srexp.tracking.runs.tracking import Tracking

def work(folder, at):
    time.sleep(max(0, at - time.time()))
    with Tracking(folder=folder, system_metrics=False).run("task") as run:
        splits = {{"training": {{"images": 8}}, "validation": {{"images": 1}}, "test": {{"images": 1}}}}
        run.log_dataset(name="small", source="here", fingerprint="0" * 64, splits=splits, manifest=[])
        run.log_metrics({{"loss": 1.0}}, step=1)
    os._exit(0)

for number in range({STORES}):
    at, children = time.time() + 0.3, []
    for _ in range({PROCESSES}):
        children.append(os.fork())
        if not children[-1]:
            work(Path(sys.argv[1]) / str(number), at)
    if any(os.waitpid(child, 0)[1] for child in children):
        sys.exit(1)
"""


@pytest.mark.slow
@pytest.mark.system
def test_six_processes_at_once_on_an_empty_store_all_succeed(tmp_path):
    done = subprocess.run([sys.executable, "-c", WORK, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for number in range(STORES):
        client = connect(resolve(None, tmp_path / str(number), environ={}))
        (experiment,) = client.search_experiments(filter_string="name = 'task'")
        runs = client.search_runs([experiment.experiment_id])
        assert [run.info.status for run in runs] == ["FINISHED"] * PROCESSES
        assert all(run.data.metrics == {"_train/loss": 1.0} for run in runs)
