"""A training that is killed goes on with `resume=RUN_ID`, and nothing tells it from one that was left alone."""

from __future__ import annotations

import importlib
import json
import random
import re
import subprocess
import time

import pytest

import srexp
from srexp.cli import run

pytestmark = pytest.mark.system

#: Of `result.json`, what must not depend on interruptions.
SAME = ("best_epoch", "validation", "test", "baseline", "gain_db", "data_fingerprint", "protocol")


def start(project, words, until):
    """Start a command and wait for a line of what it says."""
    process = project.start(*words, stderr=subprocess.PIPE)
    for line in process.stderr:
        if line.startswith(until):
            break
    return process


def history(project, run_id):
    """Every metric but those of the system, with all its points; times without their values."""
    client = project.client()
    names = [name for name in client.get_run(run_id).data.metrics if not name.startswith("system/")]
    found = {name: client.get_metric_history(run_id, name) for name in names}
    return {
        name: [(point.step, None if name.startswith("time/") else point.value) for point in points]
        for name, points in found.items()
    }


def assert_same(project, resumed, whole):
    assert {key: resumed[key] for key in SAME} == {key: whole[key] for key in SAME}
    assert project.weights(resumed["model_uri"]) == project.weights(whole["model_uri"])
    assert history(project, resumed["run_id"]) == history(project, whole["run_id"])
    tracked = project.client().get_run(resumed["run_id"])
    assert tracked.info.status == "FINISHED"
    assert "srexp.error" not in tracked.data.tags
    assert len(project.client().search_model_versions(f"run_id = '{resumed['run_id']}'")) == 1
    assert not list(project.root.rglob("step-*.npz"))


@pytest.mark.slow
def test_a_training_outlives_who_reads_what_it_says(project, folder_of):
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = project.start(*folder_of, "trainer.epochs=3", cold=True, **both)  # as libraries find these when imported
    assert any(line.startswith("epoch 1/") for line in process.stdout)
    process.stdout.close()
    assert process.wait(120) == 0
    [finished] = project.runs()
    assert finished.info.status == "FINISHED"
    written = [json.loads(path.read_text())["run_id"] for path in project.root.rglob("outputs/**/result.json")]
    assert written == [finished.info.run_id]


@pytest.mark.slow
@pytest.mark.parametrize(
    "course", [[], ["training=adversarial", "training.width=2", "training.pixel_share=0.25"]], ids=["alone", "opposed"]
)
def test_killed_in_the_middle_of_an_epoch(course, project, folder_of, capsys):
    asked = [*folder_of, "model=vdsr", "model.depth=4", "trainer.epochs=4", "trainer.steps_per_epoch=25", "seed=3"]
    asked += course
    process = start(project, [*asked, "checkpoint.minutes=0"], "epoch 2/")
    time.sleep(random.Random(5).uniform(0.05, 0.3))
    process.kill()
    process.wait()
    process.stderr.close()
    [killed] = project.runs()
    run_id = killed.info.run_id
    assert killed.info.status == "RUNNING"

    whole = srexp.run("train", asked)
    assert re.search(rf"python -m srexp resume={run_id} .*goes on from there", capsys.readouterr().err)

    resumed = srexp.run("train", [f"resume={run_id}"])
    assert resumed["run_id"] == run_id
    assert_same(project, resumed, whole)
    assert len(project.runs()) == 2
    [written] = [path for path in project.root.rglob("result.json") if json.loads(path.read_text()) != whole][:1]
    assert json.loads(written.read_text())["run_id"] == run_id

    assert run([f"resume={run_id}"]) == 2
    assert "finished; there is nothing to go on with" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("place", ["srexp.experiment.fitting.fit_network", "srexp.tracking.registry.registry.register"])
def test_interrupted_before_and_after_training(place, two_trainings, folder_of, monkeypatch):
    """Before the first checkpoint, and after the model was registered."""
    module, _, name = place.rpartition(".")
    project, whole = two_trainings, two_trainings.trainings[0]
    asked = [*folder_of, "tracking.max_images=1", "seed=1"]
    owner = importlib.import_module("srexp.experiment.pipeline" if name == "fit_network" else module)
    work = getattr(owner, name)

    def interrupted(*arguments, **options):
        if name == "register":
            work(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            srexp.run("train", asked)
    killed = project.runs()[0]
    assert killed.info.status == "KILLED"
    resumed = srexp.run("train", [f"resume={killed.info.run_id}"])
    assert_same(project, resumed, whole)
    assert resumed["registered"]["version"] == 3
    pictures = [[file.path for file in project.client().list_artifacts(each, "images")] for each in (
        resumed["run_id"], whole["run_id"],
    )]  # fmt: skip
    assert len(pictures[0]) == len(pictures[1]) > 0


@pytest.mark.slow
def test_a_child_of_a_multirun(project, folder_of, monkeypatch):
    grid = ["-m", *folder_of, "trainer.epochs=3", "seed=3,4", "checkpoint.minutes=0"]
    parent = project.start(*grid, cold=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    for line in parent.stderr:
        if line.startswith("epoch 1/"):
            break
    parent.terminate()
    parent.stderr.read()
    parent.wait(timeout=90)
    parent.stderr.close()
    [child] = [each for each in project.runs() if "mlflow.parentRunId" in each.data.tags]
    assert child.info.status == "KILLED"
    resumed = srexp.run("train", [f"resume={child.info.run_id}"])
    assert_same(project, resumed, srexp.run("train", [*folder_of, "trainer.epochs=3", "seed=3"]))
    assert project.client().get_run(child.info.run_id).data.tags["mlflow.parentRunId"]
