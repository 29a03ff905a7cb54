"""What only Optuna does: give trials up, seek several objectives, keep a journal."""

from __future__ import annotations

import builtins
import logging
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest
from optuna.trial import TrialState
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from srexp.errors import RequestError, SrexpError
from srexp.search.optuna import engine, storage
from srexp.search.optuna.engine import Optuna
from srexp.search.optuna.storage import parse_url


def test_whoever_wants_the_lock_of_a_database_waits_a_minute(monkeypatch):
    asked = []

    @contextmanager
    def locked(url, name, seconds):
        asked.append((str(url), name, seconds))
        yield

    monkeypatch.setattr(storage.database_locks, "locked", locked)
    with storage.database_lock(make_url("postgresql://host/studies"), "tried"):
        assert asked == [("postgresql://host/studies", "tried", 60)]


@pytest.mark.parametrize(
    ("error", "cause", "fix"),
    [
        (OperationalError("SELECT secret", {}, Exception("no such host\n")), "no such host", "check that it runs"),
        (SQLAlchemyError("no driver"), "no driver", "check that it runs"),
        (TimeoutError("no lock within 60 s"), "no lock within 60 s", "again"),
    ],
)
def test_a_database_that_fails_is_named_with_its_own_words(error, cause, fix):
    with pytest.raises(SrexpError) as raised, storage.translated(make_url("postgresql://ann:pw@host/studies")):
        raise error
    assert raised.value.what == f"search.storage postgresql://ann:***@host/studies failed: {cause}"
    assert raised.value.fix.startswith(fix)


def build(folder, space, **options):
    return Optuna(folder=folder, name="tried", space=space, **options)


def states(study):
    return [trial.state for trial in study.trials()]


def test_cma_es_runs_where_its_package_is(tmp_path, space, briefly):
    if find_spec("cmaes") is None:
        with pytest.raises(RequestError, match=r"srexp\[cmaes\]"):
            build(tmp_path, space, sampler="cma_es")
        return
    study = build(tmp_path, space, sampler="cma_es", trials=12, startup_trials=3).open(seed=1, epochs=9)
    study.work(briefly)

    assert len(states(study)) == 12
    assert set(states(study)) == {"finished", "pruned"}
    assert all(("model.depth" in trial.values) == (trial.values["model"] == "vdsr") for trial in study.trials())


def test_a_curve_of_several_objectives_is_in_the_order_of_its_epochs(tmp_path, space):
    options = {"objectives": ["val_psnr", "seconds"], "pruner": "none", "trials": 1}
    study = build(tmp_path, space, **options).open(seed=0, epochs=12)

    def train(attempt):
        for epoch in range(1, 13):
            attempt.report(epoch, 30.0 + epoch)
        return [31.0, 1.0]

    study.work(train)
    [trial] = study.trials()
    assert list(trial.curve.items()) == [(epoch, 30.0 + epoch) for epoch in range(1, 13)]


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


def test_the_shortest_seconds_are_sought(tmp_path):
    """As for the PSNR, in the other direction."""
    space = {"n": {"type": "float", "low": 0.0, "high": 1.0}}
    options = {"objectives": ["seconds"], "pruner": "none", "trials": 24, "startup_trials": 6}
    study = build(tmp_path, space, **options).open(seed=0, epochs=1)
    study.work(lambda attempt: [attempt.values["n"]])

    assert sum(trial.objectives[0] for trial in study.trials()[12:]) / 12 < 0.25


@pytest.mark.parametrize(
    ("pruner", "asked"),
    [
        ("hyperband", {"min_resource": 2, "max_resource": 9, "reduction_factor": 4}),
        ("halving", {"min_resource": 2, "reduction_factor": 4}),
        ("median", {"n_warmup_steps": 2}),
        ("wilcoxon", {"p_threshold": 0.3, "n_startup_steps": 2}),
        ("none", {}),
    ],
)
def test_what_was_asked_reaches_the_pruner(pruner, asked, tmp_path, space):
    options = {"min_epochs": 2, "reduction": 4, "p_threshold": 0.3}
    made = build(tmp_path, space, pruner=pruner, **options).build_pruner(9)
    assert {name: getattr(made, f"_{name}") for name in asked} == asked
    assert asked or type(made).__name__ == "NopPruner"


