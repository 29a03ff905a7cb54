"""Small Keras callbacks, one concern each; imported only where training happens."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras

from srexp.errors import SrexpError
from srexp.training.best_epoch import Arrays, History
from srexp.training.checkpoint import Checkpoint, Checkpoints
from srexp.training.courses.supervised import Supervised
from srexp.training.plan import Plan

Scores: TypeAlias = Mapping[str, float]

#: A loss this many times the first step's has exploded,
EXPLODED = 1e4
#: unless it is below this: one grey level, or for a loss on [0, 1] the whole range. Constant images begin at nearly 0.
HARMLESS_LOSS = 1.0

logger = logging.getLogger(__name__)


class Validate(keras.callbacks.Callback):  # type: ignore[misc]
    """Score the validation images after each epoch.

    Args:
        score: Gives `val_psnr` and `val_ssim` of the model as it is.
        seconds: Time spent validating before an interruption.
    """

    def __init__(self, score: Callable[[], Scores], seconds: float) -> None:
        super().__init__()
        self.score, self.seconds = score, seconds

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the scores to the logs, where the callbacks that follow find them."""
        start = time.perf_counter()
        scores = self.score()
        if logs is not None:
            logs.update(scores)
        self.seconds += time.perf_counter() - start


class FollowSchedule(keras.callbacks.Callback):  # type: ignore[misc]
    """Set the learning rate of every step.

    Args:
        multiplier: Learning-rate factor of (step, total steps).
        lr: Learning rate that it refers to.
        plan: Length of training; with a wall time, progress is the larger of the two shares.
        start: What was done before an interruption.
    """

    def __init__(self, multiplier: Callable[[int, int], float], lr: float, plan: Plan, start: Checkpoint) -> None:
        super().__init__()
        self.multiplier, self.lr, self.total, self.max_seconds = multiplier, lr, plan.total_steps, plan.max_seconds
        self.step = start.step
        self.started = time.monotonic() - start.seconds

    @property
    def seconds(self) -> float:
        """Time spent training, interruptions left out."""
        return time.monotonic() - self.started

    def share(self) -> float:
        """Tell how much of the training is over, by steps or by the clock, from 0 to 1."""
        by_clock = min(self.seconds / self.max_seconds, 1.0) if self.max_seconds else 0.0
        return max(self.step / self.total, by_clock)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Set the rate of this step."""
        factor = self.multiplier(self.step, self.total)
        if self.max_seconds:
            by_clock = int(self.total * min(self.seconds / self.max_seconds, 1.0))
            # The clock may only hurry the fall at the end, never the warm-up at the start.
            if by_clock > self.step:
                factor = min(factor, self.multiplier(by_clock, self.total))
        self.model.optimizer.learning_rate = self.lr * factor
        self.step += 1

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop when the time is over."""
        if self.max_seconds and self.seconds >= self.max_seconds:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the rate."""
        if logs is not None:
            logs["lr"] = float(self.model.optimizer.learning_rate.numpy())


class StopOnExplosion(keras.callbacks.Callback):  # type: ignore[misc]
    """End training as failed when the loss is no number or has exploded.

    Args:
        start: What was done before an interruption.
        checkpoints: Those from before the explosion; None when none are kept.
    """

    def __init__(self, start: Checkpoint, checkpoints: Checkpoints | None) -> None:
        super().__init__()
        self.first, self.steps, self.checkpoints = start.first_loss, start.step, checkpoints

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the running loss of the epoch."""
        self.steps += 1
        loss = float((logs or {}).get("loss", 0.0))
        if self.first is None:
            self.first = loss
        if not math.isfinite(loss) or loss > max(EXPLODED * self.first, HARMLESS_LOSS):
            lr = float(self.model.optimizer.learning_rate.numpy())
            kept = self.checkpoints and self.checkpoints.newest
            raise SrexpError(
                f"the loss exploded at step {self.steps} with learning rate {lr:.3g}"
                f"{f'; the state before is kept in {kept}' if kept else ''}",
                got=loss,
                fix=f"optimizer.lr={lr / 10:.1g}, a longer schedule.warmup_steps or optimizer.clip",
            )


class RecordHistory(keras.callbacks.Callback):  # type: ignore[misc]
    """Keep the numbers of every epoch and the weights of the best one, and end training when it is over.

    Args:
        history: Of the epochs before an interruption.
        plan: When training is over.
        bicubic_psnr: Validation PSNR of bicubic, in dB, to call out a network that does nothing.
        clock: Gives the seconds spent training so far, interruptions left out, for `training_seconds` of the epoch.
        course: Says which epochs may be the best, and what there is to warn of.
        weights: Gives those that validation saw.
    """

    def __init__(
        self,
        history: History,
        plan: Plan,
        bicubic_psnr: float,
        clock: Callable[[], float],
        course: Supervised,
        *,
        weights: Callable[[], Arrays],
    ) -> None:
        super().__init__()
        self.history, self.plan, self.bicubic_psnr, self.clock = history, plan, bicubic_psnr, clock
        self.course, self.weights = course, weights

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the numbers in."""
        numbers = {**{key: float(value) for key, value in (logs or {}).items()}, "training_seconds": self.clock()}
        self.history = self.history.after(
            numbers,
            at=int(time.time() * 1000),
            weights=self.weights,
            bicubic_psnr=self.bicubic_psnr,
            patience=self.plan.patience,
            last=self.model.stop_training or epoch + 1 == self.plan.epochs,
            selects=self.course.selects,
            warnings=self.course.warnings([*self.history.epochs, numbers]),
        )
        if self.history.over:
            self.model.stop_training = True


class KeepCheckpoints(keras.callbacks.Callback):  # type: ignore[misc]
    """Write a checkpoint after every epoch, and within one when the last is old.

    Args:
        checkpoints: Where to; None to keep none.
        capture: Gives the state of the training as it is.
        minutes: Age from which a checkpoint is old; None for never.
        last: The checkpoint that training goes on from.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        capture: Callable[[], Checkpoint],
        minutes: float | None,
        last: Checkpoint,
    ) -> None:
        super().__init__()
        self.checkpoints, self.capture, self.minutes = checkpoints, capture, minutes
        self.last, self.at = last, time.monotonic()
        self.warning: str | None = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Write when it is time."""
        if self.minutes is not None and time.monotonic() - self.at >= self.minutes * 60:
            self.save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write."""
        self.save()

    def save(self) -> None:
        """Write the state as it is, unless nothing has changed or the weights are no numbers.

        What can't be written, on a full disk for one, is said and does not end training.
        """
        if self.checkpoints is None:
            return
        found = self.capture()
        same = self.last.step == found.step and self.last.history is found.history
        self.last = found
        if same or not found.finite():
            return
        self.at = time.monotonic()
        try:
            self.checkpoints.save(found)
        except OSError as error:
            if self.warning is None:
                self.warning = f"checkpoints could not be written, the first at step {found.step}: {error}"
                logger.warning("%s", self.warning)
