"""Each callback by itself; together they are in test_fit.py."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import keras
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

    def get_weights(self) -> tuple[str, ...]:
        return ("weights",)


def on(callback: Any) -> Any:
    callback.set_model(Model())
    return callback


def test_validation_adds_its_scores_and_its_time() -> None:
    check, logs = on(callbacks.Validate(lambda: {"val_psnr": 30.0}, seconds=5.0)), {"loss": 1.0}
    check.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0, "val_psnr": 30.0}
    assert check.seconds > 5.0


def test_the_rate_of_a_step_is_the_schedules() -> None:
    pace = on(callbacks.FollowSchedule(lambda step, total: step / total, 0.2, PLAN, Checkpoint(step=5)))
    logs: dict[str, float] = {}
    pace.on_train_batch_begin(0)
    pace.on_epoch_end(0, logs)
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


def test_training_ends_with_its_time() -> None:
    pace = on(callbacks.FollowSchedule(lambda *_: 1.0, 1.0, replace(PLAN, max_minutes=1), Checkpoint(seconds=59.0)))
    pace.on_train_batch_end(0)
    assert not pace.model.stop_training
    pace.started -= 1
    pace.on_train_batch_end(0)
    assert pace.model.stop_training


@pytest.mark.parametrize("loss", [math.nan, math.inf, 2.1e4])
def test_an_explosion_names_step_and_rate(loss: float) -> None:
    watch = on(callbacks.StopOnExplosion(Checkpoint(step=7), None))
    watch.on_train_batch_end(0, {"loss": 2.0})
    watch.on_train_batch_end(1, {"loss": 1.9e4})
    with pytest.raises(SrexpError, match=r"at step 10 with learning rate 0\.5"):
        watch.on_train_batch_end(2, {"loss": loss})


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
    assert watch.steps == 2


def test_epochs_are_recorded() -> None:
    record = on(callbacks.RecordHistory(History(), replace(PLAN, patience=1), 20.0, lambda: 12.5, Supervised()))
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
    record = on(callbacks.RecordHistory(History(), PLAN, 20.0, lambda: 12.5, Supervised()))
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


def test_a_state_that_is_kept_already_is_not_written_again() -> None:
    class Never:
        def save(self, _: Checkpoint) -> None:
            raise AssertionError

    last = Checkpoint(step=3)
    on(callbacks.KeepCheckpoints(Never(), lambda: last, 0, last)).save()
