"""What shards come to together."""

from __future__ import annotations

import json
from pathlib import Path

from srexp.experiment.multirun import shards
from srexp.experiment.multirun.job import Job


def job(verb, shard, result, failure=None, **overrides):
    typed = {**overrides, **({"shard": shard} if shard else {})}
    return Job(Path(shard or "none"), verb, typed, result, failure or {})


def enhanced(*restored, gallery=None, failed=()):
    known = {"model_uri": "bicubic", "output": "out", "ledger": "enhanced.csv", "skipped": [], "warnings": ["w"]}
    return {**known, "restored": list(restored), "failed": list(failed), "gallery": gallery}


def test_files_of_all_shards_are_in_one_result(tmp_path):
    jobs = [
        job("enhance", "1/2", enhanced("a", gallery="out/gallery.html")),
        job("enhance", "2/2", enhanced("b", failed=[{"file": "c", "reason": "r"}]), {"message": "m", "exit_code": 1}),
        job("train", None, {}),
    ]
    [found] = shards.gathered(jobs)
    assert found.states == {"finished": 1, "failed": 1}
    assert found.result["restored"] == ["a", "b"]
    assert (found.result["failed"], found.result["warnings"]) == ([{"file": "c", "reason": "r"}], ["w"])
    assert found.result["gallery"] == "out/gallery.html"
    shards.write([found], tmp_path)
    assert json.loads((tmp_path / shards.NAME).read_text())[0]["result"] == found.result


def test_what_differs_beside_the_shard_is_kept_apart():
    jobs = [job("enhance", f"{n}/2", enhanced(uri + str(n)), model_uri=uri) for uri in ("x", "y") for n in (1, 2)]
    found = shards.gathered(jobs)
    assert [each.overrides for each in found] == [{"model_uri": "x"}, {"model_uri": "y"}]
    assert [each.result["restored"] for each in found] == [["x1", "x2"], ["y1", "y2"]]


def test_a_shard_that_died_leaves_no_result_of_all():
    [found] = shards.gathered([job("enhance", "1/2", enhanced("a")), job("enhance", "2/2", {})])
    assert (found.states, found.result) == ({"finished": 1, "interrupted": 1}, {})


def test_scores_are_those_that_the_last_shard_joined():
    joined = {"run_id": "r", "test": {"psnr": 30.0}}
    jobs = [job("evaluate", "1/2", {"run_id": None, "shard": "1/2"}), job("evaluate", "2/2", joined)]
    assert shards.gathered(jobs)[0].result == joined
    assert shards.gathered(jobs[:1])[0].result == {}


def test_other_jobs_are_no_shards():
    assert shards.gathered([job("train", None, {}), job("evaluate", None, {})]) == []
