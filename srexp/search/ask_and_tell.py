"""A worker of a search: it asks for a trial, trains it, and tells what came of it, until there are enough.

Ask and tell are the field's words for an optimiser that leaves it to its caller to evaluate what it suggests.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from srexp.errors import SrexpError
from srexp.system.masking.pseudonyms import pseudonymised

POLL_SECONDS = 1.0


class Pruned(Exception):  # noqa: N818 - as Optuna's TrialPruned, it is no error
    """The engine gave a trial up; raised by `RunningTrial.report` and let through by whoever trains."""


@dataclass(frozen=True, kw_only=True)
class RunningTrial(ABC):
    """One trial in the hands of the worker that trains it.

    Args:
        number: Number of the trial in its study.
        values: Configuration keys to the chosen values, those whose condition doesn't hold left out.
        epochs: Epochs that the engine grants; None where it leaves the number to the configuration.
    """

    number: int
    values: Mapping[str, Any]
    epochs: int | None = None

    def report(self, epoch: int, val_psnr: float) -> None:
        """Tell the engine how far the trial is.

        Args:
            epoch: Number of the epoch, from 1.
            val_psnr: Validation PSNR after it, in dB.

        Raises:
            Pruned: The engine gives the trial up.
            SrexpError: The PSNR is no finite number.
        """
        require_finite([val_psnr], [f"val_psnr after epoch {epoch}"])
        self._report(epoch, val_psnr)

    @abstractmethod
    def _report(self, epoch: int, val_psnr: float) -> None:
        """Keep the point of the curve; raise `Pruned` where the engine gives the trial up."""

    @abstractmethod
    def note(self, **facts: Any) -> None:
        """Keep facts with the trial at once, so that they survive whatever happens to this process."""


#: Trains one trial and gives the value of each objective.
Train: TypeAlias = Callable[[RunningTrial], Sequence[float]]


@dataclass(frozen=True)
class TrialOutcome:
    """What came of a trial.

    Args:
        state: How it ended; `interrupted` is no fault of the trial, whose values are to be tried again.
        objectives: Value of each objective; only of a finished trial.
        reason: Why it did not finish.
    """

    state: Literal["finished", "pruned", "failed", "interrupted"]
    objectives: Sequence[float] | None = None
    reason: str | None = None


class AskAndTell(ABC):
    """Who gives a worker its trials and is told what came of them: a study, or the chief that has one elsewhere."""

    @abstractmethod
    def ask(self) -> RunningTrial | Literal["wait", "over"]:
        """Give the next trial; `wait` where those that run may be enough or may fail, `over` at the end of the search.

        Raises:
            SrexpError: Too many trials failed, or the trials can't be reached.
        """

    @abstractmethod
    def tell(self, trial: RunningTrial, outcome: TrialOutcome) -> None:
        """Take what came of a trial, unless it was given to another worker meanwhile."""

    def signs_of_life(self, trial: RunningTrial) -> AbstractContextManager[None]:
        """Let other machines know, while a trial is trained, that its worker lives."""
        return nullcontext()

    def work(self, train: Train) -> None:
        """Train trials until the search is over; several processes may.

        A NaN objective and an exception fail their trial, with the reason noted, and the next one begins. Ctrl-C,
        SIGTERM and SystemExit pass through; their trial is failed and queued again.

        Args:
            train: Trains one trial.

        Raises:
            SrexpError: Too many trials failed, or the trials can't be reached.
        """
        while (asked := self.ask()) != "over":
            if isinstance(asked, RunningTrial):
                self._train(asked, train)
            else:
                time.sleep(POLL_SECONDS)

    def _train(self, trial: RunningTrial, train: Train) -> None:
        try:
            with self.signs_of_life(trial):
                outcome = TrialOutcome("finished", require_finite(train(trial), self.objectives))
        except Pruned as pruned:
            outcome = TrialOutcome("pruned", reason=str(pruned))
        except Exception as error:  # noqa: BLE001 - whatever a trial does, the search goes on; the reason is kept
            outcome = TrialOutcome("failed", reason=reason_of(error))
        except BaseException as error:
            self.tell(trial, TrialOutcome("interrupted", reason=f"interrupted: {reason_of(error)}"))
            raise
        self.tell(trial, outcome)

    @property
    @abstractmethod
    def objectives(self) -> Sequence[str]:
        """Names of the values that a trial comes to."""


def require_finite(values: Sequence[float], names: Sequence[str]) -> list[float]:
    """Give values on, if they are numbers that can be compared.

    Args:
        values: What a trial came to.
        names: What each is called.

    Raises:
        SrexpError: One is NaN or infinite.
    """
    for name, value in zip(names, values, strict=True):
        if not math.isfinite(value):
            raise SrexpError(f"{name} is {value}, no finite number")
    return [float(value) for value in values]


def reason_of(error: BaseException) -> str:
    """Say in one line why a trial failed."""
    lines = pseudonymised(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
