"""What the two engines have in common: how a search is described, and what a worker sees of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeAlias

from pydantic import Field

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
class Search:
    """The keys that every engine has: the section `search` of the configuration.

    Args:
        folder: Where this study's state is kept, `mlruns/studies/NAME`; given at run time.
        name: Name of the study; the same name goes on with the same study.
        trials: Finished and pruned trials to reach in all.
        workers: Processes that train trials at the same time on this machine.
        space: Configuration key to its distribution, see `srexp.search.space`.
        objectives: What is sought; several give a Pareto front.
        max_failures: Failed trials after which the search gives up.
        retrain: Train the best trial once more, in full; else it is taken as it is.
        storage: Database URL that several machines share (`postgresql://...`, `mysql://...`); None: files in `folder`.
        seed: Of the sampler; None: the seed of the configuration.
    """

    folder: Path
    name: str
    space: dict[str, Any]
    trials: Annotated[int, Field(ge=1)] = 20
    workers: Annotated[int, Field(ge=1)] = 1
    objectives: list[Objective] = field(default_factory=lambda: ["val_psnr"])
    max_failures: Annotated[int, Field(ge=0)] = 5
    retrain: bool = False
    storage: str | None = None
    seed: int | None = None
