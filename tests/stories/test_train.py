"""What a user gets from `python -m srexp`, through the command line, with a real store."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

import srexp
from srexp.cli import run
from srexp.training.checkpoint import Checkpoints

CONTRACT = {
    "run_id", "experiment_name", "model_uri", "registered", "best_epoch", "validation", "test", "baseline", "gain_db",
    "gain_ci95", "p_value", "protocol", "data_fingerprint", "warnings", "seconds", "train_patches_per_second",
    "peak_rss_mb",
}  # fmt: skip


def artifact(project, run_id, path):
    import mlflow.artifacts

    return mlflow.artifacts.load_text(f"{project.client().get_run(run_id).info.artifact_uri}/{path}")


def test_a_training_is_scored_tracked_and_registered(project, folder_of):
    shown_too = ["tracking.max_images=4", "tracking.system_metrics=true"]
    done = project.run(*folder_of, *shown_too, "model=srcnn", "trainer.epochs=3", "seed=5", cold=True)
    assert done.returncode == 0, done.stderr
    for shown in ("srcnn", "bicubic", "gain", "PSNR", "SSIM", "folder-bicubic-x2 version 1", "python -m srexp ui"):
        assert shown in done.stdout

    [result] = project.results()
    assert result.keys() >= CONTRACT
    assert result["run_id"] in done.stdout
    assert result["experiment_name"] == "folder-bicubic-x2"
    assert result["registered"] == {"name": "folder-bicubic-x2", "version": 1, "alias": "candidate"}
    assert result["gain_db"] == pytest.approx(result["test"]["psnr"] - result["baseline"]["bicubic"]["psnr"])
    assert 1 <= result["best_epoch"] <= 3
    assert result["test"]["n_images"] == 2
    assert result["seconds"].keys() == {"data", "train", "evaluate", "track", "total"}
    assert sum(value for name, value in result["seconds"].items() if name != "total") <= result["seconds"]["total"]

    [tracked] = project.runs()
    assert (tracked.info.run_id, tracked.info.status) == (result["run_id"], "FINISHED")
    history = project.client().get_metric_history(result["run_id"], "_val/psnr")
    assert [point.step for point in history] == [1, 2, 3]
    assert max(point.value for point in history) == pytest.approx(result["validation"]["psnr"])
    assert tracked.data.params["optimizer.lr"]
    assert tracked.data.tags["data.fingerprint"] == result["data_fingerprint"]
    assert json.loads(artifact(project, result["run_id"], "result.json"))["gain_db"] == result["gain_db"]

    rows = list(csv.DictReader(io.StringIO(artifact(project, result["run_id"], "data/manifest.csv"))))
    patients = [{row["patient"] for row in rows if row["split"] == split} for split in ("train", "validation", "test")]
    assert len(rows) == 20
    assert all(patients)
    assert len(set().union(*patients)) == sum(len(each) for each in patients) == 10

    images = list(csv.DictReader(io.StringIO(artifact(project, result["run_id"], "scores/test.csv"))))
    assert sum(float(row["psnr"]) for row in images) / len(images) == pytest.approx(result["test"]["psnr"])

    loads_by_every_address(project, result["model_uri"])


def loads_by_every_address(project, model_uri):
    """The logged model restores images of any size; that it does so without srexp, the registry's tests hold."""
    import mlflow.keras
    import mlflow.pyfunc

    from srexp.tracking.runs.tracking import Tracking
    from srexp.tracking.store.store import selected

    images = np.random.default_rng(0).random((2, 30, 46, 1), dtype=np.float32)
    with selected(Tracking(folder=project.root / "mlruns").store.uri):
        out = mlflow.pyfunc.load_model(model_uri).predict(images)
        model = mlflow.keras.load_model("models:/folder-bicubic-x2@candidate")
    assert (out.shape, out.dtype) == ((2, 60, 92, 1), np.float32)
    assert (model.count_params(), bool(getattr(model, "compiled", False))) == (57281, False)
    assert np.asarray(model(images[:1, :17, :12])).shape == (1, 34, 24, 1)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_and_another_one_others(two_trainings, folder_of):
    first, other = two_trainings.trainings
    again = srexp.run("train", [*folder_of, "seed=1"])
    for key in ("test", "validation", "baseline", "gain_db", "data_fingerprint", "best_epoch"):
        assert first[key] == again[key]
    assert other["test"] != first["test"]


def test_an_exploding_loss_fails_the_run_and_says_so(project, folder_of, capfd):
    assert run([*folder_of, "optimizer.lr=1e9", "schedule=constant", "schedule.warmup_steps=0"]) == 1
    said = capfd.readouterr().err
    assert "exploded" in said
    assert "optimizer.lr=" in said
    assert [tracked.info.status for tracked in project.runs()] == ["FAILED"]


def test_identity_is_called_degenerate(project, folder_of):
    result = srexp.run("train", [*folder_of, "degradation=identity", "model=bicubic"])
    assert any("degenerate" in warning for warning in result["warnings"])
    assert (result["test"]["psnr"], result["gain_db"]) == (None, None)
    [tracked] = project.runs()
    assert tracked.data.tags["degenerate"] == "true"


@pytest.mark.slow
def test_a_dead_network_is_called_out(project, folder_of):
    result = srexp.run(
        "train",
        [*folder_of, "model=vdsr", "model.depth=3", "optimizer.lr=1e-12", "trainer.epochs=2", "model.start=copy"],
    )
    assert any("dead network" in warning for warning in result["warnings"])
    assert math.isclose(result["gain_db"], 0, abs_tol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_is_killed_with_130_and_says_how_to_go_on(project, folder_of, number):
    endless = [*folder_of, "trainer.epochs=100000", "checkpoint.minutes=null"]
    with project.start(*endless, stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if line.startswith("epoch 3/"):  # by then the second one is kept
                break
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(timeout=60) == 130
    [killed] = project.runs()
    assert killed.info.status == "KILLED"
    assert re.search(rf"python -m srexp resume={killed.info.run_id} .*goes on with this run", said)
    checkpoint = Checkpoints(Path(killed.data.tags["srexp.checkpoints"])).latest()
    assert checkpoint.step >= 8
    assert checkpoint.history.epochs


@pytest.mark.slow
def test_what_is_trained_as_branches_is_stored_as_one_convolution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import keras

    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    thin = ["model=ecbsr", "model.blocks=1", "model.width=4", "tracking.max_images=0", "tracking.system_metrics=false"]
    assert srexp.run("train", ["+debug=fast", *thin])["registered"]
    [stored] = {path.read_bytes(): path for path in tmp_path.rglob("model.keras")}.values()
    kinds = {type(layer) for layer in keras.saving.load_model(stored).layers}
    assert kinds.isdisjoint({keras.Model, keras.layers.DepthwiseConv2D})
