"""Optuna's studies keep what they promise: exact numbers, recorded failures, one choice for each trial."""

from __future__ import annotations

import builtins
import logging
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from srexp.config import builders as config_build
from srexp.errors import RequestError, SrexpError
from srexp.search.optuna import engine
from srexp.search.optuna.engine import Optuna
from srexp.search.study import MAX_RETRIES


def build(folder, space, **options):
    return Optuna(folder=folder, name="tried", space=space, **options)


def states(study):
    return [trial.state for trial in study.trials()]


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        *((sampler, "halving") for sampler in ("tpe", "cma_es", "nsga2", "qmc", "random")),
        *(("tpe", pruner) for pruner in ("hyperband", "median", "wilcoxon", "none")),
    ],
)
def test_every_sampler_and_every_pruner_runs(sampler, pruner, tmp_path, space, briefly):
    if sampler == "cma_es" and find_spec("cmaes") is None:
        with pytest.raises(RequestError, match=r"srexp\[cmaes\]"):
            build(tmp_path, space, sampler=sampler)
        return
    study = build(tmp_path, space, sampler=sampler, pruner=pruner, trials=12, startup_trials=3).open(seed=1, epochs=9)
    study.work(briefly)

    assert len(states(study)) == 12
    assert set(states(study)) <= {"finished", "pruned"}
    assert ("pruned" in states(study)) or pruner in ("none", "median")
    for trial in study.trials():
        assert ("model.depth" in trial.values) == (trial.values["model"] == "vdsr")
        assert ("model.filters" in trial.values) == (trial.values["model"] == "srcnn")
        assert trial.facts["run_id"] == f"run{trial.number}"
        assert trial.curve[1] == pytest.approx(trial.curve[max(trial.curve)] - 1 + 1 / max(trial.curve))
        assert trial.started <= trial.ended


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_several_objectives_give_a_front_and_keep_curves(sampler, tmp_path, space):
    def train(attempt):
        attempt.report(1, 30.0)
        attempt.report(2, 31.0)
        return [31.0, attempt.values.get("model.depth", 1) / 10]

    options = {"objectives": ["val_psnr", "seconds"], "pruner": "none", "trials": 14, "startup_trials": 4}
    study = build(tmp_path, space, sampler=sampler, **options).open(seed=0, epochs=2)
    study.work(train)

    assert states(study) == ["finished"] * 14
    assert all(trial.curve == {1: 30.0, 2: 31.0} and len(trial.objectives) == 2 for trial in study.trials())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objectives": ["val_psnr", "seconds"]}, ["search.pruner=halving", "search.pruner=none"]),
        ({"objectives": ["val_psnr", "seconds"], "pruner": "none", "sampler": "cma_es"}, ["one objective", "nsga2"]),
        ({"objectives": ["seconds"]}, ["judges by val_psnr"]),
        ({"objectives": []}, ["search.objectives"]),
        ({"objectives": ["val_psnr", "val_psnr"]}, ["search.objectives"]),
        ({"sampler": "grid"}, ["search.space.optimizer.lr", "a grid needs steps"]),
        ({"name": ""}, ["search.name is empty"]),
        ({"storage": "nonsense"}, ["search.storage is not the URL"]),
        ({"storage": "sqlite:///a.db"}, ["unknown database"]),
    ],
)
def test_what_can_not_work_is_refused_before_anything_runs(options, words, tmp_path, space):
    with pytest.raises(RequestError) as refused:
        Optuna(**{"folder": tmp_path, "name": "tried", "space": space, **options})

    for word in words:
        assert word in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("sampler", "package"), [("gp", "torch"), ("cma_es", "cmaes")])
def test_a_missing_package_is_named_with_its_extra(sampler, package, tmp_path, space, monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: None if name == package else find_spec(name))

    with pytest.raises(RequestError, match=rf'needs {package}(.|\n)*pip install "srexp\[\w+\]"'):
        build(tmp_path, space, sampler=sampler)


def test_cma_needs_two_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: builtins)

    with pytest.raises(RequestError, match="at least two numbers"):
        build(tmp_path, {"a": {"type": "int", "low": 1, "high": 3}}, sampler="cma_es")


