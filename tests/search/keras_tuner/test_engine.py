"""Keras Tuner's studies keep the same promises as Optuna's."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest
import yaml

from srexp.config import builders as config_build
from srexp.errors import RequestError, SrexpError
from srexp.search.keras_tuner.engine import KerasTuner
from srexp.search.keras_tuner.study import write_json
from srexp.search.study import MAX_RETRIES


def build(folder, space, **options):
    return KerasTuner(**{"folder": folder, "name": "tried", "space": space, "tuner": "random", **options})


def states(study):
    return [trial.state for trial in study.trials()]


def finite(space):
    return {**space, "optimizer.lr": {"type": "categorical", "choices": [1e-3, 1e-4]}}


@pytest.mark.parametrize("tuner", ["bayesian", "random", "hyperband"])
def test_every_tuner_finishes_exactly_the_asked_trials(tuner, tmp_path, space, briefly):
    build(tmp_path, space, tuner=tuner, trials=4, startup_trials=5).open(seed=0, epochs=9).work(briefly)
    study = build(tmp_path, space, tuner=tuner, trials=7, startup_trials=5).open(seed=0, epochs=9)
    study.work(briefly)

    found = study.trials()
    assert [(trial.number, trial.state) for trial in found] == [(number, "finished") for number in range(7)]
    for trial in found:
        assert ("model.depth" in trial.values) == (trial.values["model"] == "vdsr")
        assert trial.values.get("model.filters", [64, 32]) in ([64, 32], [128, 64])
        assert trial.facts["run_id"] == f"run{trial.number}"
        assert trial.objectives[0] == pytest.approx(trial.curve[max(trial.curve)] + 1 / max(trial.curve))
        assert trial.started <= trial.ended
    assert len({str(trial.values) for trial in found}) == 7 or tuner == "hyperband"
    assert {max(trial.curve) for trial in found} == ({1} if tuner == "hyperband" else {9})


def test_hyperband_trains_the_best_for_longer(tmp_path, space, briefly):
    study = build(tmp_path, space, tuner="hyperband", trials=14).open(seed=0, epochs=9)
    study.work(briefly)

    lengths = [max(trial.curve) for trial in study.trials()]
    assert set(lengths) >= {1, 3}
    longest = next(trial for trial in study.trials() if max(trial.curve) == 3)
    best = max((trial for trial in study.trials() if max(trial.curve) == 1), key=lambda trial: trial.objectives)
    assert longest.values == best.values


def test_a_grid_is_resumed_and_ends(tmp_path, space, briefly):
    space = {"optimizer.lr": finite(space)["optimizer.lr"], "model.depth": {"type": "int", "low": 8, "high": 9}}
    build(tmp_path, space, tuner="grid", trials=3).open(seed=0, epochs=1).work(briefly)
    study = build(tmp_path, space, tuner="grid", trials=9).open(seed=0, epochs=1)
    study.work(briefly)

    assert [tuple(trial.values.values()) for trial in study.trials()] == [(8, 1e-3), (8, 1e-4), (9, 1e-3), (9, 1e-4)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objectives": ["val_psnr", "seconds"]}, ["val_psnr alone", "search=optuna"]),
        ({"storage": "postgresql://host/db"}, ["in files"]),
        ({"tuner": "grid"}, ["search.space.optimizer.lr", "a grid needs steps"]),
        ({"space": {}}, ["search.space is empty"]),
    ],
)
def test_what_can_not_work_is_refused_before_anything_runs(options, words, tmp_path, space):
    with pytest.raises(RequestError) as refused:
        build(tmp_path, **{"space": space, **options})

    for word in words:
        assert word in str(refused.value)


def test_failures_are_recorded_and_the_search_goes_on(tmp_path, space):
    def train(attempt):
        if attempt.number == 0:
            raise ValueError("no such\nlayer")
        if attempt.number == 1:
            attempt.report(1, float("nan"))
        if attempt.number == 2:
            return [float("inf")]
        return [30.0]

    study = build(tmp_path, space, trials=2, max_failures=3).open(seed=0, epochs=2)
    study.work(train)

    assert states(study) == ["failed"] * 3 + ["finished"] * 2
    assert [trial.facts["reason"] for trial in study.trials()[:3]] == [
        "ValueError: no such",
        "SrexpError: val_psnr after epoch 1 is nan, no finite number",
        "SrexpError: val_psnr is inf, no finite number",
    ]


def test_too_many_failures_end_the_search_with_the_last_reason(tmp_path, space):
    def train(attempt):
        raise ValueError(f"fault {attempt.number}")

    study = build(tmp_path, space, trials=9, max_failures=3).open(seed=0, epochs=2)
    with pytest.raises(SrexpError, match=r"4 trials failed(.|\n)*fault 3"):
        study.work(train)
    assert states(study) == ["failed"] * 4


def test_ctrl_c_passes_through_and_its_trial_comes_again(tmp_path, space, briefly):
    def train(attempt):
        raise KeyboardInterrupt

    study = build(tmp_path, space, trials=1, max_failures=0).open(seed=0, epochs=2)
    for _ in range(MAX_RETRIES + 2):
        with pytest.raises(KeyboardInterrupt):
            study.work(train)
    study.work(briefly)

    found = study.trials()
    assert [trial.state for trial in found] == ["failed"] * (MAX_RETRIES + 2) + ["finished"]
    assert len({str(trial.values) for trial in found}) == 1


def test_a_trial_that_kills_its_worker_each_time_is_blamed_in_the_end(tmp_path, space, briefly):
    study = build(tmp_path, space, trials=1, max_failures=1).open(seed=0, epochs=2)

    def dies(attempt):
        study.retry(attempt.number, "out of memory")
        study.retry(attempt.number, "and again")
        if attempt.number == MAX_RETRIES:
            raise SystemExit
        return [30.0]

    with pytest.raises(SystemExit):
        study.work(dies)
    study.work(briefly)

    found = study.trials()
    assert [trial.state for trial in found] == ["failed"] * (MAX_RETRIES + 1) + ["finished"]
    assert len({str(trial.values) for trial in found[:-1]}) == 1
    assert found[0].facts["reason"] == "out of memory"
    assert "so were the 3 trials before" in found[MAX_RETRIES].facts["reason"]
    assert found[-1].values != found[0].values


def test_what_is_noted_of_the_study_is_there_next_time(tmp_path, space):
    build(tmp_path, space).open(seed=0, epochs=2).describe(fingerprint="abc")
    build(tmp_path, space).open(seed=0, epochs=2).describe(parent="run")

    assert build(tmp_path, space).open(seed=0, epochs=2).about() == {"fingerprint": "abc", "parent": "run"}


def test_a_file_that_is_no_json_is_named(tmp_path, space):
    study = build(tmp_path, space).open(seed=0, epochs=2)
    (study.project / "oracle.json").write_text("{")

    with pytest.raises(SrexpError, match=r"oracle\.json can't be read"):
        study.trials()


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})

    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}


# Several machines


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def chief(monkeypatch):
    """The environment of Keras Tuner's chief-worker mode; threads of one process play the machines."""
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(free_port()))
    return lambda name: monkeypatch.setenv("KERASTUNER_TUNER_ID", name)


