"""One network for several scales: trained once, scored and registered at each."""

from __future__ import annotations

import numpy as np
import pytest

import srexp
from srexp.cli import run
from srexp.experiment import multiscale

pytestmark = pytest.mark.system


@pytest.fixture
def asked(folder_of):
    return [*folder_of, "trainer.patch_size=24", "model=vdsr", "model.depth=4", "scale=[2,3]", "seed=3"]


def assert_whole(project, result):
    [other] = result["other_scales"]
    assert (result["experiment_name"], other["experiment_name"]) == ("folder-bicubic-x2", "folder-bicubic-x3")
    assert (result["protocol"]["scale"], other["protocol"]["scale"]) == (2, 3)
    assert other["registered"]["name"] == "folder-bicubic-x3"
    assert other["data_fingerprint"] == result["data_fingerprint"]
    assert any(f"one network for x2 and x3, trained by run {result['run_id']}" in each for each in other["warnings"])
    assert project.weights(result["model_uri"]) == project.weights(other["model_uri"])
    assert project.model(other["model_uri"])(np.zeros((1, 5, 7, 1), np.float32)).shape == (1, 15, 21, 1)
    for each in (result, other):
        tracked = project.client().get_run(each["run_id"])
        assert tracked.info.status == "FINISHED"
        assert tracked.data.params["trainer.scales"] == "[2, 3]"
        assert tracked.data.params["scale"] == str(each["protocol"]["scale"])
        assert tracked.data.metrics["test/gain_db"] == pytest.approx(each["gain_db"])
    assert project.client().get_run(other["run_id"]).data.tags["mlflow.parentRunId"] == result["run_id"]


@pytest.mark.slow
def test_one_training_gives_a_model_of_every_scale(project, asked):
    done = project.run(*asked)
    assert done.returncode == 0, done.stderr
    for name in ("folder-bicubic-x2 version 1", "folder-bicubic-x3 version 1"):
        assert name in done.stdout
    assert_whole(project, project.results()[-1])
    assert len(project.runs()) == 2


@pytest.mark.slow
def test_what_was_interrupted_between_the_scales_goes_on_without_training_again(project, asked, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(multiscale, "float32_network", interrupted)
        with pytest.raises(KeyboardInterrupt):
            srexp.run("train", asked)
    x3, x2 = project.runs()
    assert [each.info.status for each in (x2, x3)] == ["KILLED", "KILLED"]
    assert run([f"resume={x3.info.run_id}"]) == 2
    assert f"resume={x2.info.run_id}" in capsys.readouterr().err

    resumed = srexp.run("train", [f"resume={x2.info.run_id}"])
    assert resumed["run_id"] == x2.info.run_id
    assert_whole(project, resumed)


def test_a_network_with_weights_of_one_scale_is_refused_before_it_trains(project, asked):
    done = project.run(*[each for each in asked if not each.startswith("model")], "model=hybrid")
    assert done.returncode == 2
    assert "model=hybrid can't serve several scales" in done.stderr
    assert "scale=2" in done.stderr
