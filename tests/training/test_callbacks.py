"""Each callback by itself; together they are in test_fit.py and test_interruption.py."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from srexp.errors import SrexpError
from srexp.training import callbacks
from srexp.training.best_epoch import History
from srexp.training.checkpoint import Checkpoint
from srexp.training.courses.supervised import Supervised
from srexp.training.plan import Plan

PLAN = Plan(epochs=5, steps_per_epoch=2)


class Model(SimpleNamespace):
    """What callbacks ask of a Keras model."""

    def __init__(self) -> None:
        super().__init__(optimizer=keras.optimizers.SGD(0.5), stop_training=False)


def on(callback: Any) -> Any:
    callback.set_model(Model())
    return callback


class Clock:
    """A time of its own, that passes when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: float = 1000.0) -> None:
        self.now = now
        told = dict.fromkeys(("perf_counter", "monotonic", "time"), lambda: self.now)
        monkeypatch.setattr(callbacks, "time", SimpleNamespace(**told))

    def passes(self, seconds: float) -> dict[str, float]:
        self.now += seconds
        return {"val_psnr": 30.0}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_validation_adds_its_scores_and_its_time(clock: Clock) -> None:
    check, logs = on(callbacks.Validate(lambda: clock.passes(2.0), seconds=5.0)), {"loss": 1.0}
    check.on_epoch_end(0, logs)
    check.on_epoch_end(1, None)
    assert logs == {"loss": 1.0, "val_psnr": 30.0}
    assert check.seconds == 9.0


def test_the_rate_of_a_step_is_the_schedules() -> None:
    pace = on(callbacks.FollowSchedule(lambda step, total: step / total, 0.2, PLAN, Checkpoint(step=5)))
    logs: dict[str, float] = {}
    pace.on_train_batch_begin(0)
    pace.on_epoch_end(0, logs)
    pace.on_epoch_end(0, None)
    assert logs["lr"] == pytest.approx(0.2 * 5 / 10)
    assert pace.step == 6


@pytest.mark.parametrize(("seconds", "lr"), [(0.0, 1.0), (60.0, 0.5)])
def test_the_clock_hurries_the_fall_and_never_the_warm_up(seconds: float, lr: float) -> None:
    def schedule(step: int, total: int) -> float:
        return 1 - step / total

    plan = replace(PLAN, max_minutes=2)
    pace = on(callbacks.FollowSchedule(schedule, 1.0, plan, Checkpoint(seconds=seconds)))
    pace.on_train_batch_begin(0)
    assert float(pace.model.optimizer.learning_rate) == pytest.approx(lr)
    rising = on(callbacks.FollowSchedule(lambda step, _: step / 10, 1, plan, Checkpoint(seconds=60)))
    rising.on_train_batch_begin(0)
    assert float(rising.model.optimizer.learning_rate) == 0


def test_training_ends_with_its_time(clock: Clock) -> None:
    pace = on(callbacks.FollowSchedule(lambda *_: 1.0, 1.0, replace(PLAN, max_minutes=1), Checkpoint(seconds=50.0)))
    for passed, over in ((0.0, False), (9.5, False), (0.5, True)):
        clock.passes(passed)
        pace.on_train_batch_end(0)
        assert pace.model.stop_training is over
    endless = on(callbacks.FollowSchedule(lambda *_: 1.0, 1.0, PLAN, Checkpoint(seconds=1e9)))
    endless.on_train_batch_end(0)
    assert not endless.model.stop_training


@pytest.mark.parametrize(
    ("minutes", "step", "seconds", "share"),
    [(None, 0, 9e9, 0.0), (None, 5, 0.0, 0.5), (2, 5, 30.0, 0.5), (2, 5, 90.0, 0.75), (2, 5, 999.0, 1.0)],
)
def test_how_much_is_over_is_told_by_steps_or_the_clock(minutes, step: int, seconds: float, share: float) -> None:
    plan = replace(PLAN, max_minutes=minutes)
    pace = on(callbacks.FollowSchedule(lambda *_: 1.0, 1.0, plan, Checkpoint(step=step, seconds=seconds)))
    assert pace.share() == pytest.approx(share, abs=1e-3)


def test_a_schedule_is_asked_for_no_step_beyond_its_end(clock: Clock) -> None:
    asked: list[tuple[int, int]] = []

    def schedule(*of: int) -> float:
        asked.append(of)
        return 1.0

    plan = replace(PLAN, max_minutes=1)
    for seconds in (33.0, 300.0):
        on(callbacks.FollowSchedule(schedule, 1.0, plan, Checkpoint(seconds=seconds))).on_train_batch_begin(0)
    on(callbacks.FollowSchedule(schedule, 1.0, PLAN, Checkpoint(seconds=300.0))).on_train_batch_begin(0)
    assert asked == [(0, 10), (5, 10), (0, 10), (10, 10), (0, 10)]


@pytest.mark.parametrize("loss", [math.nan, math.inf, 2.1e4])
def test_an_explosion_names_step_and_rate(loss: float) -> None:
    watch = on(callbacks.StopOnExplosion(Checkpoint(step=7), None))
    watch.on_train_batch_end(0, {"loss": 2.0})
    watch.on_train_batch_end(1, {"loss": 1.9e4})
    with pytest.raises(SrexpError, match=r"at step 10 with learning rate 0\.5"):
        watch.on_train_batch_end(2, {"loss": loss})


@pytest.mark.parametrize(("first", "most"), [(2.0, 2e4), (1e-9, 1.0)])
def test_how_far_a_loss_may_grow(first: float, most: float) -> None:
    watch = on(callbacks.StopOnExplosion(Checkpoint(first_loss=first), None))
    watch.on_train_batch_end(0, {"loss": most})
    with pytest.raises(SrexpError, match="exploded at step 2"):
        watch.on_train_batch_end(1, {"loss": most * (1 + 1e-9)})


