"""What only Keras Tuner does: train the best for longer, keep files, and answer several machines as a chief."""

from __future__ import annotations

import json
import socket
import threading
from types import SimpleNamespace

import grpc
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.search.ask_and_tell import TrialOutcome
from srexp.search.heartbeat import GRACE_SECONDS
from srexp.search.keras_tuner import remote_oracle
from srexp.search.keras_tuner.engine import KerasTuner
from srexp.search.keras_tuner.oracles import build_hyperparameters
from srexp.search.space import Space


def build(folder, space, **options):
    return KerasTuner(**{"folder": folder, "name": "tried", "space": space, "tuner": "random", **options})


def test_what_was_asked_reaches_the_oracle(tmp_path, space):
    bayesian = build(tmp_path, space, tuner="bayesian", startup_trials=11, beta=3.5).build_oracle(7, 9)
    assert (bayesian.num_initial_points, bayesian.beta) == (11, 3.5)
    hyperband = build(tmp_path, space, tuner="hyperband", reduction=4).build_oracle(7, 9)
    assert (hyperband.max_epochs, hyperband.factor) == (9, 4)
    seeds = [build(tmp_path, space).build_oracle(seed, 9).seed for seed in (0, 7, 2**32 - 1)]
    assert seeds == [1, 8, 2**31]  # of NumPy's 32 bits, and never 0, which is any
    plain = [build(tmp_path, space, tuner=tuner).build_oracle(7, 9) for tuner in ("bayesian", "random")]
    grid = build(tmp_path, {"n": {"type": "int", "low": 1, "high": 3}}, tuner="grid").build_oracle(7, 9)
    assert [oracle.max_trials for oracle in (bayesian, *plain, grid)] == [None] * 4  # the study counts them
    assert (hyperband.hyperband_iterations, plain[0].num_initial_points) == (float("inf"), None)
    for oracle in (bayesian, hyperband, *plain, grid):
        assert (oracle.objective.name, oracle.objective.direction) == ("val_psnr", "max")
        assert (oracle.verbose, oracle.max_consecutive_failed_trials) == (0, None)
        assert oracle._project_dir == str(tmp_path / "keras_tuner")


def test_a_space_is_the_same_in_the_words_of_keras_tuner(space):
    said = {
        **space,
        "n": {"type": "int", "low": 1, "high": 64, "log": True},
        "one": {**space["optimizer.lr"], "high": 1e-5},
    }
    held = {each.name: each for each in build_hyperparameters(Space.parse(said)).space}
    assert {name: type(each).__name__ for name, each in held.items()} == {
        "model": "Choice", "model.depth": "Int", "model.filters": "Choice", "optimizer.lr": "Float",
        "augmentation.zoom": "Float", "n": "Int", "one": "Choice",
    }  # fmt: skip
    assert (held["model.depth"].min_value, held["model.depth"].max_value, held["model.depth"].step) == (8, 20, 4)
    assert [held[name].sampling for name in ("optimizer.lr", "n", "model.depth")] == ["log", "log", "linear"]
    assert (held["model.filters"].values, held["one"].values) == (["[64, 32]", "[128, 64]"], [1e-5])
    assert [(parent.name, parent.values) for parent in held["model.depth"].conditions] == [("model", ["vdsr"])]
    assert held["model"].conditions == []
    assert (held["augmentation.zoom"].step, held["augmentation.zoom"].max_value) == (0.1, pytest.approx(1.55))


def test_hyperband_trains_the_best_for_longer(tmp_path, space, briefly):
    study = build(tmp_path, space, tuner="hyperband", trials=14).open(seed=0, epochs=9)
    study.work(briefly)

    lengths = [max(trial.curve) for trial in study.trials()]
    assert set(lengths[:7]) == {1}
    assert set(lengths) >= {1, 3}
    longest = next(trial for trial in study.trials() if max(trial.curve) == 3)
    best = max((trial for trial in study.trials() if max(trial.curve) == 1), key=lambda trial: trial.objectives)
    assert longest.values == best.values


