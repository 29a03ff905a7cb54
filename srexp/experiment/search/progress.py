"""How far a search is: a bar over its trials with the time left, and a line for each trial that ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from srexp.system.terminal import Terminal
from srexp.types import Trial

ENDED = ("finished", "pruned", "failed")
#: Where there is no terminal, a minute without a line gets one.
HEARTBEAT_SECONDS = 60.0


class SearchProgress(Progress):
    """Shows the trials of a study as they end.

    Time left is what the trials of this call took on average, for those that are still wanted.

    Args:
        total: Finished and pruned trials that are wanted.
        clock: Seconds, of which differences count.
    """

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        console = Terminal(stderr=True)
        super().__init__(
            TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[numbers]}"),
            TextColumn("[cyan]{task.fields[left]}"), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self.total = total
        self.told: set[int] | None = None
        self.clock, self.before = clock, 0
        self.began = self.said = clock()
        self.bar = self.add_task("search", total=total, numbers="", left="")

    @staticmethod
    def done(trials: Sequence[Trial]) -> int:
        """Count the trials that were asked for: finished and pruned ones."""
        return sum(trial.state in ("finished", "pruned") for trial in trials)

    def show(self, trials: Sequence[Trial]) -> None:
        """Show what came since the last time."""
        done = self.done(trials)
        if self.told is None:
            self.told = {trial.number for trial in trials if trial.state in ENDED}
            self.before = done
        left = self._left(done)
        for trial in trials:
            if trial.state in ENDED and trial.number not in self.told:
                self.told.add(trial.number)
                self._say(f"{_line(trial)}; {done}/{self.total}, {left}")
        running = [trial for trial in trials if trial.state == "running"]
        best = max((trial.objectives[0] for trial in trials if trial.objectives), default=None)
        numbers = f"{len(running)} running" + (f", best {best:.3f}" if best is not None else "")
        self.update(self.bar, completed=done, numbers=numbers, left=left)
        if self.disable and done < self.total and self.clock() - self.said >= HEARTBEAT_SECONDS:
            self._say(f"trials {done}/{self.total}, {numbers}, {left}")

    def _say(self, text: str) -> None:
        self.said = self.clock()
        self.console.print(text)

    def _left(self, done: int) -> str:
        fresh, left = done - self.before, self.total - done
        if left <= 0:
            return "done"
        if not fresh:
            return "time left unknown"
        seconds = round((self.clock() - self.began) / fresh * left)
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"


def _line(trial: Trial) -> str:
    values = " ".join(f"{key}={_short(value)}" for key, value in trial.values.items())
    came = {
        "finished": " ".join(f"{value:.4g}" if value < 1 else f"{value:.3f}" for value in trial.objectives or ()),
        "pruned": f"after epoch {max(trial.curve, default=0)}",
        "failed": str(trial.facts.get("reason", "")),
    }[trial.state]
    return f"trial {trial.number} {trial.state} {came}  {values}"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