def test_no_pruner_waits_for_more_epochs_than_a_trial_has(tmp_path, space):
    assert build(tmp_path, space, min_epochs=9).build_pruner(4)._min_resource == 4
    assert build(tmp_path, space, min_epochs=3).build_pruner(4)._min_resource == 3


def own_seed(seed, number):
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


PLAIN = {"lr": {"type": "float", "low": 0.0, "high": 1.0}, "n": {"type": "int", "low": 1, "high": 3}}
SAMPLERS = [
    ("tpe", {}, "TPESampler", {"n_startup_trials": 7, "group": True}),
    ("tpe", {"space": PLAIN}, "TPESampler", {"n_startup_trials": 7, "group": False}),
    ("tpe", {"objectives": ["val_psnr", "seconds"]}, "TPESampler", {"n_startup_trials": 7, "group": False}),
    ("gp", {}, "GPSampler", {"n_startup_trials": 7, "warn_independent_sampling": False}),
    ("cma_es", {}, "CmaEsSampler", {"n_startup_trials": 7, "warn_independent_sampling": False}),
    ("nsga2", {}, "NSGAIISampler", {"population_size": 7}),
    ("nsga2", {"startup_trials": 1}, "NSGAIISampler", {"population_size": 2}),
    ("random", {}, "RandomSampler", {}),
    ("grid", {"space": {"n": PLAIN["n"]}}, "RandomSampler", {}),
]


@pytest.mark.parametrize("case", SAMPLERS, ids=str)
def test_what_was_asked_reaches_the_sampler_with_a_seed_for_each_trial(tmp_path, space, monkeypatch, case):
    sampler, options, name, asked = case
    monkeypatch.setattr(engine, "find_spec", lambda _: builtins)
    monkeypatch.setattr(f"optuna.samplers.{name}", lambda **said: said)
    built = build(tmp_path, **{"space": space, "sampler": sampler, "pruner": "none", "startup_trials": 7, **options})
    for seed, number in ((3, 5), (5, 3), (3, 6)):
        assert built.build_sampler(seed, number) == {"seed": own_seed(seed, number), **asked}


def test_evenly_spread_values_come_from_one_sequence(tmp_path, space, monkeypatch):
    monkeypatch.setattr("optuna.samplers.QMCSampler", lambda **said: said)
    monkeypatch.setattr("optuna.samplers.RandomSampler", lambda **said: said)
    asked = build(tmp_path, space, sampler="qmc").build_sampler(3, 5)
    assert asked == {
        "seed": 3, "scramble": True, "independent_sampler": {"seed": own_seed(3, 5)}, "warn_independent_sampling": False
    }  # fmt: skip


@pytest.mark.parametrize("pruner", ["halving", "median"])
def test_the_worse_trials_are_given_up_and_the_better_ones_are_not(pruner, tmp_path, space):
    study = build(tmp_path, space, pruner=pruner, trials=16, startup_trials=5).open(seed=0, epochs=9)

    def train(attempt):
        final = 40.0 if attempt.number % 2 == 0 else 30.0 - attempt.number
        for epoch in range(1, 10):
            attempt.report(epoch, final + epoch / 10)
        return [final]

    study.work(train)
    found = study.trials()
    pruned = {trial.number for trial in found if trial.state == "pruned"}
    assert pruned
    assert all(number % 2 for number in pruned)
    assert all(trial.facts["reason"].startswith("given up after epoch") for trial in found if trial.number in pruned)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objectives": ["val_psnr", "seconds"]}, ["search.pruner=halving", "search.pruner=none"]),
        ({"objectives": ["val_psnr", "seconds"], "pruner": "none", "sampler": "cma_es"}, ["one objective", "nsga2"]),
        ({"objectives": ["seconds"]}, ["judges by val_psnr"]),
        ({"storage": "nonsense"}, ["search.storage is not the URL"]),
        ({"storage": "sqlite:///a.db"}, ["unknown database"]),
    ],
)
def test_what_optuna_can_not_do_is_refused_before_anything_runs(options, words, tmp_path, space):
    with pytest.raises(RequestError) as refused:
        build(tmp_path, space, **options)

    for word in words:
        assert word in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_url_as_some_hosts_write_it_keeps_its_names():
    url = parse_url("postgres://postgres:secret@host/postgres")
    assert (url.get_backend_name(), url.username, url.database) == ("postgresql", "postgres", "postgres")