def test_a_trial_of_hyperband_that_comes_again_keeps_its_place(tmp_path, space, briefly):
    study = build(tmp_path, space, tuner="hyperband", trials=14).open(seed=0, epochs=9)

    def train(attempt):
        if attempt.number == 2:
            study.retry(2, "its worker was gone")
        return briefly(attempt)

    study.work(train)
    found = study.trials()
    assert [trial.number for trial in found if trial.state == "failed"] == [2]
    assert found[3].values == found[2].values
    finished = [max(trial.curve) for trial in found if trial.state == "finished"]
    assert len(finished) == 14
    assert set(finished) >= {1, 3}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objectives": ["val_psnr", "seconds"]}, ["val_psnr alone", "search=optuna"]),
        ({"storage": "postgresql://host/db"}, ["in files"]),
    ],
)
def test_what_keras_tuner_can_not_do_is_refused_before_anything_runs(options, words, tmp_path, space):
    with pytest.raises(RequestError) as refused:
        build(tmp_path, space, **options)

    for word in words:
        assert word in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_json_is_named(tmp_path, space):
    study = build(tmp_path, space).open(seed=0, epochs=2)
    (study.project / "oracle.json").write_text("{")

    with pytest.raises(SrexpError, match=r"oracle\.json can't be read"):
        study.trials()


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, space):
    study = build(tmp_path, space).open(seed=0, epochs=2)
    study.describe(a=1)
    with pytest.raises(TypeError):
        study.describe(a=object())

    assert study.about() == {"a": 1}


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
    serving.start()
    chief("tuner1")
    worker = build(tmp_path / "worker", space, trials=5).open(seed=0, epochs=3)
    assert worker.search.role == "worker"
    seen = {}

    def train(attempt):
        if attempt.number == 1:
            raise ValueError("no such layer")
        if attempt.number == 2 and len(seen) == 1:
            raise KeyboardInterrupt
        seen[attempt.number] = dict(attempt.values)
        attempt.note(run_id=f"run{attempt.number}")
        attempt.report(1, 30.123456789)
        return [31.123456789 + attempt.number]

    with pytest.raises(KeyboardInterrupt):
        worker.work(train)
    seen["interrupted"] = True
    worker.work(train)
    serving.join(timeout=40)
    assert not serving.is_alive()

    found = kept.trials()
    assert [trial.state for trial in found] == ["finished", "failed", "failed"] + ["finished"] * 4
    assert found[1].facts["reason"] == "ValueError: no such layer"
    assert found[2].facts["reason"] == "interrupted: KeyboardInterrupt"
    assert (found[3].facts["retry_of"], found[3].values) == (2, found[2].values)
    for trial in (found[0], *found[3:]):
        assert dict(trial.values) == seen[trial.number]
        assert trial.objectives == (31.123456789 + trial.number,)
        assert trial.curve == {1: 30.123456789}
        assert trial.facts["run_id"] == f"run{trial.number}"
        assert trial.facts["tuner"] == "tuner1"
        assert trial.facts["host"] == socket.gethostname()


def test_a_worker_that_is_started_anew_gets_the_values_of_its_trial_again(tmp_path, space):
    study = build(tmp_path, space, trials=3).open(seed=0, epochs=3)
    chief = remote_oracle._Chief(study)
    for worker in ("a", "b", "a"):
        chief.create_trial(worker)

    found = study.trials()
    assert [(trial.state, trial.facts["tuner"]) for trial in found] == [
        ("failed", "a"),
        ("running", "b"),
        ("running", "a"),
    ]
    assert found[0].facts["reason"] == "its worker was started anew"
    assert found[2].values == found[0].values


@pytest.mark.parametrize("code", ["UNAVAILABLE", "unknown"])
def test_a_chief_that_does_not_answer_is_named(chief, code):
    called = {**dict.fromkeys(grpc.Call.__abstractmethods__), "code": lambda _: grpc.StatusCode.UNAVAILABLE}
    error = grpc.RpcError() if code == "unknown" else type("Gone", (grpc.RpcError, grpc.Call), called)()
    with (
        pytest.raises(SrexpError, match=rf"chief at 127\.0\.0\.1:\d+ doesn't answer: {code}"),
        remote_oracle._answered(),
    ):
        raise error