@pytest.mark.parametrize("first", [0.0, 1e-14, 6.8e-12, 1e-5])
def test_a_loss_that_begins_at_nearly_nothing_may_grow_to_little(first: float) -> None:
    watch = on(callbacks.StopOnExplosion(Checkpoint(), None))
    for loss in (first, 6.8e-5, 0.9):  # constant images: first exact, then a ten-thousandth of a grey level off
        watch.on_train_batch_end(0, {"loss": loss})
    with pytest.raises(SrexpError, match="exploded at step 4"):
        watch.on_train_batch_end(0, {"loss": 1.1})


def test_a_step_that_tells_no_loss_is_no_explosion() -> None:
    watch = on(callbacks.StopOnExplosion(Checkpoint(), None))
    watch.on_train_batch_end(0)
    watch.on_train_batch_end(1, {})
    assert (watch.steps, watch.first) == (2, 0.0)


def recording(plan: Plan, bicubic_psnr: float, course: Supervised) -> Any:
    return on(
        callbacks.RecordHistory(History(), plan, bicubic_psnr, lambda: 12.5, course, weights=lambda: ("weights",))
    )


class Strict(Supervised):
    """A course that lets no epoch but the first be the best, and has something to say of each."""

    selects = False

    def warnings(self, epochs: Any) -> list[str]:
        return [f"{len(epochs)} epochs to {epochs[-1]['val_psnr']}"]


def test_the_course_says_which_epochs_may_be_the_best_and_what_to_warn_of(clock: Clock) -> None:
    record = recording(PLAN, 20.0, Strict())
    for epoch, psnr in enumerate([30.0, 31.0]):
        clock.passes(0.5)
        record.on_epoch_end(epoch, {"val_psnr": psnr})
    assert record.history.best_epoch == 1
    assert record.history.warnings == ("1 epochs to 30.0", "2 epochs to 31.0")
    assert record.history.ended == (1_000_500, 1_001_000)


def test_a_network_that_does_nothing_is_called_out() -> None:
    record = recording(PLAN, 30.0, Supervised())
    for epoch in range(2):
        record.on_epoch_end(epoch, {"val_psnr": 30.0})
    assert record.history.warnings[0].startswith("dead network: after epoch 2")


def test_epochs_are_recorded() -> None:
    record = recording(replace(PLAN, patience=1), 20.0, Supervised())
    for epoch, psnr in enumerate([30.0, 29.0]):
        record.on_epoch_end(epoch, {"val_psnr": psnr})
    assert record.history.epochs == (
        {"val_psnr": 30.0, "training_seconds": 12.5},
        {"val_psnr": 29.0, "training_seconds": 12.5},
    )
    assert record.history.best_weights == ("weights",)
    assert record.model.stop_training  # patience is over


@pytest.mark.parametrize(
    ("epoch", "stopped", "over"), [(4, False, True), (3, False, False), (6, False, False), (0, True, True)]
)
def test_training_is_over_with_its_last_epoch_or_when_it_was_stopped(epoch: int, stopped: bool, over: bool) -> None:
    record = recording(PLAN, 20.0, Supervised())
    record.model.stop_training = stopped
    record.on_epoch_end(epoch, {"val_psnr": 30.0})
    assert record.history.over == record.model.stop_training == over


def test_a_checkpoint_that_can_not_be_written_is_said_once() -> None:
    class Full:
        tried = 0

        def save(self, _: Checkpoint) -> None:
            self.tried += 1
            raise OSError(28, "No space left on device")

    full, steps = Full(), iter(range(1, 9))
    keep = on(callbacks.KeepCheckpoints(full, lambda: Checkpoint(step=next(steps)), None, Checkpoint()))
    keep.on_train_batch_end(0)
    assert full.tried == 0
    keep.on_epoch_end(0)
    keep.on_epoch_end(1)
    assert full.tried == 2
    assert "the first at step 1" in keep.warning


class Kept:
    """Checkpoints that are noted."""

    def __init__(self) -> None:
        self.saved: list[Checkpoint] = []

    def save(self, checkpoint: Checkpoint) -> None:
        self.saved.append(checkpoint)


def test_a_state_that_is_kept_already_is_not_written_again() -> None:
    kept, last = Kept(), Checkpoint(step=3)
    on(callbacks.KeepCheckpoints(kept, lambda: last, 0, last)).save()
    assert kept.saved == []


def test_a_step_or_an_epoch_more_is_written_and_weights_that_are_no_numbers_are_not() -> None:
    kept, start = Kept(), Checkpoint()
    spoilt = replace(start, step=3, model=(np.array([np.nan]),))
    states = [replace(start, step=1), replace(start, step=1, history=History()), spoilt]
    coming = iter(states)
    keep = on(callbacks.KeepCheckpoints(kept, lambda: next(coming), None, start))
    for epoch in range(3):
        keep.on_epoch_end(epoch)
    assert [id(each) for each in kept.saved] == [id(each) for each in states[:2]]


def test_within_an_epoch_the_last_checkpoint_must_be_old(clock: Clock) -> None:
    kept, steps = Kept(), iter(range(1, 9))
    keep = on(callbacks.KeepCheckpoints(kept, lambda: Checkpoint(step=next(steps)), 2.0, Checkpoint()))
    written = []
    for passed in (119.5, 0.5, 119.5, 0.5, 60.0):
        clock.passes(passed)
        keep.on_train_batch_end(0)
        written.append(len(kept.saved))
    assert written == [0, 1, 1, 2, 2]
