"""A worker of a search, and what becomes of its trial when the driver is gone."""

from __future__ import annotations

import math
import signal

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.config.frozen_files import frozen
from srexp.errors import RequestError
from srexp.experiment.multirun import job
from srexp.experiment.search import trial_worker
from srexp.experiment.search.trial_worker import Note, Worker
from srexp.search.ask_and_tell import require_finite
from srexp.system.signals import Interrupted, interruptible
from srexp.training.fit import Fitted

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
