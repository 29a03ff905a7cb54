"""What a search may rely on, whichever engine chooses its values: one contract, held against both."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import yaml

from srexp.config import builders as config_build
from srexp.errors import RequestError, SrexpError
from srexp.search.ask_and_tell import Pruned, TrialOutcome
from srexp.search.study import MAX_RETRIES
from srexp.system.process_identity import facts_of
from tests.search.engines import LR, different, states

CHOICES = [
    *(("optuna", {"sampler": sampler, "pruner": "halving"}) for sampler in ("tpe", "nsga2", "qmc", "random")),
    *(("optuna", {"sampler": "tpe", "pruner": pruner}) for pruner in ("hyperband", "median", "wilcoxon", "none")),
    *(("keras_tuner", {"tuner": tuner}) for tuner in ("random", "hyperband")),
    ("keras_tuner", {"tuner": "bayesian", "startup_trials": 11}),
]


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("engine", "options"),
    # A Gaussian process takes seconds.
    [pytest.param(*each, marks=pytest.mark.slow if "startup_trials" in each[1] else []) for each in CHOICES],
    indirect=["engine"],
    ids=["-".join([name, *map(str, said.values())]) for name, said in CHOICES],
)
def test_every_choice_of_an_engine_ends_with_exactly_the_asked_trials(engine, options, briefly):
    engine.opened(trials=5, seed=1, epochs=9, **{"startup_trials": 3, **options}).work(briefly)
    study = engine.opened(trials=12, seed=1, epochs=9, **{"startup_trials": 3, **options})
    study.work(briefly)

    found = study.trials()
    assert [trial.number for trial in found] == list(range(12))
    prunes = options.get("pruner", "none")
    assert set(states(study)) <= {"finished", "pruned"}
    assert ("pruned" in states(study)) == (prunes != "none") or prunes == "median"
    for trial in found:
        assert ("model.depth" in trial.values) == (trial.values["model"] == "vdsr")
        assert ("model.filters" in trial.values) == (trial.values["model"] == "srcnn")
        assert trial.values.get("model.filters", [64, 32]) in ([64, 32], [128, 64])
        assert trial.facts["run_id"] == f"run{trial.number}"
        assert trial.curve[1] == pytest.approx(trial.curve[max(trial.curve)] - 1 + 1 / max(trial.curve))
        assert trial.started <= trial.ended
    for trial in (trial for trial in found if trial.state == "finished"):
        assert trial.objectives[0] == pytest.approx(trial.curve[max(trial.curve)] + 1 / max(trial.curve))
        assert "reason" not in trial.facts
        assert max(trial.curve) == 9 or options.get("tuner") == "hyperband"
    assert different(found) == 12 or options in ({"tuner": "hyperband"}, {"sampler": "nsga2", "pruner": "halving"})


@pytest.mark.parametrize("number", [{"type": "int", "low": 12, "high": 12}, {"type": "float", "low": 0.5, "high": 0.5}])
def test_a_number_that_leaves_no_choice_has_its_value(engine, number):
    space = {"optimizer.lr": LR, "model.depth": number}
    assert engine.opened(space=space).ask().values["model.depth"] == number["low"]


def test_a_grid_tries_each_combination_once_goes_on_and_ends(engine, briefly):
    engine.opened(trials=3, **engine.grid).work(briefly)
    study = engine.opened(trials=20, **engine.grid)
    study.work(briefly)

    tried = [(trial.values["model.depth"], trial.values["optimizer.lr"]) for trial in study.trials()]
    assert tried == [(8, 1e-3), (8, 1e-4), (12, 1e-3), (12, 1e-4)]
    assert states(study) == ["finished"] * 4


# Trials that fail


def test_failures_are_recorded_and_the_search_goes_on(engine):
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

    study = engine.opened(trials=3, max_failures=4)
    study.work(train)

    assert states(study) == ["failed"] * 4 + ["finished"] * 3
    assert [trial.facts["reason"] for trial in study.trials()[:4]] == [
        "ValueError: no such",
        "SrexpError: val_psnr after epoch 1 is nan, no finite number",
        "SrexpError: val_psnr is inf, no finite number",
        "MemoryError",
    ]
    assert all(trial.started <= trial.ended for trial in study.trials())


def test_too_many_failures_end_the_search_with_the_last_reason(engine):
    def train(attempt):
        raise ValueError(f"fault {attempt.number}")

    study = engine.opened(trials=9, max_failures=2)
    with pytest.raises(SrexpError, match=r"3 trials failed(.|\n)*fault 2(.|\n)*search.max_failures=3"):
        study.work(train)
    assert states(study) == ["failed"] * 3


def test_a_trial_that_is_given_up_says_why(engine):
    def train(attempt):
        if attempt.number == 0:
            raise Pruned("too slow")
        return [30.0]

    study = engine.opened(trials=2)
    study.work(train)

    assert study.trials()[0].state in ("pruned", "failed")
    assert study.trials()[0].facts["reason"] == "too slow"
    assert study.trials()[-1].state == "finished"


def test_ctrl_c_passes_through_and_its_trial_comes_again(engine, briefly):
    def train(attempt):
        raise KeyboardInterrupt

    study = engine.opened(trials=2, max_failures=0)
    for _ in range(MAX_RETRIES + 2):  # it isn't the trial's fault, however often
        with pytest.raises(KeyboardInterrupt):
            study.work(train)
    study.work(briefly)

    found = study.trials()
    assert [trial.state for trial in found] == ["failed"] * (MAX_RETRIES + 2) + ["finished"] * 2
    assert different(found[:-1]) == 1
    assert found[0].facts["reason"].startswith("interrupted: KeyboardInterrupt")
    assert found[1].facts["retry_of"] == 0


# Workers that die


def test_a_trial_that_kills_its_worker_each_time_is_blamed_in_the_end(engine, briefly):
    study = engine.opened(trials=2, max_failures=1)
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
    assert different(found[: MAX_RETRIES + 1]) == 1
    assert found[0].facts["reason"] == "out of memory"
    assert "so were the 3 trials before" in found[MAX_RETRIES].facts["reason"]
    assert found[-1].values != found[0].values


GONE = {"process_start": 1.0, "process_since_boot": -100.0}


@pytest.mark.parametrize("owner", [GONE, {"pid": None}], ids=["gone", "killed while drawing"])
def test_the_values_of_a_dead_worker_go_to_the_next_one(engine, owner):
    dead = {name: fact for name, fact in {**facts_of(), **owner}.items() if fact is not None}
    study = engine.opened(trials=3)
    lost = study.ask(dead)
    assert states(study) == ["running"]

    again = engine.opened(trials=3).ask()
    found = study.trials()
    assert [trial.state for trial in found] == ["failed", "running"]
    assert found[0].facts["reason"] == "its worker was killed"
    assert found[1].facts["retry_of"] == 0
    assert found[1].facts["pid"] == os.getpid()
    assert again.values == lost.values


def test_who_comes_late_with_a_trial_that_another_has_changes_nothing(engine):
    study = engine.opened(trials=3)
    late = study.ask()
    study.retry(late.number, "its worker seemed dead")
    study.tell(late, TrialOutcome("finished", [99.0]))

    assert states(study)[0] == "failed"
    assert study.trials()[0].facts["reason"] == "its worker seemed dead"


def test_no_more_trials_run_at_once_than_are_wanted(engine):
    study = engine.opened(trials=2)
    first, second = study.ask(), study.ask()
    assert (first.number, second.number, study.ask()) == (0, 1, "wait")

    study.tell(first, TrialOutcome("failed", reason="no memory"))
    third = study.ask()
    study.tell(second, TrialOutcome("finished", [30.0]))
    assert study.ask() == "wait"
    study.tell(third, TrialOutcome("finished", [31.0]))
    assert study.ask() == "over"


def test_two_workers_share_a_study(engine, briefly):
    errors = []

    def work():
        try:
            engine.opened(trials=15, epochs=3).work(briefly)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = engine.opened(epochs=3).trials()
    assert errors == []
    assert [trial.state for trial in found] == ["finished"] * 15
    assert different(found) == 15


# What is kept


def test_what_is_noted_of_a_trial_is_there_for_others_at_once(engine):
    seen = []

    def train(attempt):
        attempt.note(run_id="abc")
        attempt.report(1, 30.0)
        seen.extend(engine.opened().trials())
        return [30.0]

    engine.opened(trials=1).work(train)

    (running,) = seen
    assert (running.state, running.curve, running.objectives) == ("running", {1: 30.0}, None)
    assert running.facts["run_id"] == "abc"
    assert running.facts["pid"] == os.getpid()
    assert running.started is not None
    assert running.ended is None


def test_what_is_noted_of_the_study_is_there_next_time(engine):
    assert engine.opened().about() == {}
    engine.opened().describe(fingerprint="abc", space={"a": [1, None]})
    engine.opened().describe(parent="run")

    assert engine.opened().about() == {"fingerprint": "abc", "space": {"a": [1, None]}, "parent": "run"}


def test_a_stale_lock_file_holds_nobody_up(engine, tmp_path, briefly):
    for name in ("optuna.log.lock", "study.lock", "parent.lock"):
        (tmp_path / name).touch()
    study = engine.opened(trials=1)
    with study.alone():
        study.work(briefly)

    assert states(study) == ["finished"]


# What is asked for


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objectives": []}, ["search.objectives"]),
        ({"objectives": ["val_psnr", "val_psnr"]}, ["search.objectives"]),
        ({"name": ""}, ["search.name is empty"]),
        ({"space": {}}, ["search.space is empty"]),
        ({"space": {"optimizer.lr": {**LR, "high": 0}}}, ["search.space.optimizer.lr", "above high"]),
        ({"grid": True}, ["search.space.optimizer.lr", "a grid needs steps"]),
    ],
    ids=str,
)
def test_what_can_not_work_is_refused_before_anything_runs(engine, options, words, tmp_path):
    options = {engine.chooser: "grid"} if "grid" in options else options
    with pytest.raises(RequestError) as refused:
        engine(**options)

    for word in words:
        assert word in str(refused.value)
    assert not list(tmp_path.iterdir())


def keys_of(engine):
    return yaml.safe_load((Path(__file__).parents[2] / f"conf/search/{engine.conf}.yaml").read_text())


def test_the_yaml_file_has_the_builders_keys(engine):
    keys, built = keys_of(engine), engine.kind.__dataclass_fields__

    assert set(keys) == {"_target_", *built} - {"folder"}
    for name, value in keys.items():
        if name not in ("_target_", "name", "space", "objectives"):
            assert built[name].default == value


def test_the_section_is_checked_against_the_builder(engine, monkeypatch):
    monkeypatch.setitem(config_build.RUNTIME, "search", frozenset({"folder"}))
    keys = keys_of(engine)

    assert config_build.check_section("search", keys, ()).options["objectives"] == ["val_psnr"]
    with pytest.raises(RequestError, match=r"search\.trials=0"):
        config_build.check_section("search", {**keys, "trials": 0}, ())
    with pytest.raises(RequestError, match=rf"search\.{engine.chooser}"):
        config_build.check_section("search", {**keys, engine.chooser: "unknown"}, ())