@pytest.mark.parametrize(
    "address", ["ann:q7Xv@9zKw/x@host/runs", "ann:p@h/9zKw@host:5432/runs", "ann:9zKw@[::1/x@host/runs"]
)
def test_a_password_of_which_a_part_would_be_taken_for_the_host_is_refused_without_it(address):
    with pytest.raises(RequestError, match=r"where its password ends|is not the URL") as refused:
        parse_url(f"postgresql://{address}")
    assert "q7Xv" not in str(refused.value)
    assert "9zKw" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("ann:pw@host/runs", "host"),
        ("ann:p%40h%2Fx@host:5432/runs", "host"),
        ("ann:pw@[::1]:5432/runs", "::1"),
        ("ann:pw@[::1]/runs", "::1"),
        ("host/runs", "host"),
        ("host:5432/runs?password=a@b", "host"),
        ("/runs?host=db&password=pw", None),
    ],
)
def test_hosts_of_all_forms_are_read(address, host):
    assert parse_url(f"postgresql://{address}").host == host


@pytest.mark.parametrize(("sampler", "needs"), [("gp", ("torch", "gp")), ("cma_es", ("cmaes", "cmaes"))])
def test_a_missing_package_is_named_with_its_extra(sampler, needs, tmp_path, space, monkeypatch):
    package, extra = needs
    monkeypatch.setattr(engine, "find_spec", lambda name: None if name == package else find_spec(name))

    with pytest.raises(RequestError, match=rf'needs {package}(.|\n)*pip install "srexp\[{extra}\]"'):
        build(tmp_path, space, sampler=sampler)


def test_cma_needs_two_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: builtins)

    number, choice = {"type": "int", "low": 1, "high": 3}, {"type": "categorical", "choices": [1, 2]}
    for other in ({}, {"b": choice}, {"b": {**number, "when": {"a": 1}}}, {"b": choice, "c": choice}):
        with pytest.raises(RequestError, match="at least two numbers"):
            build(tmp_path, {"a": number, **other}, sampler="cma_es")
    build(tmp_path, {"a": number, "b": {**number, "type": "float"}}, sampler="cma_es")


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


@pytest.mark.parametrize("garbage", [b"garbage\n", b"\xff\xfe\n", b"[1, 2]\n", b'{"a": 1}\n', b"\n", b"7\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_line_that_is_no_record_is_named(garbage, last, tmp_path, space, briefly):
    build(tmp_path, space, trials=1, pruner="none").open(seed=0, epochs=2).work(briefly)
    journal = tmp_path / "optuna.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    place = len(lines) if last else 2
    journal.write_bytes(b"".join([*lines[:place], garbage, *lines[place:]]))
    with pytest.raises(SrexpError, match=f"line {place + 1} is no record of a study") as said:
        build(tmp_path, space).open(seed=0, epochs=2)
    assert str(journal) in str(said.value)
    assert f"delete line {place + 1}" in str(said.value)


def test_a_trial_that_optuna_itself_failed_says_why(tmp_path, space):
    study = build(tmp_path, space).open(seed=0, epochs=2)
    study._study.tell(study.ask().number, state=TrialState.FAIL)

    assert study.trials()[0].facts["reason"] == "its worker gave no sign of life for 120 s"


def test_a_line_torn_by_another_worker_does_not_stop_this_one(tmp_path, space, briefly):
    study = build(tmp_path, space, trials=4, pruner="none").open(seed=0, epochs=2)

    def train(attempt):
        with (tmp_path / "optuna.log").open("ab") as journal:
            journal.write(b'{"op')
        return briefly(attempt)

    study.work(train)
    assert states(build(tmp_path, space).open(seed=0, epochs=2)) == ["finished"] * 4


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
