"""Progress of training: a bar over steps or clock, and a line for each epoch that stays."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import keras
from rich.progress import BarColumn, Progress, TextColumn

from srexp.system.terminal import Terminal
from srexp.training.best_epoch import History
from srexp.training.checkpoint import Checkpoint
from srexp.training.plan import Plan

#: Where there is no terminal, a minute without a line gets one.
HEARTBEAT_SECONDS = 60.0


class ShowProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Show a bar over what ends training first, steps or wall time, on a terminal; and a line for each epoch anywhere.

    Args:
        plan: Length of training.
        start: What was done before, when a run is resumed.
        history: Gives the numbers of the epochs, the one that just ended included.
        bicubic_psnr: Validation PSNR of bicubic, in dB; what a network gains is said over it.
        clock: Seconds, of which differences count.
    """

    def __init__(
        self,
        plan: Plan,
        start: Checkpoint,
        history: Callable[[], History],
        bicubic_psnr: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.plan, self.before, self.done = plan, start, start.step
        self.history, self.bicubic_psnr, self.clock = history, bicubic_psnr, clock
        self.started = self.told = clock()
        self.began, self.stepped, self.epoch = (self.done, self.started), self.started, 1
        self.console = Terminal(stderr=True)
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self.console.is_terminal,
            expand=True,
        )
        self.task = self.bar.add_task("train", total=1.0, epoch=f"1/{plan.epochs}", left="")
        self.bar.update(self.task, completed=self.share())

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Draw the bar."""
        self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show which epoch it is."""
        self.began, self.epoch = (self.done, self.clock()), epoch + 1
        self.bar.update(self.task, epoch=f"{self.epoch}/{self.plan.epochs}")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Move on by one step."""
        self.done, self.stepped = self.done + 1, self.clock()
        self.bar.update(self.task, completed=self.share(), left=f"{_clock(self.seconds_left())} left")
        if self.bar.disable and self.clock() - self.told >= HEARTBEAT_SECONDS:
            self._say(f"step {self.done}/{self.plan.total_steps}, {self.share():.0%}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Say what the epoch came to: it is in the history by now."""
        history, (before, began) = self.history(), self.began
        numbers = history.epochs[-1]
        said = [f"loss {numbers['loss']:.4g}", f"val {numbers['val_psnr']:.3f} dB"]
        if math.isfinite(gain := numbers["val_psnr"] - self.bicubic_psnr):
            said.append(f"{gain:+z.3f} dB")
        if "discriminator_loss" in numbers:
            said.append(f"discriminator {numbers['discriminator_loss']:.3g}")
        said.append(f"lr {numbers['lr']:.2g}")
        if self.stepped > began:  # nothing of an epoch that lacked but its validation
            said.append(f"{(self.done - before) * self.plan.patches / (self.stepped - began):.0f}/s")
        if history.best_epoch == len(history.epochs):
            said.append("best")
        self.epoch = epoch + 1
        self._say("  ".join(said))

    def finish(self) -> None:
        """Fill the bar: training ended in order, with its last epoch, its time or its patience."""
        self.bar.update(self.task, completed=1.0, left="done")

    def close(self) -> None:
        """Let the bar stay as it is, however training ended."""
        self.bar.stop()

    def share(self) -> float:
        """Tell how much of the training is over, from 0 to 1."""
        steps, limit = self.done / self.plan.total_steps, self.plan.max_seconds
        return max(steps, min(self._seconds() / limit, 1.0)) if limit else steps

    def seconds_left(self) -> float:
        """Estimate the time that remains: what the steps so far took, validation included, or what the plan leaves."""
        elapsed = self.clock() - self.started
        left = elapsed / max(self.done - self.before.step, 1) * (self.plan.total_steps - self.done)
        limit = self.plan.max_seconds
        return min(left, limit - self._seconds()) if limit else left

    def _seconds(self) -> float:
        return self.before.seconds + self.clock() - self.started

    def _say(self, text: str) -> None:
        self.told = self.clock()
        left = "" if self.console.is_terminal else f"  {_clock(self.seconds_left())} left"
        self.console.print(f"epoch {self.epoch}/{self.plan.epochs}  {text}{left}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
