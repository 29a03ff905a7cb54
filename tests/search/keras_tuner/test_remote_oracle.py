"""What Keras Tuner's chief answers, and when it leaves."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest
from keras_tuner.engine.hyperparameters import HyperParameters
from keras_tuner.engine.trial import Trial, TrialStatus

from srexp.errors import SrexpError
from srexp.search.ask_and_tell import TrialOutcome
from srexp.search.keras_tuner import remote_oracle
from srexp.search.keras_tuner.engine import KerasTuner
from srexp.search.keras_tuner.study import TunerTrial


@pytest.fixture
def study(tmp_path, space):
    search = KerasTuner(folder=tmp_path, name="tried", space=space, tuner="random", trials=2, max_failures=0)
    return search.open(seed=0, epochs=3)


@pytest.fixture
def chief(study):
    return remote_oracle._Chief(study)


def test_a_chief_gives_trials_then_lets_wait_then_dismisses(study, chief):
    given = [chief.create_trial(name) for name in ("a", "b", "c")]
    assert [trial.status for trial in given] == [TrialStatus.RUNNING, TrialStatus.RUNNING, TrialStatus.IDLE]
    assert [trial.trial_id for trial in given] == ["0", "1", ""]
    assert remote_oracle._content(given[1]) == {"values": dict(study.trials()[1].values), "epochs": None}
    assert chief.dismissed == set()
    for number in (0, 1):
        assert not remote_oracle._is_over(study, {"a"})
        record = {"facts": {"run_id": f"run{number}"}, "curve": {"1": 0.1 + 0.2}}
        outcome = {"state": "finished", "objectives": [30.1], "reason": None}
        chief.end_trial(remote_oracle._message(str(number), TrialStatus.RUNNING, record=record, outcome=outcome))
    assert [(trial.curve, trial.objectives) for trial in study.trials()] == [({1: 0.1 + 0.2}, (30.1,))] * 2
    assert [trial.facts["run_id"] for trial in study.trials()] == ["run0", "run1"]
    assert chief.create_trial("a").status == TrialStatus.STOPPED
    assert chief.dismissed == {"a"}
    assert remote_oracle._is_over(study, set())


def test_too_many_failures_end_a_search_for_workers_and_chief(study, chief):
    chief.create_trial("a")
    study.end(0, TrialOutcome("failed", reason="no memory"))
    assert chief.create_trial("a").status == TrialStatus.STOPPED
    assert chief.dismissed == {"a"}
    with pytest.raises(SrexpError, match="1 trials failed"):
        remote_oracle._is_over(study, {"a"})


def test_a_search_is_over_once_enough_trials_finished_or_a_worker_was_sent_away(study, chief):
    assert not remote_oracle._is_over(study, set())
    assert remote_oracle._is_over(study, {"a"})  # whose grid may have had no more values
    chief.create_trial("a")
    study.end(0, TrialOutcome("finished", [30.0]))
    assert not remote_oracle._is_over(study, set())


def test_a_sign_of_life_reaches_the_study(study, chief):
    chief.create_trial("a")
    study._heard.clear()
    answer = chief.get_trial("0")
    assert (answer.trial_id, answer.status) == ("0", TrialStatus.RUNNING)
    assert set(study._heard) == {0}


@pytest.fixture
def worker(monkeypatch):
    """A worker whose chief is in this process and gives what the test says."""
    sent, answers = [], []
    client = SimpleNamespace(
        tuner_id="a",
        create_trial=lambda tuner_id: sent.append(tuner_id) or answers.pop(0),
        get_trial=sent.append,
        end_trial=sent.append,
    )
    monkeypatch.setattr(remote_oracle, "OracleClient", lambda oracle: client)
    return SimpleNamespace(oracle=remote_oracle.RemoteOracle(), sent=sent, answers=answers)


def test_a_worker_waits_trains_and_leaves_as_its_chief_says(worker):
    worker.answers += [Trial(HyperParameters(), "", status) for status in (TrialStatus.IDLE, TrialStatus.STOPPED)]
    worker.answers.append(remote_oracle._message("7", TrialStatus.RUNNING, values={"a": 1}, epochs=3))
    assert [worker.oracle.ask(), worker.oracle.ask()] == ["wait", "over"]
    trial = worker.oracle.ask()
    assert (trial.number, trial.values, trial.epochs) == (7, {"a": 1}, 3)
    assert worker.sent == ["a", "a", "a"]
    trial.note(run_id="abc")
    trial.report(2, 30.5)
    worker.oracle.tell(trial, TrialOutcome("failed", reason="no memory"))
    ended = worker.sent[-1]
    assert (ended.trial_id, ended.status) == ("7", TrialStatus.RUNNING)
    assert remote_oracle._content(ended) == {
        "record": {"facts": {"host": socket.gethostname(), "run_id": "abc"}, "curve": {"2": 30.5}},
        "outcome": {"state": "failed", "objectives": None, "reason": "no memory"},
    }


def test_a_worker_says_that_it_lives_of_its_own_trial(worker, monkeypatch):
    monkeypatch.setattr(remote_oracle, "heartbeat", lambda beat: beat)
    worker.oracle.signs_of_life(TunerTrial(number=12, values={}, record={}))()
    assert worker.sent == ["12"]


@pytest.fixture
def serving(study, monkeypatch):
    """A chief without a network, whose clock goes on by what it sleeps."""
    now, server = [100.0], SimpleNamespace(ended=[], address=[])
    server.add_insecure_port = server.address.append
    server.start = lambda: None
    server.stop = lambda grace: server.ended.append(grace) or SimpleNamespace(wait=lambda: None)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "7")
    monkeypatch.setattr(remote_oracle.grpc, "server", lambda pool: server)
    monkeypatch.setattr(remote_oracle.protos.get_service_grpc(), "add_OracleServicer_to_server", lambda *_: None)

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr(remote_oracle, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    server.now = now
    return server


@pytest.mark.parametrize(("told", "stays"), [(("a", "b"), 0), (("a",), 30), ((), 30)])
def test_a_chief_waits_half_a_minute_for_workers_that_do_not_know_yet(study, serving, monkeypatch, told, stays):
    chief = remote_oracle._Chief(study)
    monkeypatch.setattr(remote_oracle, "_Chief", lambda _: chief)
    for number, name in enumerate(("a", "b")):
        chief.create_trial(name)
        study.end(number, TrialOutcome("finished", [30.0]))
    chief.dismissed.update(told)
    remote_oracle.serve(study)
    assert serving.now[0] - 100 == stays
    assert (serving.address, serving.ended) == (["127.0.0.1:7"], [1.0])


def test_a_chief_without_its_address_says_so_and_one_that_fails_stops_its_server(study, serving, monkeypatch):
    study.ask()
    study.end(0, TrialOutcome("failed", reason="no memory"))
    with pytest.raises(SrexpError, match="1 trials failed"):
        remote_oracle.serve(study)
    assert serving.ended == [1.0]

    def taken(address):
        raise RuntimeError("in use")

    monkeypatch.setattr(serving, "add_insecure_port", taken)
    with pytest.raises(SrexpError, match=r"chief can't listen on 127\.0\.0\.1:7") as refused:
        remote_oracle.serve(study)
    assert refused.value.fix == "another KERASTUNER_ORACLE_PORT"
