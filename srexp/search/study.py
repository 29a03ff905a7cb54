"""What the two engines have in common: how a search is described, and how its trials survive their workers."""

# No postponed annotations: an engine's module must resolve the types of the keys that it inherits.
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from filelock import FileLock
from pydantic import Field

from srexp.errors import RequestError, SrexpError
from srexp.search.ask_and_tell import AskAndTell, RunningTrial, TrialOutcome
from srexp.search.space import Space
from srexp.system.process_identity import facts_of, is_gone, is_named
from srexp.types import Trial

log = logging.getLogger(__name__)

#: `val_psnr`: best validation PSNR in dB, to be large. `seconds`: inference time of one image, to be small.
Objective: TypeAlias = Literal["val_psnr", "seconds"]

#: How often the values of a trial whose worker died are tried again, before the trial itself is blamed.
MAX_RETRIES = 3


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
        space = self.parsed
        if not self.name:
            raise RequestError("search.name is empty", expected="the name of the study", fix="search.name=my_search")
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise RequestError(
                "search.objectives are not one or several different ones",
                got=self.objectives,
                expected="[val_psnr], or [val_psnr, seconds]",
            )
        if self.is_grid:
            space.grid()

    @property
    def parsed(self) -> Space:
        """The space, checked."""
        return Space.parse(self.space or {})

    @property
    @abstractmethod
    def is_grid(self) -> bool:
        """Whether each combination of values is tried once, in order."""

    @abstractmethod
    def open(self, *, seed: int, epochs: int) -> "Study":
        """Open the study of this name, or begin it.

        Args:
            seed: Seed of the configuration, for a sampler without its own.
            epochs: Epochs of a trial that isn't pruned: the budget that engines share out.

        Raises:
            SrexpError: What is kept can't be reached or read.
        """


class Study(AskAndTell):
    """A search that is remembered on disk or in a database, and shared by its workers.

    Engines say how trials are drawn and kept; when one is drawn, and what becomes of it when its worker dies, is here.

    Args:
        search: Name, space, objectives, and how many trials are wanted.
    """

    def __init__(self, search: Search) -> None:
        self.search, self.space = search, search.parsed
        search.folder.mkdir(parents=True, exist_ok=True)

    @property
    def objectives(self) -> Sequence[str]:
        """What is sought."""
        return self.search.objectives

    # What is known

    @abstractmethod
    def trials(self) -> list[Trial]:
        """Give all trials, by number."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Give what was noted of the study itself: its space, the data's fingerprint, the parent run."""

    @abstractmethod
    def describe(self, **facts: Any) -> None:
        """Note facts of the study itself."""

    # Who decides

    def locked(self) -> AbstractContextManager[None]:
        """Keep the other workers, of all machines that share the study, from deciding at the same time."""
        return self._lock("study")

    def alone(self) -> AbstractContextManager[None]:
        """Keep other drivers, of all machines that share the study, from deciding at the same time."""
        return self._lock("parent")

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        with FileLock(self.search.folder / f"{name}.lock"):
            yield

    # Drawing trials

    def ask(self, owner: Mapping[str, Any] | None = None) -> RunningTrial | Literal["wait", "over"]:
        """Draw the next trial; those whose worker is gone are given back before.

        Args:
            owner: Facts that name who will train it; None for this process.

        Raises:
            SrexpError: Too many trials failed.
        """
        with self.locked():
            self._give_back_orphans()
            trials = self.trials()
            require_few_failures(trials, self.search.max_failures)
            wanted = self.search.trials - sum(trial.state in ("finished", "pruned") for trial in trials)
            running = sum(trial.state == "running" for trial in trials)
            if wanted <= 0:
                return "over"
            if running < wanted and (drawn := self._draw(trials, owner or facts_of())):
                return drawn
        if not running:
            log.info("the space has no values that were not tried")
        return "wait" if running else "over"

    @abstractmethod
    def _draw(self, trials: Sequence[Trial], owner: Mapping[str, Any]) -> RunningTrial | None:
        """With the lock held. Begin a trial with all its values, so that the next worker sees them.

        Args:
            trials: All so far.
            owner: Facts that name who will train it.

        Returns:
            None where the space has no values that were not tried.
        """

    # What becomes of them

    def tell(self, trial: RunningTrial, outcome: TrialOutcome) -> None:
        """Take what came of a trial, unless it was given to another worker meanwhile."""
        self.end(trial.number, outcome)

    def end(self, number: int, outcome: TrialOutcome) -> None:
        """End a trial, unless it was given to another worker meanwhile; an interrupted one's values are queued again.

        Args:
            number: Of the trial.
            outcome: What came of it.
        """
        with self.locked():
            trial = self.trials()[number]
            if trial.state != "running":
                log.warning("trial %d was given to another worker meanwhile, since this one seemed dead", number)
            elif outcome.state == "interrupted":
                self._give_back(trial, str(outcome.reason), died=False)
            else:
                if outcome.state == "failed":
                    log.warning("trial %d failed: %s", number, outcome.reason)
                self._end(number, outcome)

    def retry(self, number: int, reason: str) -> None:
        """End a trial whose worker is gone as failed, for this reason, and queue its values for a new trial.

        One that is not running any more is left as it is, so that two who notice the same do no harm.
        """
        with self.locked():
            trial = self.trials()[number]
            if trial.state == "running":
                self._give_back(trial, reason, died=True)

    def _give_back_orphans(self) -> None:
        """With the lock held."""
        for trial in self.trials():
            if trial.state == "running" and (reason := self._why_orphaned(trial)):
                self._give_back(trial, reason, died=True)

    def _why_orphaned(self, trial: Trial) -> str | None:
        """Say why a running trial has no worker any more; None where it has, as far as can be told.

        One that names no process in full was being drawn when its worker died.
        """
        return "its worker was killed" if not is_named(trial.facts) or is_gone(trial.facts) else None

    def _give_back(self, trial: Trial, reason: str, *, died: bool) -> None:
        """With the lock held. Queued first and failed then: a kill between the two loses nothing, nor doubles it."""
        requeued = self._requeue(trial, died=died)
        reason = reason if requeued else f"{reason}; so were the {MAX_RETRIES} trials before with the same values"
        log.warning("trial %d: %s", trial.number, reason)
        self._end(trial.number, TrialOutcome("failed", reason=reason), requeued=requeued)

    def _requeue(self, trial: Trial, *, died: bool) -> bool:
        """Queue the values of a trial, once; tell whether a new trial has or will have them."""
        deaths = trial.facts.get("deaths", 0) + died
        if deaths > MAX_RETRIES:
            return False
        if not any(other.facts.get("retry_of") == trial.number for other in self.trials()):
            self._enqueue(trial.number, {"retry_of": trial.number, "deaths": deaths})
        return True

    @abstractmethod
    def _enqueue(self, number: int, facts: Mapping[str, Any]) -> None:
        """With the lock held. Queue the values of a trial for a new one, unless they wait already.

        Args:
            number: Of the trial.
            facts: To be noted with the new one.
        """

    @abstractmethod
    def _end(self, number: int, outcome: TrialOutcome, **facts: Any) -> None:
        """With the lock held. End a running trial.

        Args:
            number: Of the trial.
            outcome: Its end, which is no interruption.
            facts: To be noted with it, besides the reason.
        """


def require_few_failures(trials: Sequence[Trial], max_failures: int) -> None:
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
