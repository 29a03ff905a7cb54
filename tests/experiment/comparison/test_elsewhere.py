"""Which evaluations in the store are of the models that are compared, and on other images."""

from __future__ import annotations

import pytest

from srexp.evaluation.comparison.elsewhere import Gain
from srexp.experiment.comparison.elsewhere import evaluated
from srexp.tracking.runs.tracking import Tracking
from tests.experiment.comparison.test_runs import entry

PROTOCOL = {"channel": "grey", "crop": None, "degradation": {"name": "bicubic"}}


def result(task="ct-bicubic-x2", **other):
    return {
        "experiment_name": task, "data_fingerprint": "c7", "protocol": PROTOCOL, "test": {"n_images": 3},
        "model_uri": "zoo/net", "model": {"digest": "sha256:1", "model_id": None}, "gain_db": 0.5,
        "gain_ci95": [0.25, 0.75], "trained_on": {"train": 1, "validation": 1}, **other,
    }  # fmt: skip


@pytest.fixture
def tracking(tmp_path):
    return Tracking(folder=tmp_path / "mlruns", system_metrics=False)


def evaluation(tracking, told, verb="evaluate"):
    with tracking.run(told["experiment_name"], tags={"verb": verb}) as run:
        run.log_dict(told, "result.json")


def test_evaluations_of_the_models_on_other_images_are_found(tracking):
    ours, theirs = entry(1), entry(2)
    ours.result.update(result("cxr-bicubic-x2", model_uri="zoo/net"))
    theirs.result.update(result("cxr-bicubic-x2", model_uri="models:/m-7", model={}))
    crop = {**PROTOCOL, "crop": 64}
    for told in (
        result(gain_db=0.1),  # an older one
        result(gain_db=0.5),
        result(model_uri="models:/task@champion", model={"model_id": "m-7", "digest": "sha256:2"}, trained_on=None),
        result("ct-blur-x2", protocol=crop, gain_ci95=None),
        result("cxr-bicubic-x2"),  # what the comparison itself is of
        result("mr-bicubic-x2", model_uri="zoo/other", model={"digest": "sha256:3"}),  # another model
    ):
        evaluation(tracking, told)
    evaluation(tracking, result("xr-bicubic-x2"), verb="train")
    found = evaluated(tracking.store, [ours, theirs])
    assert [(each.task, each.part, each.images) for each in found] == [
        ("ct-bicubic-x2", "whole", 3),
        ("ct-blur-x2", "centre crops of 64 pixels", 3),
    ]
    assert found[0].gains == {"m1": Gain(0.5, (0.25, 0.75), 2), "m2": Gain(0.5, (0.25, 0.75), None)}
    assert found[1].gains == {"m1": Gain(0.5, None, 2)}


def test_a_comparison_of_evaluations_finds_those_of_the_same_file(tracking):
    one = entry(1)
    one.result.update(result("cxr-bicubic-x2", model_uri="net.keras"))
    evaluation(tracking, result("mr-bicubic-x2", model_uri="copy.keras"))
    [found] = evaluated(tracking.store, [one])
    assert (found.task, *found.gains) == ("mr-bicubic-x2", "m1")


def test_an_evaluation_that_is_damaged_is_left_out_with_a_word(tracking, caplog):
    one = entry(1)
    one.result.update(result("cxr-bicubic-x2"))
    evaluation(tracking, result("mr-bicubic-x2"))
    evaluation(tracking, result("ct-bicubic-x2"))
    [damaged] = [place for place in tracking.folder.rglob("result.json") if "ct-bicubic" in place.read_text()]
    damaged.write_bytes(b"{")
    assert [each.task for each in evaluated(tracking.store, [one])] == ["mr-bicubic-x2"]
    assert "an evaluation is left out: result.json of run" in caplog.text


@pytest.mark.parametrize("wrong", [{"model": 3}, {"test": 3}, {"gain_ci95": ["a", "b"]}, {"trained_on": 3}])
@pytest.mark.slow
def test_an_evaluation_in_which_something_else_stands_is_left_out_with_a_word(tracking, wrong, caplog):
    ours = entry(1)
    ours.result.update(result("cxr-bicubic-x2"))
    evaluation(tracking, result("mr-bicubic-x2"))
    evaluation(tracking, result("ct-bicubic-x2", **wrong))
    assert [each.task for each in evaluated(tracking.store, [ours])] == ["mr-bicubic-x2"]
    assert "an evaluation is left out: result.json of run" in caplog.text
