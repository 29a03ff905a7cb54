"""A study that Optuna keeps: which trial comes next, what it reports, and what becomes of it when its worker dies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock

from srexp.errors import SrexpError
from srexp.search.key import identity
from srexp.search.optuna import storage as shared_storage
from srexp.search.study import MAX_RETRIES, Pruned, Work, finite, give_up, reason_of
from srexp.system.process_identity import facts_of, is_gone, is_named
from srexp.types import Trial, TrialState

if TYPE_CHECKING:
    import optuna

    from srexp.search.key import Key
    from srexp.search.optuna.engine import Optuna

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0

_STATES: dict[str, TrialState] = {
    "WAITING": "waiting",
    "RUNNING": "running",
    "COMPLETE": "finished",
    "PRUNED": "pruned",
    "FAIL": "failed",
}
_DIRECTIONS: dict[str, Literal["maximize", "minimize"]] = {"val_psnr": "maximize", "seconds": "minimize"}


@dataclass(frozen=True)
class OptunaAttempt:
    """A trial of Optuna in the hands of its worker; see `srexp.search.study.Attempt`."""

    trial: optuna.Trial
    values: Mapping[str, Any]
    prunes: bool
    epochs: int | None = field(default=None, init=False)

    @property
    def number(self) -> int:
        """Number of the trial in its study."""
        return self.trial.number

    def report(self, epoch: int, val_psnr: float) -> None:
        """Tell Optuna how far the trial is; raises `Pruned` when it is given up."""
        finite([val_psnr], [f"val_psnr after epoch {epoch}"])
        if not self.prunes:
            self.trial.set_user_attr("curve", {**self.trial.user_attrs.get("curve", {}), str(epoch): val_psnr})
            return
        self.trial.report(val_psnr, epoch)
        if self.trial.should_prune() and self._one_finished():
            raise Pruned(f"given up after epoch {epoch} with {val_psnr:.2f} dB")

    def _one_finished(self) -> bool:
        """Whether the search has a network already: trials that died count for the pruner, and could end all others."""
        from optuna.trial import TrialState as State

        return bool(self.trial.study.get_trials(deepcopy=False, states=(State.COMPLETE,)))

    def note(self, **facts: Any) -> None:
        """Keep facts with the trial at once."""
        for name, fact in facts.items():
            self.trial.set_user_attr(name, fact)


class OptunaStudy:
    """A study in a journal or a database; see `srexp.search.study.Study`.

    Args:
        search: The section `search`.
        seed: Of the sampler.
        epochs: Of a trial that isn't pruned.
    """

    def __init__(self, search: Optuna, *, seed: int, epochs: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._search, self._seed = search, seed
        self._space = search.parsed
        self._url = shared_storage.parse_url(search.storage) if search.storage else None
        search.folder.mkdir(parents=True, exist_ok=True)
        self._file_lock = FileLock(search.folder / "study.lock")
        with self._locked():
            self._study = optuna.create_study(
                storage=self._open_storage(),
                study_name=search.name,
                directions=[_DIRECTIONS[name] for name in search.objectives],
                pruner=search.build_pruner(epochs),
                load_if_exists=True,
            )

    def _open_storage(self) -> optuna.storages.BaseStorage:
        if self._url is None:
            return shared_storage.open_journal(self._search.folder)
        return shared_storage.open_database(self._url, self._requeue_stale)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep the other workers, of all machines that share the study, from deciding at the same time."""
        with self._file_lock:
            if self._url is None:
                yield
                return
            with shared_storage.database_lock(self._url, self._search.name):
                yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other drivers, of all machines that share the study, from deciding at the same time."""
        with FileLock(self._search.folder / "parent.lock"):
            if self._url is None:
                yield
                return
            with shared_storage.database_lock(self._url, f"parent of {self._search.name}"):
                yield

    # What is known

    def trials(self) -> list[Trial]:
        """Give all trials, by number."""
        return [self._trial(frozen) for frozen in self._study.get_trials(deepcopy=False)]

    def _trial(self, frozen: optuna.trial.FrozenTrial) -> Trial:
        facts = dict(frozen.user_attrs)
        curve = facts.pop("curve", None) or frozen.intermediate_values
        state = _STATES[frozen.state.name]
        if state == "failed":  # each failure notes its reason, but for the one that Optuna itself finds
            facts.setdefault("reason", f"its worker gave no sign of life for {shared_storage.GRACE_SECONDS} s")
        return Trial(
            number=frozen.number,
            state=state,
            values=self._space.decode(_held(frozen)),
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

    # What becomes of a trial whose worker is gone

    def retry(self, number: int, reason: str) -> None:
        """End a running trial as failed, and queue its values for a new one, unless that was done too often."""
        with self._locked():
            self._give_back(self._study.get_trials(deepcopy=False)[number], reason, died=True)

    def _give_back(self, frozen: optuna.trial.FrozenTrial, reason: str, *, died: bool) -> None:
        """With the lock held. Queued first and failed then: a kill between the two loses nothing, nor doubles it."""
        from optuna.trial import TrialState as State

        if frozen.state != State.RUNNING:
            return
        again = self._requeue(frozen, died=died)
        reason = reason if again else f"{reason}; so were the {MAX_RETRIES} trials before with the same values"
        log.warning("trial %d: %s", frozen.number, reason)
        self._study._storage.set_trial_user_attr(frozen._trial_id, "reason", reason)
        self._study._storage.set_trial_state_values(frozen._trial_id, State.FAIL)

    def _requeue(self, frozen: optuna.trial.FrozenTrial, *, died: bool) -> bool:
        """Queue the values of a trial, once; tell whether a new trial has or will have them."""
        deaths = frozen.user_attrs.get("deaths", 0) + died
        if deaths > MAX_RETRIES:
            return False
        trials = self._study.get_trials(deepcopy=False)
        if not any(one.user_attrs.get("retry_of") == frozen.number for one in trials):
            facts = {"retry_of": frozen.number, "deaths": deaths}
            self._study.enqueue_trial(_held(frozen), user_attrs=facts)
        return True

    def _requeue_stale(self, _: optuna.Study, frozen: optuna.trial.FrozenTrial) -> None:
        """Called by Optuna, with the lock held, for a trial that it failed because its heartbeat stopped."""
        self._requeue(frozen, died=True)
        log.warning("trial %d: its worker gave no sign of life", frozen.number)

    def _give_back_orphans(self) -> None:
        """With the lock held. A trial that names no process in full was being drawn when its worker died."""
        for frozen in self._running():
            if not is_named(frozen.user_attrs) or is_gone(frozen.user_attrs):
                self._give_back(frozen, "its worker was killed", died=True)
        if self._url is not None:
            from optuna.storages import fail_stale_trials

            with shared_storage.quiet():
                fail_stale_trials(self._study)

    def _running(self) -> list[optuna.trial.FrozenTrial]:
        from optuna.trial import TrialState as State

        return self._study.get_trials(deepcopy=False, states=(State.RUNNING,))

    # Training

    def work(self, train: Work) -> None:
        """Train trials until the asked number is finished or pruned, or too many failed."""
        while True:
            with self._locked():
                self._give_back_orphans()
                trials = self.trials()
                give_up(trials, self._search.max_failures)
                wanted = self._search.trials - sum(trial.state in ("finished", "pruned") for trial in trials)
                running = sum(trial.state == "running" for trial in trials)
                if wanted <= 0:
                    return
                attempt = self._ask(trials) if running < wanted else None
            if attempt is not None:
                self._train(attempt, train)
            elif running:
                time.sleep(POLL_SECONDS)
            else:
                log.info("every combination of the grid was tried")
                return

    def _ask(self, trials: Sequence[Trial]) -> OptunaAttempt | None:
        """With the lock held. Draw a trial and all its values, so that the next worker sees them; None: grid's end."""
        if self._search.sampler == "grid" and not any(trial.state == "waiting" for trial in trials):
            tried = {identity(dict(trial.values)) for trial in trials}
            fresh = next((values for values in self._space.grid() if identity(values) not in tried), None)
            if fresh is None:
                return None
            self._study.enqueue_trial(self._space.encode(fresh))
        self._study.sampler = self._search.build_sampler(self._seed, len(trials))
        with shared_storage.quiet():
            trial = self._study.ask()
            for name, fact in facts_of().items():
                trial.set_user_attr(name, fact)
            if self._url is not None:
                self._study._storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]  # a database has it
            values = self._space.draw(lambda key: _suggest(trial, key))
        return OptunaAttempt(trial, values, prunes=len(self._search.objectives) == 1)

    def _train(self, attempt: OptunaAttempt, train: Work) -> None:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState as State

        trial = attempt.trial
        try:
            with self._heartbeat(trial._trial_id):
                values = finite(train(attempt), self._search.objectives)
            self._study.tell(trial, values, skip_if_finished=True)
        except Pruned as pruned:
            trial.set_user_attr("reason", str(pruned))
            self._study.tell(trial, state=State.PRUNED, skip_if_finished=True)
        except UpdateFinishedTrialError:
            log.warning("trial %d was given to another worker meanwhile, since this one seemed dead", trial.number)
        except Exception as error:  # noqa: BLE001 - whatever a trial does, the search goes on; the reason is kept
            self._fail(trial, reason_of(error))
        except BaseException as error:
            with self._locked():
                frozen = self._study.get_trials(deepcopy=False)[trial.number]
                self._give_back(frozen, f"interrupted: {reason_of(error)}", died=False)
            raise

    def _fail(self, trial: optuna.Trial, reason: str) -> None:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState as State

        log.warning("trial %d failed: %s", trial.number, reason)
        try:
            trial.set_user_attr("reason", reason)
        except UpdateFinishedTrialError:
            return
        self._study.tell(trial, state=State.FAIL, skip_if_finished=True)

    @contextmanager
    def _heartbeat(self, trial_id: int) -> Iterator[None]:
        """Tell a shared database that this worker lives, until the trial ends."""
        if self._url is None:
            yield
            return
        ended, url = threading.Event(), self._url
        storage: Any = self._study._storage

        def beat() -> None:
            while not ended.wait(shared_storage.HEARTBEAT_SECONDS):
                try:
                    with shared_storage.translated(url):
                        storage.record_heartbeat(trial_id)
                except SrexpError as error:
                    log.warning("no heartbeat: %s", error)

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _held(frozen: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """What was drawn for a trial, and what was queued for it and not drawn yet."""
    return {**frozen.system_attrs.get("fixed_params", {}), **frozen.params}


def _suggest(trial: optuna.Trial, key: Key) -> Any:
    """Let the sampler choose a value of a key."""
    if key.kind == "categorical":
        return key.decode(trial.suggest_categorical(key.name, key.encoded))
    if key.kind == "int":
        return key.decode(
            trial.suggest_int(key.name, int(key.low), int(key.high), step=int(key.step or 1), log=key.log)
        )
    return key.decode(trial.suggest_float(key.name, key.low, key.high, step=key.step, log=key.log))
