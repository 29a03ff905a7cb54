"""No verb lets a name of a file, a run, a tag or a model steer the terminal, forge a line, or show a password."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from srexp.cli import VERBS
from srexp.commands import compare, data, enhance, init
from srexp.commands.data import SPLITS
from srexp.commands.printing import console, listings
from srexp.errors import SrexpError
from srexp.evaluation.grid import Cell, Grid
from srexp.experiment.fitting import Beginning
from srexp.experiment.multirun.shards import Shared
from srexp.experiment.multirun.summary import Row, Summary
from srexp.experiment.new_data.inventory import Inventory
from srexp.system.masking.redaction import printable
from srexp.system.stdio import complain, say
from srexp.system.terminal import Terminal
from srexp.tracking.runs.run import Kept

#: It clears the screen, turns the direction of writing, and looks like markup, lines of srexp's, and an address.
NAME = "x\x1b[2J\u202e[bold red]\nsrexp: forged\r\n  fix:      forged http://ann:q7Xv_secret@host"
SPREAD = {"mean": 30.0, "n": 4}
PROTOCOL = {"channel": NAME, "quantize": True, "shave": 2, "data_range": NAME}
KNOWN = {"experiment_name": NAME, "run_id": NAME, "warnings": [NAME], "protocol": PROTOCOL, "model_uri": NAME}
KEPT = Kept(NAME, Path("folder\x1b\nsrexp: forged"), (NAME,))


def train() -> None:
    scores = defaultdict(lambda: 30.0)
    result = {
        **KNOWN, "test": {"n_images": 4}, "gain_db": 0.5, "gain_ci95": None, "validation": {"psnr": 30.0},
        "best_epoch": NAME, "registered": {"name": NAME, "version": NAME, "alias": NAME},
        "pending": {"records": 1, "reason": NAME, "folder": NAME, "send": NAME},
    }  # fmt: skip
    trainer = SimpleNamespace(epochs=1, steps_per_epoch=1, max_minutes=1.0, patience=1)
    named = SimpleNamespace(name=NAME, options={"patients": NAME})
    config = SimpleNamespace(trainer=trainer, scale=2, degradation=named, dataset=named, model=named)
    prepared = SimpleNamespace(entries={NAME: [SimpleNamespace(patient=NAME)]})
    task = SimpleNamespace(name=NAME, channel=NAME, config=config, prepared=prepared)
    known = {"weights": 1, "precision": NAME, "devices": NAME, "bicubic_psnr": 30.0, "loss_unit": NAME, "steps_done": 1}
    console.beginning(task, Beginning(**known))  # type: ignore[arg-type]
    outcome = SimpleNamespace(result=result, summary={"model": scores, "bicubic": scores}, model_name=NAME, kept=KEPT)
    console.training(outcome)  # type: ignore[arg-type]
    console.skipped(SimpleNamespace(overrides=[NAME]), {"run_id": NAME})  # type: ignore[arg-type]
    row = Row({NAME: NAME}, NAME, seeds=1, figures={}, data=[NAME], state=NAME, reasons=[NAME], runs=[])
    console.multirun(Summary(keys=[NAME], rows=[row], notes=[NAME]), Path("folder\x1b\nsrexp: forged"))
    scored = {"test": {"psnr": 30.0, "n_images": 4}, "run_id": NAME}
    restored = {"restored": [NAME], "skipped": [], "failed": [], "ledger": NAME}
    found = [Shared(NAME, {NAME: NAME}, {NAME: 2}, result) for result in (scored, restored, {})]
    console.shards(found, Path("folder\x1b\nsrexp: forged"))


def evaluate() -> None:
    metrics = {"psnr": {"model": SPREAD, "bicubic": SPREAD, "gain": {"gain": 0.0, "ci95": None}}}
    model = {"name": NAME, "parameters": 1}
    result = {**KNOWN, "test": {"n_images": 4}, "split": NAME, "metrics": metrics, "model": model, "trained_on": None}
    console.evaluation(result, KEPT)
    console.shard(NAME, 4, missing=[NAME])
    console.shard(NAME, 4, joined=NAME)


def promote() -> None:
    row = {"who": NAME, "psnr": 30.0, "ssim": 0.9, "seconds": None}
    gate = {"name": NAME, "measured": NAME, "required": NAME, "holds": False}
    result = {"name": NAME, "version": NAME, "champion": 1, "previous": NAME, "promoted": True, "forced": True}
    console.promotion(
        {**result, "reason": NAME, "warnings": [NAME], "table": [row], "n_images": 4, "gate": [gate]}, KEPT
    )


def search() -> None:
    best = {"number": 1, "overrides": [NAME]}
    console.search({"study": NAME, "trials": {NAME: 1}, "best": best, "preset": NAME, "run_id": NAME}, KEPT)
    say(NAME)


def models() -> None:
    row = dict.fromkeys(("name", "version", "model", "audit"), NAME) | {"aliases": [NAME], "protocol": PROTOCOL}
    row |= dict.fromkeys(("psnr", "gain_db", "degenerate")) | {"forced": True, "age_seconds": 1.0, "n_images": 4}
    listings.models({"models": [row], "warnings": [NAME]})


def runs() -> None:
    row = dict.fromkeys(("run_id", "name", "experiment_name", "model", "state", "note"), NAME)
    row |= {"started": 0, "seconds": 1.0, "test_psnr": 30.0, "val_psnr": None, "gain_db": None}
    sent = {"records": 1, "run_id": NAME, "left": 1, "reason": NAME, "refused": [NAME]}
    elsewhere = [{"run_id": NAME, "host": NAME}]
    result = {"runs": [row], "synced": [sent], "reaped": [NAME], "elsewhere": elsewhere}
    listings.runs({**result, "relocated": 1, "backup": NAME})


def show_data() -> None:
    finding = {"severity": NAME, "message": NAME}
    result = {"dataset": NAME, "images": 0, "splits": {split: {"images": 0} for split in SPLITS}}
    result |= {"data_fingerprint": NAME, "attribution": NAME, "findings": [finding], "warnings": [NAME]}
    data._show({**result, "skipped": [{"image": NAME, "reason": NAME}]})


def init_() -> None:
    found = Inventory(Path(), {NAME: Path()}, 1, sizes=[(1, 1)], names=Counter([NAME]), unreadable={NAME: NAME})
    init._show(Terminal(), NAME, found)
    Terminal().print(init._patients(NAME, 1, NAME), init._patients(None, None, NAME))


def enhance_() -> None:
    restorer = SimpleNamespace(made=SimpleNamespace(model=NAME), chosen=SimpleNamespace(told=lambda: NAME))
    failed = [{"file": NAME, "reason": NAME}]
    result = {"restored": [], "skipped": [], "failed": failed, "warnings": [NAME], "output": NAME, "scale": 2}
    result |= {"distances": {NAME: 1.0}, "worst_places": {NAME: 1.0}, "gallery": NAME}
    result |= {"spreads": {NAME: {"mean": 0.1, "p99": 1.0}}}
    result |= {"shard": NAME, "all_shards_ended": False}
    enhance._print({**result, "seconds": {"files": 1.0}}, restorer)  # type: ignore[arg-type]
    with pytest.raises(SrexpError) as raised:
        enhance._require_success(result)
    complain(str(raised.value))


def compare_(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid([Cell(NAME, NAME)], [[Cell(NAME, NAME)]])
    monkeypatch.setattr(compare, "tables", SimpleNamespace(scores=lambda _: grid, costs=lambda _: grid))
    found: Any = None
    result = {**KNOWN, "n_images": 4, "elsewhere": [NAME], "summary": [NAME], "report": NAME, "files": [NAME]}
    compare._show(found, result)


SHOWN = {
    "train": train, "adopt": train, "evaluate": evaluate, "promote": promote, "search": search, "models": models,
    "runs": runs, "data": show_data, "init": init_, "enhance": enhance_, "compare": compare_,
    # What these say are lines; ruff refuses every other way than `say`.
    **dict.fromkeys(("check", "export", "serve", "ui"), lambda: say(NAME)),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_no_name_steers_the_terminal_or_forges_a_line(verb: str, monkeypatch: Any, capfd: Any) -> None:
    SHOWN[verb](*[monkeypatch] if verb == "compare" else [])
    said = "".join(capfd.readouterr())
    assert "forged" in said
    assert "q7Xv_secret" not in said
    assert all(printable(line) == line for line in said.split("\n"))
    assert not [line for line in said.splitlines() if line.startswith(("srexp: forged", "  fix:"))]


def test_no_name_forges_a_line_of_an_error(capfd: Any) -> None:
    complain(str(SrexpError(NAME, lines=[NAME], got=NAME, expected=NAME, fix=NAME)))
    said = capfd.readouterr().err.splitlines()
    assert [line.split()[0] for line in said] == ["srexp:", "x\ufffd[2J\ufffd[bold", "got:", "expected:", "fix:"]
    assert "q7Xv_secret" not in str(said)
