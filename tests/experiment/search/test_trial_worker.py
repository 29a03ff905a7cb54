"""A worker of a search, and what becomes of its trial when the driver is gone."""

from __future__ import annotations

import math
import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.config.builders import build
from srexp.config.frozen_files import frozen
from srexp.errors import RequestError
from srexp.experiment import network
from srexp.experiment.multirun import job
from srexp.experiment.search import trial_worker
from srexp.experiment.search.trial_worker import Note, Worker
from srexp.search.ask_and_tell import Pruned, require_finite
from srexp.system.signals import Interrupted, interruptible
from srexp.tracking.runs import queries
from srexp.training.fit import Fitted

SEARCH = "srexp.search.optuna.engine.Optuna"
LR = "optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true}"


@pytest.fixture
def worker(tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    (tmp_path / "images").mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    words = ["dataset=folder", f"dataset.root={tmp_path / 'images'}", f"search.space={{{LR}}}", "+debug=fast"]
    return Worker(srexp.compose(words, verb="search"), "parent")


class Attempt:
    number, epochs, values = 0, None, {"optimizer.lr": 1e-4}


def train_as_engines_do(worker):
    with interruptible():
        try:
            worker.train(Attempt())
        except Exception as error:  # noqa: BLE001
            pytest.fail(f"an engine counts this as a failed trial: {error!r}")


def test_an_interruption_before_the_run_that_code_in_c_hides_is_no_failure_of_the_trial(worker, monkeypatch):
    """Engines catch exceptions, count the trial as failed and go on to the next; nobody would try its values again."""

    def interrupted(*_, **__):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr("srexp.experiment.search.trial_worker.trial_config", interrupted)
    with pytest.raises(Interrupted, match="SIGTERM"):
        train_as_engines_do(worker)


def test_a_configuration_that_an_interruption_left_half_composed_is_not_refused(worker, tmp_path, monkeypatch):
    """Hydra wraps whatever is raised while it composes; the search would end as if the request had been wrong."""

    def half_composed(_):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise RequestError("a node has no parent") from error

    monkeypatch.setattr(trial_worker, "work", half_composed)
    with frozen() as files, pytest.raises(Interrupted):
        trial_worker.run_worker(Note(worker.config, files, tmp_path, "parent"))
    assert not job.failure(tmp_path)


@pytest.mark.slow
def test_a_trial_that_restores_every_pixel_finishes_above_any_other(worker, monkeypatch):
    """Its validation PSNR is infinite, which no engine takes and no figure shows."""
    reported, noted = [], {}

    def exact(task, tracked, on_epoch):
        history = [{"val_psnr": psnr} for psnr in (40.0, math.inf)]
        for epoch, numbers in enumerate(history, 1):
            on_epoch(epoch, numbers)
        return None, Fitted(history=history, best_epoch=2)

    class Exact(Attempt):
        def report(self, epoch, psnr):
            reported.append(psnr)

        def note(self, **facts):
            noted.update(facts)

    monkeypatch.setattr(trial_worker, "fit_network", exact)
    monkeypatch.setattr(trial_worker, "keep_network", lambda *_: None)
    assert require_finite(worker.train(Exact()), ["val_psnr"]) == [300.0]
    assert reported == [40.0, 300.0]
    assert noted["best_epoch"] == 2


class Noting(Attempt):
    """A trial whose engine hears everything; it gives up at the second report, if it is told to."""

    def __init__(self, gives_up=False, **values):
        self.values, self.gives_up, self.facts = {**self.values, **values}, gives_up, {}

    def report(self, epoch, psnr):
        if self.gives_up and epoch == 2:
            raise Pruned

    def note(self, **facts):
        self.facts |= facts


def ended(worker, attempt):
    """Status of the trial's run, what it says of the trial, and what its log says."""
    run = queries.get_run(worker.tracking.store, attempt.facts["run_id"])
    log = trial_worker.trial_folder(worker.config, attempt.number) / "srexp.log"
    return run.status, run.tags.get(trial_worker.STATE_TAG), log.read_text() if log.is_file() else ""


@pytest.mark.slow
def test_a_trial_that_the_engine_gives_up_ends_well_and_its_log_names_no_failure(worker, monkeypatch):
    def pruned(task, tracked, on_epoch):
        for epoch in (1, 2):
            on_epoch(epoch, {"val_psnr": 30.0})

    monkeypatch.setattr(trial_worker, "fit_network", pruned)
    attempt = Noting(gives_up=True)
    with pytest.raises(Pruned):
        worker.train(attempt)
    status, state, log = ended(worker, attempt)
    assert (status, state) == ("FINISHED", "pruned")
    assert "failed" not in log


def test_a_trial_that_fails_leaves_its_traceback_in_its_own_log(worker, monkeypatch):
    def failing(*_, **__):
        raise ZeroDivisionError("of nothing")

    monkeypatch.setattr(trial_worker, "fit_network", failing)
    attempt = Noting()
    with pytest.raises(ZeroDivisionError):
        worker.train(attempt)
    status, state, log = ended(worker, attempt)
    assert (status, state) == ("FAILED", None)
    assert "ZeroDivisionError: of nothing" in log


@pytest.mark.slow
def test_the_time_of_a_network_is_that_of_an_image_and_its_weights_come_back_as_they_were(worker, monkeypatch):
    search = worker.config.search
    wanted = replace(search, options={**search.options, "objectives": ["seconds", "val_psnr"]})
    timed = Worker(config := replace(worker.config, search=wanted), "parent")
    model = network.float32_network(config, 1)
    fitted = Fitted(history=[{"val_psnr": 31.0}, {"val_psnr": 30.5}], best_epoch=1, steps=7, warnings=["slow"])
    monkeypatch.setattr(trial_worker, "fit_network", lambda *_, **__: (model, fitted))
    attempt = Noting()
    seconds, psnr = timed.train(attempt)
    assert 0 < seconds < 10
    assert psnr == 31.0
    assert ended(timed, attempt)[:2] == ("FINISHED", "finished")

    kept, course = trial_worker.kept_network(Path(attempt.facts["folder"]), timed.task)
    assert course == fitted
    for mine, theirs in zip(kept.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


class Engine:
    """A study of the given edges, whose worker finds nothing to train."""

    def __init__(self, *edges):
        self.edges, self.facts, self.worked, self.looked = edges, {}, 0, 0

    @property
    def parsed(self):
        self.looked += 1
        return SimpleNamespace(extremes=lambda: self.edges)

    def open(self, **_):
        return self

    def alone(self):
        return nullcontext()

    def about(self):
        return self.facts

    def describe(self, **facts):
        self.facts |= facts

    def work(self, train):
        assert train.__name__ == "train"
        self.worked += 1


def searching(engine, monkeypatch):
    """Let the engine be what the section `search` builds."""

    def built(section, **given):
        return engine if section.target == SEARCH else build(section, **given)

    monkeypatch.setattr(trial_worker, "build", built)


@pytest.mark.slow
def test_the_edges_of_a_space_are_tried_by_the_first_worker_alone(worker, tmp_path, monkeypatch):
    engine = Engine({"optimizer.lr": 1e-5}, {"optimizer.lr": 1e-3})
    searching(engine, monkeypatch)
    with frozen() as files:
        note = Note(worker.config, files, tmp_path, "parent")
        assert [trial_worker.run_worker(note) for _ in range(2)] == [0, 0]
    assert (engine.worked, engine.looked, engine.facts) == (2, 1, {"edges_tried": True})


def test_a_value_at_an_edge_that_a_network_refuses_ends_the_worker_with_the_value(worker, tmp_path, monkeypatch):
    engine = Engine({"optimizer.lr": 1e-5}, {"model.kernels": [2, 1, 2]})
    searching(engine, monkeypatch)
    with frozen() as files:
        assert trial_worker.run_worker(Note(worker.config, files, tmp_path, "parent")) == 2
    said = job.failure(tmp_path)["message"]
    assert "model.kernels" in said
    assert "three odd sizes" in said
    assert "narrow search.space" in said
    assert engine.worked == 0
