"""Scores of shards are those of one process, row by row; whole commands are in tests/stories/test_evaluate.py."""

from __future__ import annotations

import json
import math

import pytest

import srexp
from srexp.config.shards import Shard
from srexp.data.degradation.imresize import enlarged_rows
from srexp.experiment import scoring
from srexp.experiment.multirun import shared_scores
from srexp.experiment.multirun.shared_scores import SharedScores
from srexp.experiment.task import Task


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    return Task(srexp.compose(["trainer.test_size=64"]), whole=True)


def predict(low):
    return enlarged_rows(low, 2, slice(0, 2 * low.shape[0]))


def test_shards_come_to_the_rows_of_one_process(task):
    whole = scoring.score_split(predict, task, "test")
    assert len(whole.rows) > 3
    shares = [SharedScores(task, "test", shard, model="digest") for shard in Shard(1, 3).all]
    assert [share.images for share in shares] == [sum(row.key in share.shard for row in whole.rows) for share in shares]
    shares[2].score(predict)
    assert shares[0].missing() == ["1/3", "2/3"]
    for share in shares[:2]:
        share.score(predict)
    assert shares[0].missing() == []
    joined, took = shares[1].joined()
    assert joined == whole
    assert [(each["shard"], each["n_images"]) for each in took] == [
        (str(share.shard), share.images) for share in shares
    ]


def test_infinite_and_missing_values_survive(task):
    [share] = [SharedScores(task, "test", Shard(1, 1), model=None)]
    share.score(predict)
    path = share.folder / "1-of-1.json"
    kept = json.loads(path.read_text())
    kept["rows"][0]["model"] |= {"psnr": math.inf, "ms_ssim": None}
    path.write_text(json.dumps(kept))
    row = share.joined()[0].rows[0]
    assert (row.model["psnr"], row.model["ms_ssim"]) == (math.inf, None)


def test_a_shard_is_scored_once_and_another_model_anew(task):
    share = SharedScores(task, "test", Shard(1, 1), model="one")
    share.score(predict)

    def refuse(low):
        raise AssertionError("scored again")

    SharedScores(task, "test", Shard(1, 1), model="one").score(refuse)
    with pytest.raises(AssertionError, match="scored again"):
        SharedScores(task, "test", Shard(1, 1), model="two").score(refuse)


@pytest.mark.parametrize("what", ["code", "in_force"])
def test_scores_of_other_code_or_other_kernels_are_not_joined(task, what, monkeypatch):
    share = SharedScores(task, "test", Shard(1, 2), model=None)
    share.score(predict)
    with monkeypatch.context() as changed:
        changed.setattr(shared_scores, what, lambda: "another")
        assert SharedScores(task, "test", Shard(2, 2), model=None).missing() == ["1/2", "2/2"]
    assert SharedScores(task, "test", Shard(2, 2), model=None).missing() == ["2/2"]


def test_what_was_joined_is_known(task):
    share = SharedScores(task, "test", Shard(1, 2), model=None)
    assert share.kept() is None
    with share.turn():
        share.keep({"run_id": "r", "test": {}})
    assert SharedScores(task, "test", Shard(2, 2), model=None).kept() == {"run_id": "r", "test": {}}


@pytest.mark.parametrize("content", ["", '{"rows": [', "[]", "{}"])
def test_a_damaged_file_counts_as_missing(task, content):
    share = SharedScores(task, "test", Shard(1, 1), model=None)
    share.score(predict)
    whole = share.joined()[0]
    (share.folder / "1-of-1.json").write_text(content)
    assert share.missing() == ["1/1"]
    share.score(predict)
    assert share.joined()[0] == whole
    (share.folder / "result.json").write_text(content)
    assert share.kept() is None
