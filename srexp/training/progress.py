"""Progress of training: loss, validation scores and time left, on a terminal or as plain lines."""

from __future__ import annotations

import math
import time

import keras
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from srexp.system.terminal import Terminal
from srexp.training.checkpoint import Checkpoint
from srexp.training.plan import Plan


class ShowProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Show a bar over all steps of training, or a line per epoch where there is no terminal.

    Time left is what the steps so far took, validation included, for the steps to come, and no more than what
    the plan's wall time leaves.

    Args:
        plan: Length of training.
        start: What was done before, when a run is resumed.
    """

    def __init__(self, plan: Plan, start: Checkpoint) -> None:
        super().__init__()
        self.plan, self.before, self.done = plan, start, start.step
        self.started = time.monotonic()
        self.scores = ""
        self.console = Terminal(stderr=True)
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TextColumn("[cyan]{task.fields[left]} left"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(
            "train", total=plan.total_steps, completed=self.done, epoch=f"1/{plan.epochs}", numbers="", left="?"
        )

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Draw the bar."""
        self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show which epoch it is."""
        self.bar.update(self.task, epoch=f"{epoch + 1}/{self.plan.epochs}")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Move on by one step."""
        self.done += 1
        loss = float((logs or {}).get("loss", math.nan))
        numbers, left = f"loss {loss:.4g}{self.scores}", _clock(self.seconds_left())
        self.bar.update(self.task, completed=self.done, numbers=numbers, left=left)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show the validation scores."""
        numbers = logs or {}
        self.scores = f"  val {numbers.get('val_psnr', math.nan):.3f} dB / {numbers.get('val_ssim', math.nan):.4f}"
        if self.bar.disable:
            self.console.print(
                f"epoch {epoch + 1}/{self.plan.epochs}  loss {numbers.get('loss', math.nan):.4g}{self.scores}"
                f"  {_clock(self.seconds_left())} left",
            )

    def close(self) -> None:
        """Take the bar away, however training ends."""
        self.bar.stop()

    def seconds_left(self) -> float:
        """Estimate the time that remains."""
        elapsed = time.monotonic() - self.started
        left = elapsed / max(self.done - self.before.step, 1) * (self.plan.total_steps - self.done)
        limit = self.plan.max_seconds
        return min(left, limit - self.before.seconds - elapsed) if limit else left


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
