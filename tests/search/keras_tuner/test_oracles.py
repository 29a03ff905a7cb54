"""What our oracles do otherwise than Keras Tuner's."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace

import keras_tuner
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from srexp.search.keras_tuner import oracles
from srexp.search.keras_tuner.engine import KerasTuner


@pytest.fixture
def build(tmp_path, space):
    def build(tuner, **options):
        search = KerasTuner(folder=tmp_path, name="tried", tuner=tuner, **{"space": space, **options})
        (tmp_path / "keras_tuner").mkdir(exist_ok=True)
        return search.build_oracle(0, 9)

    return build


@pytest.fixture
def kept(tmp_path):
    return lambda: json.loads((tmp_path / "keras_tuner" / "oracle.json").read_text())


def test_a_trial_is_recorded_before_it_is_there_for_others_and_leaves_when_it_ends(build, kept, tmp_path):
    oracle, begun = build("random"), []
    oracle.save = lambda save=oracle.save: (begun.append("saved"), save())
    trial = oracle.start("a", lambda *given: begun.append((*given, kept()["start_order"])))
    recorded = begun.index(("0000", {}, []))
    assert "saved" in begun[recorded:]
    assert (kept()["start_order"], kept()["ongoing_trials"], kept()["queued"]) == (["0000"], {"a": "0000"}, [])
    assert trial.trial_id == "0000"
    oracle.finish("0000", 30.5)
    assert (kept()["end_order"], kept()["ongoing_trials"]) == (["0000"], {})
    ended = json.loads((tmp_path / "keras_tuner" / "trial_0000" / "trial.json").read_text())
    assert (ended["status"], ended["score"]) == ("COMPLETED", 30.5)


def test_what_another_process_did_is_seen_and_its_trials_are_not_run_again(build, kept):
    first, second = build("random"), build("random")
    for oracle, name in ((first, "a"), (second, "b"), (first, "c")):
        oracle.start(name, lambda *_: None)
    assert kept()["ongoing_trials"] == {"a": "0000", "b": "0001", "c": "0002"}
    assert list(first.trials) == kept()["start_order"] == ["0000", "0001", "0002"]
    second.finish("0000", 30.0)
    first.start("d", lambda *_: None)
    assert kept()["ongoing_trials"] == {"b": "0001", "c": "0002", "d": "0003"}


def test_values_that_were_given_back_come_first_and_once(build, kept, tmp_path):
    oracle, told = build("random"), []
    lost = oracle.start("a", lambda *_: None)
    waiting = {"retry_of": 0, "deaths": 1, "values": dict(lost.hyperparameters.values)}
    (tmp_path / "keras_tuner" / "oracle.json").write_text(json.dumps({**kept(), "queued": [waiting]}))
    again, other = (oracle.start(name, lambda *given: told.append(given)) for name in "bc")
    assert told == [("0001", {"retry_of": 0, "deaths": 1}), ("0002", {})]
    assert again.hyperparameters.values == lost.hyperparameters.values != other.hyperparameters.values
    assert kept()["queued"] == []


def test_a_grid_ends_with_its_combinations(build, kept):
    oracle = build("grid", space={"n": {"type": "int", "low": 1, "high": 2}})
    drawn = [oracle.start(name, lambda *_: None) for name in "abc"]
    assert [trial and trial.hyperparameters.values for trial in drawn] == [{"n": 1}, {"n": 2}, None]
    assert kept()["start_order"] == ["0000", "0001"]


def test_a_trial_of_hyperband_stands_where_the_one_stood_that_it_replaces(build):
    oracle = build("hyperband")
    oracle._brackets = [
        {"rounds": [[{"id": "0001"}, {"id": "0002"}], [{"id": "0001"}]]},
        {"rounds": [[{"id": "0003"}]]},
    ]
    oracle._replace("0001", "0007")
    assert oracle._brackets == [
        {"rounds": [[{"id": "0007"}, {"id": "0002"}], [{"id": "0007"}]]},
        {"rounds": [[{"id": "0003"}]]},
    ]


@pytest.mark.parametrize(
    "case",
    [(2, 1, 1, False), (2, 2, 1, True), (2, 3, 0, False), (None, 5, 1, False), (None, 6, 1, True)],
)
def test_a_gaussian_process_knows_all_that_finished_before_it_guesses_what_runs(build, monkeypatch, case):
    startup, finished, running, fitted = case
    plain = {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "ab"}
    oracle, fits = build("bayesian", startup_trials=startup, space=plain), []
    states = ["COMPLETED"] * finished + ["RUNNING"] * running + ["INVALID"]
    trials = {f"{number:04}": SimpleNamespace(status=state) for number, state in enumerate(states)}
    ongoing = {"me": "0000"} if running else {}
    oracle.trials, oracle.ongoing_trials, oracle.queued = trials, ongoing, []
    monkeypatch.setattr(oracle, "_vectorize_trials", lambda: (list(oracle.trials), dict(oracle.ongoing_trials)))
    monkeypatch.setattr(oracle, "gpr", SimpleNamespace(fit=lambda *given: fits.append(given)))
    drawn = {"status": "RUNNING", "values": {}}
    monkeypatch.setattr(keras_tuner.oracles.BayesianOptimizationOracle, "populate_space", lambda *_: drawn)
    assert oracle.populate_space("0007") is drawn
    assert fits == ([([f"{number:04}" for number in range(finished)], {})] if fitted else [])
    assert (oracle.trials, oracle.ongoing_trials) == (trials, ongoing)
    assert oracle._random_state.random() == np.random.RandomState(oracle.seed + 7).random()


def test_only_what_keras_tuner_can_not_help_is_left_out():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with oracles.quiet():
            warnings.warn("currentThread() is deprecated, use current_thread()", DeprecationWarning, stacklevel=1)
            warnings.warn("getName() is deprecated, get the name", DeprecationWarning, stacklevel=1)
            warnings.warn("lbfgs failed to converge", ConvergenceWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning), oracles.quiet():
            warnings.warn("another is deprecated", DeprecationWarning, stacklevel=1)
        with pytest.raises(UserWarning), oracles.quiet():
            warnings.warn("getName() is deprecated", UserWarning, stacklevel=1)
