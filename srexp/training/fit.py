"""Fit a model to batches, keep the weights of the best validation epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

Scores = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to train.

    Args:
        epochs: Number of epochs.
        steps_per_epoch: Optimizer steps in each.
        max_minutes: Wall time after which training stops; None for no limit.
        patience: Epochs without a better validation PSNR after which training stops; None for never.
    """

    epochs: int
    steps_per_epoch: int
    max_minutes: float | None = None
    patience: int | None = None


@dataclass
class Fitted:
    """What training led to.

    Args:
        best_epoch: Epoch with the best validation PSNR, from 1; 0 when nothing was trained.
        history: Numbers of every epoch, in order.
        seconds: Wall time of training, validation included.
        train_seconds: The same without validation.
        steps: Optimizer steps taken.
        warnings: What the user should know of the course of training.
        bicubic_psnr: Validation PSNR of bicubic, in dB; None when nothing was trained.
    """

    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    train_seconds: float = 0.0
    steps: int = 0
    warnings: list[str] = field(default_factory=list)
    bicubic_psnr: float | None = None


def fit(
    model: keras.Model,
    batches: Any,
    *,
    loss: Any,
    optimizer: Any,
    schedule: Callable[[int, int], float],
    plan: Plan,
    validate: Callable[[], Scores],
    bicubic_psnr: float,
    on_epoch: Callable[[int, Scores], None],
) -> Fitted:
    """Train a model; it ends with the weights of its best validation epoch.

    Args:
        model: A Keras model; compiled here.
        batches: `tf.data.Dataset` of (low, high) over all steps of all epochs.
        loss: Keras loss.
        optimizer: Keras optimizer; its learning rate is what the schedule multiplies.
        schedule: Multiplier of the learning rate at (step, total steps).
        plan: Length of training.
        validate: Gives `val_psnr` and `val_ssim` of the model as it is.
        bicubic_psnr: Validation PSNR of bicubic, in dB, to call out a network that does nothing.
        on_epoch: Receives each epoch's number, from 1, and numbers.

    Returns:
        Best epoch, history and timing.

    Raises:
        SrexpError: The loss was no number or exploded.
    """
    import keras

    from srexp.training.callbacks import FollowSchedule, Report, StopOnExplosion, Validate
    from srexp.training.progress import ShowProgress

    fitted = Fitted(bicubic_psnr=bicubic_psnr)
    total, max_seconds = plan.epochs * plan.steps_per_epoch, plan.max_minutes and plan.max_minutes * 60
    check = Validate(validate, bicubic_psnr, fitted.warnings.append)
    pace = FollowSchedule(schedule, total, max_seconds)
    best = keras.callbacks.EarlyStopping(
        monitor="val_psnr", mode="max", patience=plan.patience or plan.epochs + 1, restore_best_weights=True
    )
    progress = ShowProgress(plan.epochs, plan.steps_per_epoch, max_seconds)

    def record(epoch: int, numbers: Scores) -> None:
        fitted.history.append(dict(numbers))
        on_epoch(epoch, numbers)

    # XLA has no kernel for bicubic resizing.
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    start = time.perf_counter()
    try:
        model.fit(
            batches,
            epochs=plan.epochs,
            steps_per_epoch=plan.steps_per_epoch,
            callbacks=[pace, StopOnExplosion(), check, progress, Report(record), best],
            shuffle=False,
            verbose=0,
        )
    finally:
        progress.close()
    fitted.seconds = time.perf_counter() - start
    fitted.train_seconds = fitted.seconds - check.seconds
    fitted.best_epoch, fitted.steps = best.best_epoch + 1, pace.step
    return fitted
