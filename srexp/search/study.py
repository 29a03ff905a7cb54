"""What the two engines have in common: how a search is described, and what a worker sees of it."""

# No postponed annotations: an engine's module must resolve the types of the keys that it inherits.
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeAlias

from pydantic import Field

from srexp.errors import RequestError, SrexpError
from srexp.search.space import Space
from srexp.types import Trial

Objective: TypeAlias = Literal["val_psnr", "seconds"]
"""`val_psnr`: best validation PSNR in dB, to be large. `seconds`: inference time of one image, to be small."""


class Pruned(Exception):  # noqa: N818 - as Optuna's TrialPruned, it is no error
    """The engine gave a trial up; raised by `Attempt.report` and let through by whoever trains."""


class Attempt(Protocol):
    """One trial in the hands of the worker that trains it."""

    @property
    def number(self) -> int:
        """Number of the trial in its study."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Configuration keys to the chosen values, those whose condition doesn't hold left out."""

    @property
    def epochs(self) -> int | None:
        """Epochs that the engine grants; None where it leaves the number to the configuration."""

    def report(self, epoch: int, val_psnr: float) -> None:
        """Tell the engine how far the trial is.

        Args:
            epoch: Number of the epoch, from 1.
            val_psnr: Validation PSNR after it, in dB.

        Raises:
            Pruned: The engine gives the trial up.
        """

    def note(self, **facts: Any) -> None:
        """Keep facts with the trial at once, so that they survive whatever happens to this process."""


Work: TypeAlias = Callable[[Attempt], Sequence[float]]
"""Trains one trial and gives the value of each objective."""


class Study(Protocol):
    """A search that is remembered on disk or in a database, and shared by its workers."""

    def trials(self) -> list[Trial]:
        """Give all trials, by number."""

    def about(self) -> dict[str, Any]:
        """Give what was noted of the study itself: its space, the data's fingerprint, the parent run."""

    def describe(self, **facts: Any) -> None:
        """Note facts of the study itself."""

    def alone(self) -> AbstractContextManager[object]:
        """Keep other drivers, of all machines that share the study, from deciding at the same time."""

    def retry(self, number: int, reason: str) -> None:
        """End a trial whose worker is gone as failed, for this reason, and queue its values for a new trial.

        One that is not running any more is left as it is, so that two who notice the same do no harm.
        """

    def work(self, train: Work) -> None:
        """Train trials until the asked number is finished or pruned, or too many failed; several processes may.

        A NaN objective and an exception fail their trial, with the reason noted, and the next one begins. Ctrl-C,
        SIGTERM and SystemExit pass through; their trial is failed and queued again.
        """


@dataclass(frozen=True, kw_only=True)
class Search(ABC):
    """The keys that every engine has: the section `search` of the configuration.

    Args:
        folder: Where this study's state is kept, `mlruns/studies/NAME`; given at run time.
        name: Name of the study; the same name goes on with the same study.
        trials: Finished and pruned trials to reach in all.
        workers: Processes that train trials at the same time on this machine.
        threads: Threads that each of them computes with; None: the processors, shared out among them.
        space: Configuration key to its distribution, see `srexp.search.space`.
        objectives: What is sought; several give a Pareto front.
        max_failures: Failed trials after which the search gives up.
        retrain: Train the best trial once more, in full; else it is taken as it is.
        storage: Database URL that several machines share (`postgresql://...`, `mysql://...`); None: files in `folder`.
        seed: Of the sampler; None: the seed of the configuration.

    Raises:
        RequestError: Something can't work, whatever the trials do; said before anything runs.
    """

    folder: Path
    name: str
    space: dict[str, Any] | None
    trials: Annotated[int, Field(ge=1)] = 20
    workers: Annotated[int, Field(ge=1)] = 1
    threads: Annotated[int, Field(ge=1)] | None = None
    objectives: list[Objective] = field(default_factory=lambda: ["val_psnr"])
    max_failures: Annotated[int, Field(ge=0)] = 5
    retrain: bool = False
    storage: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what can't work; engines add what they can't."""
        Space.parse(self.space or {})
        if not self.name:
            raise RequestError("search.name is empty", expected="the name of the study", fix="search.name=NAME")
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise RequestError(
                "search.objectives are not one or several different ones",
                got=self.objectives,
                expected="[val_psnr], or [val_psnr, seconds]",
            )

    @property
    def parsed(self) -> Space:
        """The space, checked."""
        return Space.parse(self.space or {})

    @abstractmethod
    def open(self, *, seed: int, epochs: int) -> Study:
        """Open the study of this name, or begin it.

        Args:
            seed: Seed of the configuration, for a sampler without its own.
            epochs: Epochs of a trial that isn't pruned: the budget that engines share out.

        Raises:
            SrexpError: What is kept can't be reached or read.
        """


MAX_RETRIES = 3
"""How often the values of a trial whose worker died are tried again, before the trial itself is blamed."""


def give_up(trials: Sequence[Trial], max_failures: int) -> None:
    """End a search of which too many trials failed; those whose values are tried again don't count.

    Args:
        trials: Of the study.
        max_failures: How many may.

    Raises:
        SrexpError: More did.
    """
    again = {trial.facts.get("retry_of") for trial in trials}
    failed = [
        trial
        for trial in trials
        if trial.state == "failed" and trial.number not in again and not trial.facts.get("requeued")
    ]
    if len(failed) > max_failures:
        last = max(failed, key=lambda trial: (trial.ended is not None and trial.ended.timestamp(), trial.number))
        raise SrexpError(
            f"{len(failed)} trials failed, more than search.max_failures={max_failures}; "
            f"trial {last.number} last: {last.facts.get('reason', 'its reason was not kept')}",
            fix=f"mend the cause, then search.max_failures={len(failed)} goes on with this study",
        )


def finite(values: Sequence[float], names: Sequence[str]) -> list[float]:
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
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