def test_a_grid_tries_each_combination_once_and_ends(tmp_path, briefly):
    space = {
        "optimizer.lr": {"type": "categorical", "choices": [1e-3, 1e-4]},
        "model.depth": {"type": "int", "low": 8, "high": 12, "step": 4},
    }
    options = {"sampler": "grid", "pruner": "none"}
    build(tmp_path, space, trials=3, **options).open(seed=0, epochs=2).work(briefly)
    study = build(tmp_path, space, trials=20, **options).open(seed=0, epochs=2)
    study.work(briefly)

    assert sorted((trial.values["optimizer.lr"], trial.values["model.depth"]) for trial in study.trials()) == [
        (1e-4, 8), (1e-4, 12), (1e-3, 8), (1e-3, 12),
    ]  # fmt: skip


def test_a_search_that_goes_on_draws_what_it_would_have_drawn(tmp_path, space, briefly):
    whole = build(tmp_path / "whole", space, trials=14, startup_trials=4).open(seed=3, epochs=4)
    whole.work(briefly)
    for reached in (2, 5, 9, 14):
        parts = build(tmp_path / "parts", space, trials=reached, startup_trials=4).open(seed=3, epochs=4)
        parts.work(briefly)

    assert [trial.values for trial in parts.trials()] == [trial.values for trial in whole.trials()]
    assert len({str(trial.values) for trial in whole.trials()}) == 14


def test_failures_are_recorded_and_the_search_goes_on(tmp_path, space):
    def train(attempt):
        if attempt.number == 0:
            raise ValueError("no such\nlayer")
        if attempt.number == 1:
            attempt.report(1, float("nan"))
        if attempt.number == 2:
            return [float("inf")]
        if attempt.number == 3:
            raise MemoryError
        return [30.0]

    study = build(tmp_path, space, trials=3).open(seed=0, epochs=2)
    study.work(train)

    assert states(study) == ["failed"] * 4 + ["finished"] * 3
    assert [trial.facts["reason"] for trial in study.trials()[:4]] == [
        "ValueError: no such",
        "SrexpError: val_psnr after epoch 1 is nan, no finite number",
        "SrexpError: val_psnr is inf, no finite number",
        "MemoryError",
    ]


def test_too_many_failures_end_the_search_with_the_last_reason(tmp_path, space):
    def train(attempt):
        raise ValueError(f"fault {attempt.number}")

    study = build(tmp_path, space, trials=9, max_failures=2).open(seed=0, epochs=2)
    with pytest.raises(SrexpError, match=r"3 trials failed(.|\n)*fault 2(.|\n)*search.max_failures=3"):
        study.work(train)
    assert states(study) == ["failed"] * 3


def test_ctrl_c_passes_through_and_its_trial_comes_again(tmp_path, space, briefly):
    def train(attempt):
        raise KeyboardInterrupt

    study = build(tmp_path, space, trials=2, pruner="none").open(seed=0, epochs=2)
    for _ in range(MAX_RETRIES + 2):  # it isn't the trial's fault, however often
        with pytest.raises(KeyboardInterrupt):
            study.work(train)
    study.work(briefly)

    found = study.trials()
    assert [trial.state for trial in found] == ["failed"] * (MAX_RETRIES + 2) + ["finished"] * 2
    assert len({str(trial.values) for trial in found[:-1]}) == 1
    assert found[1].facts["retry_of"] == 0


def test_a_trial_that_kills_its_worker_each_time_is_blamed_in_the_end(tmp_path, space, briefly):
    study = build(tmp_path, space, trials=2, max_failures=1, pruner="none").open(seed=0, epochs=2)
    tried = []

    def dies(attempt):
        tried.append(attempt.number)
        study.retry(attempt.number, "out of memory")
        study.retry(attempt.number, "and again")
        if len(tried) > MAX_RETRIES:
            raise SystemExit
        return [30.0]

    with pytest.raises(SystemExit):
        study.work(dies)
    study.work(briefly)

    found = study.trials()
    assert [trial.state for trial in found] == ["failed"] * (MAX_RETRIES + 1) + ["finished"] * 2
    assert len({str(trial.values) for trial in found[: MAX_RETRIES + 1]}) == 1
    assert found[0].facts["reason"] == "out of memory"
    assert "so were the 3 trials before" in found[MAX_RETRIES].facts["reason"]
    assert found[-1].values != found[0].values


