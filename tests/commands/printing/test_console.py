"""What a person reads at the end of a verb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from srexp.commands.printing import console, listings

ROW = {
    "run_id": "0123abcd",
    "experiment_name": "task[1]",
    "name": None,
    "model": "srcnn",
    "state": "RUNNING",
    "val_psnr": None,
    "test_psnr": 31.256,
    "gain_db": 0.5,
    "started": 0,
    "seconds": 90.0,
    "note": "its process is gone",
}


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_runs_and_what_was_done_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    synced = [{"records": 3, "run_id": "a", "left": 1, "reason": "no answer", "refused": ["tags: too long"]}]
    elsewhere = [{"run_id": "c", "host": "far"}, {"run_id": "d", "host": None}]
    listings.runs({"runs": [ROW], "synced": synced, "reaped": ["b"], "elsewhere": elsewhere})
    lines = told(capsys)
    assert any("task[1]" in line and "test 31.26 +0.50" in line for line in lines)
    assert lines[-5:] == [
        "sent        3 records of a, 1 wait still: no answer",
        "refused     tags: too long",
        "ended       b",
        "left open   c, of far (reap_hosts=[far] ends it)",
        "left open   d, of an unknown machine",
    ]


def test_an_empty_store_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    listings.runs({"runs": [], "synced": [], "reaped": [], "elsewhere": []})
    listings.models({"models": [], "warnings": ["a [move] was cut"]})
    lines = told(capsys)
    assert lines[0].startswith("no run was kept yet")
    assert lines[1].startswith("no model was registered yet")
    assert lines[2] == "warning     a [move] was cut"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"rolled_back": True}, "champion    version 2 of task again; version 1 is previous"),
        ({"already": True}, "champion    version 2 of task, as before: nothing was moved"),
        ({"promoted": False}, "champion    1, as before: nothing was moved"),
        ({"forced": True}, "champion    version 2 of task (forced: because); version 1 is previous"),
    ],
)
def test_where_the_champion_is(more: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = {"name": "task", "version": 2, "champion": 1, "previous": 1, "promoted": True, "forced": False}
    console.promotion({**result, "reason": "because", "warnings": [], **more})
    assert told(capsys) == [said]


@pytest.mark.parametrize("name", ["bicubic", "vdsr"])
def test_bicubic_stands_beside_every_model_but_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spread = {"mean": 30.0, "n": 4}
    of_metric = {"model": spread, "bicubic": spread, "gain": {"gain": 0.0, "ci95": [0.0, 0.0]}}
    protocol = {"channel": "grey", "quantize": True, "shave": 2, "data_range": 1.0}
    result = {"experiment_name": "task", "split": "test", "test": {"n_images": 4}, "metrics": {"psnr": of_metric}}
    result |= {"model": {"name": name, "parameters": 0}, "model_uri": name, "run_id": "a", "protocol": protocol}
    console.evaluation({**result, "trained_on": {"train": 2}, "warnings": []})
    lines = told(capsys)
    heading, row = (next(line for line in lines if word in line) for word in (name, "PSNR"))
    assert heading.count("bicubic") == 1
    assert row.count("30.0") == (1 if name == "bicubic" else 2)
    assert any("2 of 4" in line for line in lines)


@pytest.mark.parametrize(("columns", "lines"), [(80, 2), (140, 1)])
def test_a_combination_has_two_lines_at_80_columns(
    columns: int, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from srexp.experiment.multirun.summary import Figure, Row, Summary

    monkeypatch.setattr("srexp.system.terminal._FILE_COLUMNS", columns)
    means = {"val_psnr": 57.224, "test_psnr": 48.634, "test_ssim": 0.98714, "gain_db": 0.073}
    figures = {name: Figure(mean, 0.017, 2) for name, mean in means.items()}
    rows = [Row({"model": name}, "c", 2, figures, ["eb9f65f3"], "2 finished", [], []) for name in ("srcnn", "hybrid")]
    console.multirun(Summary(["model"], rows, []), tmp_path)
    said = told(capsys)
    begin = next(number for number, line in enumerate(said) if "srcnn" in line)
    assert "hybrid" in said[begin + lines]
    assert max(map(len, said[:-2])) <= columns
    assert "48.634" in said[begin]
    assert "± 0.01700" in said[begin + lines - 1]
    assert "2 finished" in said[begin]
