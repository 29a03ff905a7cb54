"""A study that Optuna keeps, in a journal or a database; imports Optuna, so it is imported only where one is opened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as State

from srexp.search.ask_and_tell import Pruned, RunningTrial, TrialOutcome
from srexp.search.heartbeat import GRACE_SECONDS, heartbeat
from srexp.search.optuna import storage as shared_storage
from srexp.search.parameter import Parameter
from srexp.search.study import Search, Study
from srexp.types import Trial, TrialState

log = logging.getLogger(__name__)

_STATES: dict[State, TrialState] = {
    State.WAITING: "waiting",
    State.RUNNING: "running",
    State.COMPLETE: "finished",
    State.PRUNED: "pruned",
    State.FAIL: "failed",
}
_ENDS: dict[str, State] = {state: own for own, state in _STATES.items()}
_DIRECTIONS: dict[str, Literal["maximize", "minimize"]] = {"val_psnr": "maximize", "seconds": "minimize"}


@dataclass(frozen=True, kw_only=True)
class OptunaTrial(RunningTrial):
    """A trial of Optuna in the hands of its worker.

    Args:
        trial: As Optuna has it.
        prunes: Whether Optuna may give it up, which it can't with several objectives.
    """

    trial: optuna.Trial
    prunes: bool

    def _report(self, epoch: int, val_psnr: float) -> None:
        if not self.prunes:
            self.note(curve={**self.trial.user_attrs.get("curve", {}), str(epoch): val_psnr})
            return
        self.trial.report(val_psnr, epoch)
        if self.trial.should_prune() and self._one_finished():
            raise Pruned(f"given up after epoch {epoch} with {val_psnr:.2f} dB")

    def _one_finished(self) -> bool:
        """Whether the search has a network already: trials that died count for the pruner, and could end all others."""
        return bool(self.trial.study.get_trials(deepcopy=False, states=(State.COMPLETE,)))

    def note(self, **facts: Any) -> None:
        """Keep facts with the trial at once."""
        for name, fact in facts.items():
            self.trial.set_user_attr(name, fact)


class OptunaStudy(Study):
    """A study in a journal or a database.

    Args:
        search: Name, space, objectives, storage, and how many trials are wanted.
        pruner: Gives trials up.
        sampler_of: Builds the sampler for the trial of a number.
    """

    def __init__(self, search: Search, pruner: BasePruner, sampler_of: Callable[[int], BaseSampler]) -> None:
        super().__init__(search)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sampler_of = sampler_of
        self._url = shared_storage.parse_url(search.storage) if search.storage else None
        with self.locked():
            opened = shared_storage.open_database(self._url, self._requeue_stale) if self._url else None
            self._storage = opened or shared_storage.open_journal(search.folder)
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=search.name,
                directions=[_DIRECTIONS[name] for name in search.objectives],
                pruner=pruner,
                load_if_exists=True,
            )
            self._study_id = self._storage.get_study_id_from_name(search.name)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        with super()._lock(name):
            if self._url is None:
                yield
                return
            shared = self.search.name if name == "study" else f"{name} of {self.search.name}"
            with shared_storage.database_lock(self._url, shared):
                yield

    # What is known

    def trials(self) -> list[Trial]:
        """Give all trials, by number."""
        return [self._trial(frozen) for frozen in self._study.get_trials(deepcopy=False)]

    def _trial(self, frozen: FrozenTrial) -> Trial:
        facts = dict(frozen.user_attrs)
        curve = facts.pop("curve", None) or frozen.intermediate_values
        state = _STATES[frozen.state]
        if state == "failed":  # each failure notes its reason, but for the one that Optuna itself finds
            facts.setdefault("reason", f"its worker gave no sign of life for {GRACE_SECONDS} s")
        return Trial(
            number=frozen.number,
            state=state,
            values=self.space.decode(_held(frozen)),
            objectives=tuple(frozen.values) if state == "finished" else None,
            curve={int(epoch): value for epoch, value in sorted(curve.items(), key=lambda pair: int(pair[0]))},
            facts=facts,
            started=frozen.datetime_start and frozen.datetime_start.astimezone(),
            ended=frozen.datetime_complete and frozen.datetime_complete.astimezone(),
        )

    def about(self) -> dict[str, Any]:
        """Give what was noted of the study itself."""
        return dict(self._study.user_attrs)

    def describe(self, **facts: Any) -> None:
        """Note facts of the study itself."""
        for name, fact in facts.items():
            self._study.set_user_attr(name, fact)

    # Drawing trials

    def _draw(self, trials: Sequence[Trial], owner: Mapping[str, Any]) -> OptunaTrial | None:
        if self.search.is_grid and not any(trial.state == "waiting" for trial in trials):
            fresh = self.space.next_untried(trial.values for trial in trials)
            if fresh is None:
                return None
            self._study.enqueue_trial(self.space.encode(fresh))
        self._study.sampler = self._sampler_of(len(trials))
        with shared_storage.quiet():
            trial = self._study.ask()
            for name, fact in owner.items():
                trial.set_user_attr(name, fact)
            self._beat(trial.number)
            values = self.space.draw(lambda parameter: _suggest(trial, parameter))
        return OptunaTrial(number=trial.number, values=values, trial=trial, prunes=len(self.objectives) == 1)

    def signs_of_life(self, trial: RunningTrial) -> AbstractContextManager[None]:
        """Tell a shared database that this worker lives, until the trial ends."""
        if self._url is None:
            return super().signs_of_life(trial)
        return heartbeat(lambda: self._beat(trial.number))

    def _beat(self, number: int) -> None:
        if self._url is not None and isinstance(self._storage, RDBStorage):
            with shared_storage.translated(self._url):
                self._storage.record_heartbeat(self._trial_id(number))

    # What becomes of them

    def _enqueue(self, number: int, facts: Mapping[str, Any]) -> None:
        self._study.enqueue_trial(_held(self._study.get_trials(deepcopy=False)[number]), user_attrs=dict(facts))

    def _end(self, number: int, outcome: TrialOutcome, **facts: Any) -> None:
        if outcome.reason is not None:
            facts["reason"] = outcome.reason
        for name, fact in facts.items():
            self._storage.set_trial_user_attr(self._trial_id(number), name, fact)
        self._study.tell(number, outcome.objectives, _ENDS[outcome.state])

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _give_back_orphans(self) -> None:
        super()._give_back_orphans()
        if self._url is not None:
            with shared_storage.quiet():
                fail_stale_trials(self._study)

    def _requeue_stale(self, _: optuna.Study, frozen: FrozenTrial) -> None:
        """Called by Optuna, with the lock held, for a trial that it failed because its heartbeat stopped."""
        self._requeue(self._trial(frozen), died=True)
        log.warning("trial %d: its worker gave no sign of life", frozen.number)


def _held(frozen: FrozenTrial) -> dict[str, Any]:
    """What was drawn for a trial, and what was queued for it and not drawn yet."""
    return {**frozen.system_attrs.get("fixed_params", {}), **frozen.params}


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Any:
    """Let the sampler choose a value of a parameter."""
    name, low, high = parameter.name, parameter.low, parameter.high
    if parameter.kind == "categorical":
        return parameter.decode(trial.suggest_categorical(name, parameter.encoded))
    if parameter.kind == "int":
        step = int(parameter.step or 1)
        return parameter.decode(trial.suggest_int(name, int(low), int(high), step=step, log=parameter.log))
    return parameter.decode(trial.suggest_float(name, low, high, step=parameter.step, log=parameter.log))
