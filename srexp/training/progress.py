"""Progress of training: loss, validation scores and time left, on a terminal or as plain lines."""

from __future__ import annotations

import math
import sys
import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class ShowProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Show a bar over all steps of training, or a line per epoch where there is no terminal.

    Time left is what the steps so far took, validation included, for the steps to come, and no more than what
    `max_seconds` leaves.

    Args:
        epochs: Number of epochs.
        steps_per_epoch: Steps in each.
        max_seconds: Wall time after which training ends.
        first_step: Steps done before, when a run is resumed.
        seconds: Time spent on them.
    """

    def __init__(
        self,
        epochs: int,
        steps_per_epoch: int,
        max_seconds: float | None = None,
        first_step: int = 0,
        seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self.epochs, self.total, self.max_seconds = epochs, epochs * steps_per_epoch, max_seconds
        self.first, self.done, self.before = first_step, first_step, seconds
        self.started = time.monotonic()
        self.scores = ""
        self.console = Console(file=sys.stderr)
        self.bar: Progress | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Draw the bar."""
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[numbers]}"),
                TextColumn("[cyan]{task.fields[left]} left"),
                console=self.console,
            )
            self.task = self.bar.add_task(
                "train", total=self.total, completed=self.done, epoch=f"1/{self.epochs}", numbers="", left="?"
            )
            self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show which epoch it is."""
        if self.bar:
            self.bar.update(self.task, epoch=f"{epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Move on by one step."""
        self.done += 1
        if self.bar:
            loss = float((logs or {}).get("loss", math.nan))
            self.bar.update(
                self.task,
                completed=self.done,
                numbers=f"loss {loss:.4g}{self.scores}",
                left=_clock(self.seconds_left()),
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show the validation scores."""
        numbers = logs or {}
        self.scores = f"  val {numbers.get('val_psnr', math.nan):.3f} dB / {numbers.get('val_ssim', math.nan):.4f}"
        if not self.bar:
            self.console.print(
                f"epoch {epoch + 1}/{self.epochs}  loss {numbers.get('loss', math.nan):.4g}{self.scores}"
                f"  {_clock(self.seconds_left())} left",
                highlight=False,
                soft_wrap=True,
            )

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leave the terminal as it was."""
        self.close()

    def close(self) -> None:
        """Take the bar away; also when training ends by an exception."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def seconds_left(self) -> float:
        """Estimate the time that remains."""
        elapsed = time.monotonic() - self.started
        left = elapsed / max(self.done - self.first, 1) * (self.total - self.done)
        return min(left, self.max_seconds - self.before - elapsed) if self.max_seconds else left


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
