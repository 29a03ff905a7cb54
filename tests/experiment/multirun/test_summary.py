"""The table at the end of a multirun: a mean never stands without its spread, or for images that it hides."""

from __future__ import annotations

import csv
import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp.commands.printing import console
from srexp.experiment.multirun import summary
from srexp.experiment.multirun.job import Job
from srexp.metrics.protocol import ADDED

SAME = "a" * 64


def finished(overrides: dict[str, str], gain: float | None, *, data: str = SAME, **more) -> Job:
    test_psnr = None if gain is None else 30 + gain
    result = {
        "run_id": "r" * 32,
        "validation": {"psnr": 31.0},
        "test": {"psnr": test_psnr, "ssim": 0.9},
        "gain_db": gain,
        "data_fingerprint": data,
        "protocol": {"channel": "grey"},
        **more,
    }
    return Job(Path("0"), "train", overrides, result, {})


def failed(overrides: dict[str, str], message: str) -> Job:
    return Job(Path("0"), "train", overrides, {}, {"message": message, "exit_code": 1})


def test_one_row_for_each_combination_over_its_seeds():
    gains = {"srcnn": [0.5, 0.7, 0.9], "vdsr": [1.0, 1.4, 1.2]}
    jobs = [
        finished({"model": model, "seed": str(seed), "scale": "2"}, gain)
        for model, values in gains.items()
        for seed, gain in enumerate(values, 1)
    ]
    table = summary.summarise(jobs)
    assert table.keys == ["model"]
    assert [row.swept for row in table.rows] == [{"model": "srcnn"}, {"model": "vdsr"}]
    for row, values in zip(table.rows, gains.values(), strict=True):
        gain = row.figures["gain_db"]
        assert (gain.mean, gain.std) == pytest.approx((statistics.mean(values), statistics.stdev(values)))
        assert (row.seeds, gain.n, row.state, row.data) == (3, 3, "3 finished", [SAME])
        assert [run["seed"] for run in row.runs] == [1, 2, 3]
    assert table.notes == []


def test_different_configurations_are_never_averaged_and_what_was_not_composed_stays_beside_its_seeds():
    def composed(seed: int, gain: float, configuration: str) -> Job:
        return replace(finished({"seed": str(seed)}, gain), configuration=configuration)

    refused = failed({"seed": "-1"}, "seed is refused")
    jobs = [refused, composed(1, 0.2, "a"), composed(2, 0.4, "a"), composed(3, 9.0, "b")]
    table = summary.summarise(jobs)
    first, second = table.rows
    assert (first.configuration, first.seeds, first.state) == ("a", 2, "2 finished, 1 failed")
    assert first.figures["gain_db"].mean == pytest.approx(0.3)
    assert (second.configuration, second.seeds, second.figures["gain_db"].mean) == ("b", 1, 9.0)
    assert summary.COMPOSED_DIFFER in table.notes


def test_one_seed_has_no_spread_and_says_so(capfd):
    table = summary.summarise([finished({"model": model, "seed": "1"}, 0.5) for model in ("srcnn", "vdsr")])
    assert table.notes == [summary.ONE_SEED]
    assert all(row.figures["gain_db"].std is None for row in table.rows)
    console.multirun(table, Path("sweep"))
    rows = [line for line in capfd.readouterr().out.splitlines() if "srcnn" in line]
    assert len(rows) == 1
    assert "+0.500" in rows[0]
    assert "±" not in rows[0]


def test_seeds_on_different_images_are_marked(capfd):
    table = summary.summarise([finished({"seed": seed}, 0.5, data=seed * 64) for seed in "12"])
    assert summary.SEEDS_DIFFER in table.notes
    assert summary.ROWS_DIFFER not in table.notes
    console.multirun(table, Path("sweep"))
    assert "2 splits *" in capfd.readouterr().out


