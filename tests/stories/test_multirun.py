"""What a user gets from `-m`: one parent, a process for each job, a table over the seeds, and every failure told."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from srexp.cli import run
from srexp.tracking.runs.queries import read_json
from srexp.tracking.runs.tracking import Tracking

pytestmark = pytest.mark.system

#: A network of which each job asks for another end, once its run is open: it is built before that to see what it needs.
BREAKING = """
import os, signal
from srexp.models import bicubic

builds = 0

def build(scale, channels, name="breaking", how="work"):
    global builds
    builds += 1
    if how == "kill" and builds > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "raise" and builds > 1:
        raise ValueError("broken on purpose")
    return bicubic.build(scale, channels, name=name)
"""


def parent_and_children(project):
    runs = project.runs()
    [parent] = [tracked for tracked in runs if "mlflow.parentRunId" not in tracked.data.tags]
    children = [tracked for tracked in runs if tracked is not parent]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    return parent, children


def sweeps(project) -> list[Path]:
    return sorted(path.parent for path in (project.root / "mlruns" / "outputs" / "multirun").rglob("summary.csv"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param([], id="one after the other"),
        pytest.param(["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], id="joblib"),
    ],
)
def test_seeds_are_gathered_and_then_skipped(launcher, project, folder_of, capfd):
    grid = [*folder_of, "-m", "model=bicubic", "seed=1,2"]
    if launcher:  # cold, like the others here: a driver loads no TensorFlow, and each of its jobs is started anew
        done = project.run(*grid, *launcher, cold=True)
        assert done.returncode == 0, done.stderr
        said = done.stdout
    else:
        assert run(grid) == 0
        said = capfd.readouterr().out
    parent, children = parent_and_children(project)
    assert sorted(child.data.tags["seed"] for child in children) == ["1", "2"]
    assert {tracked.info.status for tracked in (parent, *children)} == {"FINISHED"}
    store = Tracking(folder=project.root / "mlruns").store
    environments = [read_json(store, child.info.run_id, "environment.json") for child in children]
    processes = {each["process"]["pid"] for each in environments}
    assert len(processes) == 2
    assert os.getpid() not in processes

    [sweep] = sweeps(project)
    [row] = json.loads((sweep / "summary.json").read_text())["rows"]
    gains = [json.loads(path.read_text())["test"]["psnr"] for path in sweep.glob("*/result.json")]
    assert row["figures"]["test_psnr"]["mean"] == pytest.approx(sum(gains) / 2)
    assert (row["seeds"], row["state"], len(row["data"])) == (2, "2 finished", 2)
    assert "2 splits *" in said
    kept = {file.path for file in project.client().list_artifacts(parent.info.run_id)}
    assert kept == {"summary.csv", "summary.json"}

    assert run(grid) == 0
    said = capfd.readouterr().out
    assert said.count("finished before as run") == 2
    assert "2 finished before" in said
    assert len(project.runs()) == 3


@pytest.mark.slow
def test_a_failing_and_a_dying_job_do_not_stop_the_others(project, folder_of, tmp_path, monkeypatch, capfd):
    (tmp_path / "breaking.py").write_text(BREAKING)
    monkeypatch.syspath_prepend(tmp_path)
    grid = ["-m", "model=bicubic", "extensions=[breaking]", "model._target_=breaking.build"]
    assert run([*folder_of, *grid, "+model.how=kill,raise,work"]) == 1

    said = capfd.readouterr().err
    assert said.count("srexp: job ") == 2
    assert "the job's process ended by SIGKILL" in said
    assert "unexpected ValueError: broken on purpose" in said
    assert "Traceback" not in said
    parent, children = parent_and_children(project)
    assert parent.info.status == "FAILED"
    assert sorted(child.info.status for child in children) == ["FAILED", "FAILED", "FINISHED"]
    [sweep] = sweeps(project)
    assert "ended by SIGKILL" in (sweep / "0" / "srexp.log").read_text()
    log = (sweep / "1" / "srexp.log").read_text()
    assert "Traceback" in log
    assert 'raise ValueError("broken on purpose")' in log
    rows = list(csv.DictReader((sweep / "summary.csv").read_text().splitlines()))
    assert [(row["'+model.how"], row["state"]) for row in rows] == [
        ("kill", "failed"),
        ("raise", "failed"),
        ("work", "finished"),
    ]


@pytest.mark.slow
def test_ctrl_c_ends_driver_and_job(project, folder_of):
    """A terminal sends it to the whole group, so to both."""
    grid = [*folder_of, "-m", "trainer.epochs=100000", "seed=1,2"]
    with project.start(*grid, cold=True, stderr=subprocess.PIPE, start_new_session=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                break
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert "Traceback" not in said
    parent, [child] = parent_and_children(project)
    assert (parent.info.status, child.info.status) == ("KILLED", "KILLED")
