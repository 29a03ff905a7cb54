"""Listings at 80 columns: two lines a row, with what a person looks for."""

from __future__ import annotations

import time
from typing import Any

import pytest

from srexp.commands.printing import listings

RUN: dict[str, Any] = {
    "run_id": "0123456789abcdef" * 2, "experiment_name": "nih_sample-xray-x4", "model": "vdsr", "state": "FINISHED",
    "name": "vdsr lr=0.0001 depth=20 seed=3 11-29 11:42", "val_psnr": 43.1, "test_psnr": 44.25, "gain_db": 1.5,
    "started": 1000 * (time.time() - 9000), "seconds": 7290.0, "note": "",
}  # fmt: skip
MODEL: dict[str, Any] = {
    "name": "nih_sample-xray-x4", "version": 12, "model": "vdsr", "aliases": ["candidate", "champion", "previous"],
    "psnr": 44.25, "gain_db": 1.5, "n_images": 120, "protocol": {"channel": "grey", "shave": 4, "quantize": False},
    "degenerate": False, "audit": "near-duplicates few-test-images unknown-patients", "forced": True,
    "age_seconds": 200_000.0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns, as Rich sees it."""
    monkeypatch.setattr("srexp.system.terminal._FILE_COLUMNS", 80)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_run_has_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    rest: dict[str, Any] = {"synced": [], "reaped": [], "elsewhere": []}
    listings.runs({"runs": [RUN, {**RUN, "test_psnr": None}], **rest})
    told = lines(capsys)
    assert len(told) == 2 + 2 * 2  # heading, rule
    assert max(map(len, told)) <= 80
    assert RUN["run_id"] in told[2]
    for text in ("nih_sample-xray-x4", "test 44.25 +1.50"):
        assert text in told[2]
    assert "val  43.10" in told[3]
    listings.runs({"runs": [{**RUN, "note": "its process is gone"}], **rest})
    told = lines(capsys)
    assert len(told) == 2 + 2
    assert max(map(len, told)) <= 80
    assert RUN["run_id"] in told[2]


@pytest.mark.parametrize(("columns", "shown"), [(80, 32), (85, 37), (160, len(RUN["name"]))])
def test_a_name_has_what_a_terminal_is_wider(
    columns: int, shown: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srexp.system.terminal._FILE_COLUMNS", columns)
    listings.runs({"runs": [{**RUN, "note": "its process is gone"}], "synced": [], "reaped": [], "elsewhere": []})
    told = lines(capsys)
    assert max(map(len, told)) <= columns
    whole = RUN["name"]
    assert f"{whole if shown == len(whole) else whole[: shown - 1] + '…'} " in told[3]


def test_a_version_has_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    listings.models({"models": [MODEL, {**MODEL, "aliases": [], "degenerate": True}], "warnings": []})
    told = lines(capsys)
    assert len(told) == 2 + 2 * 2
    assert max(map(len, told)) <= 80
    assert all(text in told[2] for text in ("nih_sample-xray-x4", "champion", "44.250"))
    assert all(text in told[3] for text in ("12, vdsr, 2.3 d", "+1.500"))
    assert "degenerate" in told[5]


def test_a_narrow_terminal_cuts_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srexp.system.terminal._FILE_COLUMNS", 40)
    listings.runs({"runs": [RUN], "synced": [], "reaped": [], "elsewhere": []})
    listings.models({"models": [MODEL], "warnings": []})
    told = lines(capsys)
    assert max(map(len, told)) <= 40
    text = " ".join(told)
    for whole in (RUN["run_id"], RUN["name"], "nih_sample-xray-x4", "test 44.25 +1.50", "FINISHED", MODEL["audit"]):
        assert whole in text


def test_one_run_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    whole = {"verb": "train", "page": "http://server/#/experiments/1", "artifacts": "/store/artifacts"}
    written = {"mlflow.note.content": "| | PSNR |\n| --- |"}  # for MLflow's page
    listings.run({**RUN, **whole, "metrics": {"test_psnr": 44.25}, "tags": {"audit": "clean", **written}})
    text = "\n".join(lines(capsys))
    for each in (RUN["run_id"], RUN["name"], "/store/artifacts", whole["page"], "took 2.0 h", "44.25", "clean"):
        assert each in text
    assert "PSNR" not in text