def test_rows_on_different_images_or_protocols_are_called_incomparable():
    jobs = [finished({"scale": scale}, 0.5, data=scale * 64, protocol={"shave": scale}) for scale in "24"]
    assert summary.summarise(jobs).notes == [summary.ONE_SEED, summary.ROWS_DIFFER, summary.PROTOCOLS_DIFFER]


def test_a_row_that_knew_fewer_metrics_is_not_called_incomparable():
    jobs = [finished({"seed": "0"}, 0.5), finished({"seed": "1"}, 0.5, protocol={"channel": "grey", **ADDED})]
    assert summary.PROTOCOLS_DIFFER not in summary.summarise(jobs).notes


def test_infinite_figures_are_left_out_and_counted(capfd):
    table = summary.summarise([finished({"seed": str(seed)}, gain) for seed, gain in enumerate((None, 0.4, 0.6))])
    [row] = table.rows
    assert (row.figures["gain_db"].mean, row.figures["gain_db"].n, row.seeds) == (pytest.approx(0.5), 2, 3)
    assert summary.LEFT_OUT in table.notes
    console.multirun(table, Path("sweep"))
    assert "+0.500 ± 0.141 (2)" in capfd.readouterr().out

    [row] = summary.summarise([finished({"seed": seed}, None) for seed in "12"]).rows
    assert (row.figures["gain_db"].mean, row.figures["gain_db"].std) == (None, None)


@given(st.data(), st.integers(1, 3))
def test_a_row_that_is_nowhere_worse_is_never_behind(data, seeds):
    """None stands for a validation without any error, whose PSNR is infinite."""
    psnr = st.one_of(st.none(), st.sampled_from([0.0, 29.0, 30.5, 48.1]), st.floats(5, 90))
    worse = data.draw(st.lists(psnr, min_size=seeds, max_size=seeds))
    better = [data.draw(st.one_of(st.none(), st.just(0.0 if each is None else each + 0.5))) for each in worse]
    better = [None if other is None else each for each, other in zip(better, worse, strict=True)]
    rows = {"ahead": better, "behind": worse}
    jobs = [
        finished({"model": name, "seed": str(seed)}, 0.5, validation={"psnr": each})
        for name in data.draw(st.permutations(list(rows)))
        for seed, each in enumerate(rows[name])
    ]
    best = summary.summarise(jobs).best
    assert best.swept["model"] == "ahead" or better == worse


def test_how_the_jobs_of_a_row_ended():
    jobs = [
        finished({"lr": "1", "seed": "1"}, 0.5),
        failed({"lr": "1", "seed": "2"}, "the loss exploded\n  got: nan"),
        finished({"lr": "2", "seed": "1"}, 0.5, skipped=True),
        Job(Path("3"), "train", {"lr": "2", "seed": "2"}, {}, {}),
    ]
    first, second = summary.summarise(jobs).rows
    assert (first.state, first.reasons, first.seeds) == ("1 finished, 1 failed", ["the loss exploded"], 1)
    assert (second.state, second.reasons) == ("1 finished before, 1 interrupted", [])


def test_the_files_say_the_same(tmp_path: Path):
    jobs = [finished({"model": "srcnn", "seed": "1"}, 0.5), failed({"model": "vdsr", "seed": "1"}, "broken, alas")]
    as_json, as_csv = summary.write(summary.summarise(jobs), tmp_path)
    told = json.loads(as_json.read_text())
    rows = list(csv.DictReader(as_csv.read_text().splitlines()))
    assert [row["swept"]["model"] for row in told["rows"]] == [row["model"] for row in rows] == ["srcnn", "vdsr"]
    assert float(rows[0]["gain_db_mean"]) == told["rows"][0]["figures"]["gain_db"]["mean"] == 0.5
    assert rows[0]["gain_db_std"] == rows[1]["gain_db_mean"] == ""
    assert (rows[1]["state"], rows[1]["reasons"], rows[1]["seeds"]) == ("failed", "broken, alas", "0")
