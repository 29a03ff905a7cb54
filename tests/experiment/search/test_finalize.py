"""Which trial's network is kept in the end: the best one, whichever direction its objective has."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

import srexp
from srexp.errors import SrexpError
from srexp.experiment.network import float32_network
from srexp.experiment.search import finalize, trial_worker
from srexp.system.files.json_files import DamagedError
from srexp.system.profiling import Stopwatch
from srexp.training.fit import Fitted
from srexp.types import Trial


def trial(number, *objectives, state="finished"):
    return Trial(number=number, state=state, values={"n": number}, objectives=objectives or None)


def kept(objectives, *trials):
    """The number of the trial whose configuration is made the preset of the search, the first thing done with it."""
    taken = []

    def first(_config, best):
        taken.append(best.number)
        raise InterruptedError

    engine = SimpleNamespace(objectives=objectives, name="tried", trials=len(trials))
    job = SimpleNamespace(engine=engine, study=SimpleNamespace(trials=lambda: trials), config=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finalize, "_show", lambda *_: None)
        patch.setattr(finalize, "_config", first)
        with pytest.raises(InterruptedError):
            finalize.finalize(job, None, Stopwatch())
    return taken[0]


@pytest.mark.parametrize(
    ("objectives", "found", "best"),
    [
        (["val_psnr"], [(30.0,), (33.0,), (31.0,)], 1),
        (["seconds"], [(0.3,), (0.1,), (0.2,)], 1),
        (["val_psnr"], [(30.0,), (33.0,), (33.0,)], 1),  # of equal ones the first
        (["val_psnr", "seconds"], [(30.0, 0.1), (33.0, 0.3), (32.0, 0.4)], 1),
        (["seconds", "val_psnr"], [(0.3, 33.0), (0.1, 30.0), (0.4, 32.0)], 1),
    ],
    ids=str,
)
def test_the_best_trial_is_kept_and_not_the_worst(objectives, found, best):
    assert kept(objectives, *(trial(number, *values) for number, values in enumerate(found))) == best


def test_a_trial_that_did_not_finish_is_never_kept():
    assert kept(["val_psnr"], trial(0, state="pruned"), trial(1, 20.0), trial(2, state="failed")) == 1
    with pytest.raises(SrexpError, match="no trial of the search tried finished"):
        kept(["val_psnr"], trial(0, state="pruned"))


@pytest.mark.parametrize("name", [trial_worker.WEIGHTS, trial_worker.COURSE])
def test_a_damaged_network_of_a_trial_is_taken_from_its_run_and_named_where_that_has_no_better(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    config = srexp.compose(["model=srcnn", "model.filters=[3,3]", "trainer.precision=float32"])
    task = SimpleNamespace(config=config, channels=1)
    network = float32_network(config, 1)
    run = SimpleNamespace(log_file=lambda *_: None)
    for folder in ("trial", "run"):
        (tmp_path / folder).mkdir()
        trial_worker.keep_network(run, network, Fitted(steps=7), tmp_path / folder)
    monkeypatch.setattr(finalize, "trial_folder", lambda *_: tmp_path / "trial")
    monkeypatch.setattr(finalize.groups, "fetch", lambda *_: tmp_path / "run")
    job = SimpleNamespace(config=config, tracking=SimpleNamespace(store=None))
    best = dataclasses.replace(trial(0, 30.0), facts={"run_id": "r"})

    def halve(path):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    halve(tmp_path / "trial" / name)
    model, fitted = finalize._taken(job, best, task)
    assert fitted.steps == 7
    assert all((one == other).all() for one, other in zip(model.get_weights(), network.get_weights(), strict=True))
    halve(tmp_path / "run" / name)
    with pytest.raises(DamagedError, match=f"{tmp_path / 'run' / name} can't be read: ") as refused:
        finalize._taken(job, best, task)
    assert "search.retrain=true" in refused.value.fix


def test_the_command_that_trains_by_the_preset_names_the_folder_that_the_search_was_composed_from():
    config = srexp.compose(["+sweeps=srcnn_tpe"], verb="search")
    assert finalize._again(config, "best_a") == "python -m srexp +experiment=best_a"
    mine = dataclasses.replace(config, beside="/data/my presets")
    assert finalize._again(mine, "best_a") == "python -m srexp '--config-dir=/data/my presets' +experiment=best_a"
