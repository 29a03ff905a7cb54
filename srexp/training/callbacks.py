"""Small Keras callbacks, one concern each; imported only where training happens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from srexp.errors import SrexpError

Scores = Mapping[str, float]

#: A loss this many times the first epoch step's has exploded.
EXPLODED = 1e4
#: A network that changes validation PSNR by less than this, in dB, does nothing.
DEAD_DB = 1e-3


class Validate(keras.callbacks.Callback):  # type: ignore[misc]
    """Score the validation images after each epoch, and call out a network that does nothing.

    Args:
        score: Gives `val_psnr` and `val_ssim` of the model as it is.
        bicubic_psnr: Validation PSNR of bicubic, in dB.
        warn: Receives a warning, once.
    """

    def __init__(self, score: Callable[[], Scores], bicubic_psnr: float, warn: Callable[[str], None]) -> None:
        super().__init__()
        self.score, self.bicubic_psnr, self.warn = score, bicubic_psnr, warn
        self.seconds = 0.0
        self.still = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the scores to the logs, where the callbacks that follow find them."""
        start = time.perf_counter()
        scores = self.score()
        if logs is not None:
            logs.update(scores)
        self.seconds += time.perf_counter() - start
        self.still = self.still + 1 if abs(scores["val_psnr"] - self.bicubic_psnr) < DEAD_DB else 0
        if self.still == 2:  # noqa: PLR2004 - twice in a row is no accident of early training
            self.warn(
                f"dead network: after epoch {epoch + 1} its output equals bicubic to {DEAD_DB} dB; "
                "lower optimizer.lr, lengthen schedule.warmup_steps or choose another model.start"
            )


class FollowSchedule(keras.callbacks.Callback):  # type: ignore[misc]
    """Set the learning rate of every step.

    Args:
        multiplier: Learning-rate factor of (step, total steps).
        total_steps: Steps of the whole training.
        max_seconds: Wall time after which training ends; progress then is the larger of the two shares.
    """

    def __init__(
        self, multiplier: Callable[[int, int], float], total_steps: int, max_seconds: float | None, first_step: int = 0
    ) -> None:
        super().__init__()
        self.multiplier, self.total, self.max_seconds, self.step = multiplier, total_steps, max_seconds, first_step
        self.started = time.monotonic()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Remember the learning rate that the multiplier refers to."""
        self.lr = float(self.model.optimizer.learning_rate)
        self.started = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Set the rate of this step."""
        factor = self.multiplier(self.step, self.total)
        if self.max_seconds:
            by_clock = int(self.total * min((time.monotonic() - self.started) / self.max_seconds, 1.0))
            # The clock may only hurry the fall at the end, never the warm-up at the start.
            if by_clock > self.step:
                factor = min(factor, self.multiplier(by_clock, self.total))
        self.model.optimizer.learning_rate = self.lr * factor
        self.step += 1

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop when the time is over."""
        if self.max_seconds and time.monotonic() - self.started >= self.max_seconds:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the rate."""
        if logs is not None:
            logs["lr"] = float(self.model.optimizer.learning_rate)


class StopOnExplosion(keras.callbacks.Callback):  # type: ignore[misc]
    """End training as failed when the loss is no number or has exploded."""

    def __init__(self) -> None:
        super().__init__()
        self.first: float | None = None
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the running loss of the epoch."""
        self.steps += 1
        loss = float((logs or {}).get("loss", 0.0))
        if self.first is None:
            self.first = loss
        if not math.isfinite(loss) or loss > EXPLODED * max(self.first, 1e-12):
            lr = float(self.model.optimizer.learning_rate)
            raise SrexpError(
                f"the loss exploded at step {self.steps} with learning rate {lr:.3g}",
                got=loss,
                fix=f"optimizer.lr={lr / 10:.1g}, a longer schedule.warmup_steps or optimizer.clip",
            )


class Report(keras.callbacks.Callback):  # type: ignore[misc]
    """Hand every epoch's numbers on.

    Args:
        on_epoch: Receives the number of the epoch, from 1, and its numbers.
    """

    def __init__(self, on_epoch: Callable[[int, Scores], None]) -> None:
        super().__init__()
        self.on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Convert and hand on."""
        self.on_epoch(epoch + 1, {key: float(value) for key, value in (logs or {}).items()})