def test_a_chief_gives_trials_to_another_machine(tmp_path, space, chief):
    chief("chief")
    kept = build(tmp_path / "chief", space, trials=5).open(seed=0, epochs=3)
    assert kept.search.role == "chief"
    serving = threading.Thread(target=kept.work, args=(None,))
    os.environ["KERASTUNER_TUNER_ID"] = "chief"
    serving.start()
    worker = build(tmp_path / "worker", space, trials=5).open(seed=0, epochs=3)
    seen = {}

    def train(attempt):
        if attempt.number == 1:
            raise ValueError("no such layer")
        seen[attempt.number] = dict(attempt.values)
        attempt.note(run_id=f"run{attempt.number}")
        attempt.report(1, 30.123456789)
        return [31.123456789 + attempt.number]

    from srexp.search.keras_tuner import tuner

    chief("tuner1")
    tuner.search(worker, train)
    serving.join(timeout=40)
    assert not serving.is_alive()

    found = kept.trials()
    assert [trial.state for trial in found] == ["finished", "failed"] + ["finished"] * 4
    assert found[1].facts["reason"] == "ValueError: no such layer"
    for trial in found[2:]:
        assert dict(trial.values) == seen[trial.number]
        assert trial.objectives == (31.123456789 + trial.number,)
        assert trial.curve == {1: 30.123456789}
        assert trial.facts["run_id"] == f"run{trial.number}"
        assert trial.facts["tuner"] == "tuner1"


def test_half_an_environment_is_refused(tmp_path, space, monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")

    with pytest.raises(RequestError, match="KERASTUNER_ORACLE_PORT and KERASTUNER_TUNER_ID"):
        build(tmp_path, space)


def test_the_yaml_file_has_the_builders_keys():
    keys = yaml.safe_load((Path(__file__).parents[3] / "conf/search/keras_tuner.yaml").read_text())
    built = KerasTuner.__dataclass_fields__

    assert set(keys) == {"_target_", *built} - {"folder"}
    for name, value in keys.items():
        if name not in ("_target_", "name", "space", "objectives"):
            assert built[name].default == value


def test_the_section_is_checked_against_the_builder(monkeypatch):
    monkeypatch.setitem(config_build.RUNTIME, "search", frozenset({"folder"}))
    keys = yaml.safe_load((Path(__file__).parents[3] / "conf/search/keras_tuner.yaml").read_text())

    assert config_build.check_section("search", keys, ()).options["objectives"] == ["val_psnr"]
    with pytest.raises(RequestError, match=r"search\.trials=0"):
        config_build.check_section("search", {**keys, "trials": 0}, ())
    with pytest.raises(RequestError, match=r"search\.tuner"):
        config_build.check_section("search", {**keys, "tuner": "unknown"}, ())