def test_what_is_noted_of_the_study_is_there_next_time(tmp_path, space):
    build(tmp_path, space).open(seed=0, epochs=2).describe(fingerprint="abc", space={"a": [1, None]})

    assert build(tmp_path, space).open(seed=0, epochs=2).about() == {"fingerprint": "abc", "space": {"a": [1, None]}}


def test_two_workers_share_a_study(tmp_path, space, briefly):
    errors = []

    def work():
        try:
            build(tmp_path, space, trials=15, pruner="none").open(seed=0, epochs=3).work(briefly)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = build(tmp_path, space).open(seed=0, epochs=3).trials()
    assert errors == []
    assert [trial.state for trial in found] == ["finished"] * 15
    assert len({str(trial.values) for trial in found}) == 15


@pytest.mark.parametrize("torn", [b'{"op_code":8,"work', b"\0" * 40])
def test_a_journal_that_was_cut_off_is_mended(torn, tmp_path, space, briefly, caplog):
    study = build(tmp_path, space, trials=3, pruner="none").open(seed=0, epochs=2)
    study.work(briefly)
    before = study.trials()
    with (tmp_path / "optuna.log").open("ab") as journal:
        journal.write(torn)

    with caplog.at_level(logging.WARNING):
        study = build(tmp_path, space, trials=5, pruner="none").open(seed=0, epochs=2)
    assert f"cut off {len(torn)} bytes" in caplog.text
    assert study.trials() == before
    study.work(briefly)
    assert states(build(tmp_path, space).open(seed=0, epochs=2)) == ["finished"] * 5


def test_a_line_torn_by_another_worker_does_not_stop_this_one(tmp_path, space, briefly):
    study = build(tmp_path, space, trials=4, pruner="none").open(seed=0, epochs=2)

    def train(attempt):
        with (tmp_path / "optuna.log").open("ab") as journal:
            journal.write(b'{"op')
        return briefly(attempt)

    study.work(train)
    assert states(build(tmp_path, space).open(seed=0, epochs=2)) == ["finished"] * 4


def test_a_stale_lock_file_holds_nobody_up(tmp_path, space, briefly):
    for name in ("optuna.log.lock", "study.lock"):
        (tmp_path / name).touch()
    study = build(tmp_path, space, trials=1).open(seed=0, epochs=2)
    study.work(briefly)

    assert states(study) == ["finished"]


def test_the_yaml_file_has_the_builders_keys():
    keys = yaml.safe_load((Path(__file__).parents[3] / "conf/search/optuna.yaml").read_text())
    built = Optuna.__dataclass_fields__

    assert set(keys) == {"_target_", *built} - {"folder"}
    for name, value in keys.items():
        if name not in ("_target_", "name", "space", "objectives"):
            assert built[name].default == value


def test_the_section_is_checked_against_the_builder(monkeypatch):
    monkeypatch.setitem(config_build.RUNTIME, "search", frozenset({"folder"}))
    keys = yaml.safe_load((Path(__file__).parents[3] / "conf/search/optuna.yaml").read_text())

    assert config_build.check_section("search", keys, ()).options["objectives"] == ["val_psnr"]
    with pytest.raises(RequestError, match=r"search\.trials=0"):
        config_build.check_section("search", {**keys, "trials": 0}, ())
    with pytest.raises(RequestError, match=r"search\.sampler"):
        config_build.check_section("search", {**keys, "sampler": "unknown"}, ())


def test_trials_that_died_do_not_have_all_others_pruned(tmp_path, space):
    study = build(tmp_path, space, pruner="halving", trials=4, max_failures=9).open(seed=0, epochs=9)

    def train(attempt):
        best = attempt.number < 2
        for epoch in range(1, 10):
            attempt.report(epoch, 40.0 if best else 30.0)
        if best:
            raise MemoryError
        return [30.0]

    study.work(train)
    assert states(study).count("failed") == 2
    assert "finished" in states(study)