def test_a_worker_of_another_machine_that_falls_silent_loses_its_trial(tmp_path, space, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("srexp.search.keras_tuner.study.time", SimpleNamespace(monotonic=lambda: now[0]))
    study = build(tmp_path, space, trials=3).open(seed=0, epochs=3)
    silent, heard = study.ask({"tuner": "a"}), study.ask({"tuner": "b"})
    now[0] += GRACE_SECONDS - 1
    study.hear_of(heard.number)
    now[0] += 2
    again = study.ask({"tuner": "c"})

    found = study.trials()
    assert [trial.state for trial in found] == ["failed", "running", "running"]
    assert found[0].facts["reason"] == "its worker gave no sign of life"
    assert again.values == silent.values
    study.receive(silent.number, {"facts": {"run_id": "late"}})
    study.end(silent.number, TrialOutcome("finished", [30.0]))
    assert study.trials()[0] == found[0]


def test_half_an_environment_is_refused(tmp_path, space, monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")

    with pytest.raises(RequestError, match="KERASTUNER_ORACLE_PORT and KERASTUNER_TUNER_ID"):
        build(tmp_path, space)
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "1")
    with pytest.raises(RequestError, match="set, but not KERASTUNER_TUNER_ID"):
        build(tmp_path, space)
    for name, role in (("chief", "chief"), ("the-chief-1", "chief"), ("tuner0", "worker")):
        monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
        assert build(tmp_path, space).role == role


def test_silence_is_taken_for_death_after_two_minutes_and_not_before(tmp_path, space, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("srexp.search.keras_tuner.study.time", SimpleNamespace(monotonic=lambda: now[0]))
    first = build(tmp_path, space, trials=3).open(seed=0, epochs=3)
    first.ask({"tuner": "a"})
    now[0] += 500
    anew = build(tmp_path, space, trials=3).open(seed=0, epochs=3)  # a chief that was started again heard of nobody yet
    now[0] += GRACE_SECONDS
    anew.ask({"tuner": "b"})
    assert [trial.state for trial in anew.trials()] == ["running", "running"]
    now[0] += 0.5
    anew.ask({"tuner": "c"})
    assert [trial.state for trial in anew.trials()] == ["failed", "running", "running"]


def test_what_keras_tuner_calls_invalid_failed_as_well(tmp_path, space):
    study = build(tmp_path, space, trials=9).open(seed=0, epochs=3)
    expected = {"RUNNING": "running", "COMPLETED": "finished", "INVALID": "failed", "FAILED": "failed"}
    for number, status in enumerate(expected):
        study.ask()
        path = study.project / f"trial_{number:04}" / "trial.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "status": status, "score": 30.0}))
    assert [trial.state for trial in study.trials()] == list(expected.values())
    assert [trial.objectives for trial in study.trials()] == [None, (30.0,), None, None]
    assert all(trial.ended is None for trial in study.trials())


def test_a_failed_trial_is_kept_as_keras_tuner_keeps_one(tmp_path, space):
    study = build(tmp_path, space, trials=3).open(seed=0, epochs=3)
    study.ask()
    study.ask()
    study.end(0, TrialOutcome("failed", reason="no memory"))
    oracle = json.loads((study.project / "oracle.json").read_text())
    assert (oracle["end_order"], list(oracle["ongoing_trials"].values())) == (["0000"], ["0001"])
    kept = json.loads((study.project / "trial_0000" / "trial.json").read_text())
    assert (kept["status"], kept["message"]) == ("FAILED", "no memory")
    assert study.trials()[0].ended >= study.trials()[0].started


def test_values_that_wait_already_are_not_queued_twice(tmp_path, space):
    study = build(tmp_path, space, trials=3).open(seed=0, epochs=3)
    drawn = study.ask()
    for _ in range(2):
        study._enqueue(drawn.number, {"retry_of": drawn.number, "deaths": 1})
    [waiting] = json.loads((study.project / "oracle.json").read_text())["queued"]
    assert (waiting["retry_of"], waiting["deaths"]) == (0, 1)
    assert study.space.decode(waiting["values"]) == drawn.values
