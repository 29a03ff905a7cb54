"""The oracle of Keras Tuner as several workers share it, and a trial of it; imports Keras Tuner."""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from keras_tuner.engine.hyperparameters import HyperParameters
from keras_tuner.engine.trial import Trial, TrialStatus

from srexp.search.keras_tuner.oracles import OBJECTIVE, build_oracle
from srexp.search.keras_tuner.study import TunerStudy, now
from srexp.search.study import finite, give_up

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SILENCE_SECONDS = 120

# Keras Tuner's messages have 32-bit floats; what must arrive as it was sent goes as JSON.
RECORD = "srexp/record"
VALUES = "srexp/values"


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what Keras Tuner does in an outdated way, and its process's notes on its own fit."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(currentThread|getName)\(\) is deprecated", DeprecationWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class SharedOracle:
    """The oracle as the workers of one machine share it: under the lock of the study, read anew before each question.

    Args:
        study: Whose.
    """

    def __init__(self, study: TunerStudy) -> None:
        self.study = study
        self.oracle = build_oracle(study)
        self.objective = self.oracle.objective
        self.seen: dict[str, float] = {}
        self.told: set[str] = set()
        self._since = time.monotonic()
        with self._alone():
            self.oracle._set_project_dir(str(study.search.folder), study.project.name)
            self.oracle.refresh()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.study.locked(), quiet():
            yield

    def create_trial(self, tuner_id: str, owner: Mapping[str, Any] | None = None) -> Trial:
        """Give the next trial, IDLE while others still run what may fail, or STOPPED at the end.

        Args:
            tuner_id: Who asks; who asks again without having ended its trial has lost it.
            owner: Facts that name its process; None for a tuner on another machine.
        """
        with self._alone():
            self._give_back_lost(tuner_id)
            trials = self.study.trials()
            give_up(trials, self.study.search.max_failures)
            self.oracle.refresh()
            wanted = self.study.search.trials - sum(trial.state == "finished" for trial in trials)
            running = sum(trial.state == "running" for trial in trials)
            if wanted <= 0:
                self.told.add(tuner_id)
                return Trial(HyperParameters(), "", TrialStatus.STOPPED)
            if running >= wanted:
                return Trial(HyperParameters(), "", TrialStatus.IDLE)
            self.oracle.begin = lambda identifier: self._begin(identifier, owner or {"tuner": tuner_id})
            trial = self.oracle.create_trial(tuner_id)
            self.oracle.begin = None  # there was nothing to begin
            if trial.status == TrialStatus.RUNNING:
                self.seen[trial.trial_id] = time.monotonic()
            elif running:
                trial.status = TrialStatus.IDLE  # what runs may fail, and leave its values
            else:
                self.told.add(tuner_id)
                log.info("the space has no values that were not tried")
            return trial

    def _begin(self, identifier: str, owner: Mapping[str, Any]) -> None:
        again = {name: fact for name, fact in self.oracle.taken.items() if name != "values"}
        self.study.keep(identifier, {"facts": {**owner, **again}, "started": now()})

    def _give_back_lost(self, tuner_id: str) -> None:
        """End the trials whose worker is gone: killed here, silent elsewhere, or back without its trial."""
        self.oracle.refresh()
        lost = self.oracle.ongoing_trials.get(tuner_id)
        if lost is not None:
            self.study.give_back(lost.trial_id, "its worker was started anew", died=True)
        heard = {name: self.seen.get(name, self._since) for name in self.oracle.trials}
        silence = {name: time.monotonic() - moment for name, moment in heard.items()}
        self.study.give_back_orphans({name: left for name, left in silence.items() if left > SILENCE_SECONDS})

    def get_trial(self, trial_id: str) -> Trial:
        """Give a trial; asking is a sign of life of its worker."""
        self.seen[trial_id] = time.monotonic()
        return self.oracle.trials[trial_id]

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Take the result of a trial."""
        with self._alone():
            self.oracle.refresh()
            return self.oracle.update_trial(trial_id, metrics, step=step)

    def end_trial(self, trial: Trial) -> None:
        """Take the end of a trial, unless it was given to another worker meanwhile."""
        with self._alone():
            self.oracle.refresh()
            kept = self.oracle.trials[trial.trial_id]
            if kept.status != TrialStatus.RUNNING:
                log.warning("trial %s was given to another worker, since this one seemed dead", trial.trial_id)
                return
            sent = json.loads(trial.hyperparameters.values.get(RECORD, "{}"))
            record = self.study.record(trial.trial_id)
            if (result := sent.pop("result", None)) is not None:
                self.oracle.update_trial(trial.trial_id, {OBJECTIVE: result})
            facts = {**record.get("facts", {}), **sent.pop("facts", {})}
            self.study.keep(trial.trial_id, {**record, **sent, "facts": facts, "ended": now()})
            if interrupted := facts.get("interrupted"):
                self.study.give_back(trial.trial_id, interrupted, died=False)
                return
            trial.hyperparameters = kept.hyperparameters
            self.oracle.end_trial(trial)
            self.oracle.save()  # again, since Keras Tuner takes the trial from the running ones after its own save


@dataclass(frozen=True)
class TunerAttempt:
    """A trial of Keras Tuner in the hands of its worker; see `srexp.search.study.Attempt`.

    Args:
        identifier: Keras Tuner's name of it, its number with leading zeros.
        values: Configuration keys to the chosen values.
        epochs: What Hyperband grants; None from the other tuners.
        record: What is kept of it.
        study: Where it is kept at once; None on another machine than the study's, which sends it at the end.
    """

    identifier: str
    values: Mapping[str, Any]
    epochs: int | None
    record: dict[str, Any]
    study: TunerStudy | None = field(repr=False)

    @property
    def number(self) -> int:
        """Number of the trial in its study."""
        return int(self.identifier)

    def report(self, epoch: int, val_psnr: float) -> None:
        """Keep how far the trial is; Keras Tuner gives none up."""
        finite([val_psnr], [f"val_psnr after epoch {epoch}"])
        self.record.setdefault("curve", {})[str(epoch)] = val_psnr
        self._keep()

    def note(self, **facts: Any) -> None:
        """Keep facts with the trial at once."""
        self.record.setdefault("facts", {}).update(facts)
        self._keep()

    def _keep(self) -> None:
        if self.study is not None and self.study.runs(self.identifier):
            self.study.keep(self.identifier, self.record)


def open_attempt(study: TunerStudy, trial: Trial, record: dict[str, Any], *, here: bool) -> TunerAttempt:
    """Put a trial into the hands of its worker.

    Args:
        study: Has the space.
        trial: Of the oracle.
        record: What is kept of it.
        here: Whether the study's files are on this machine.
    """
    held = trial.hyperparameters.values
    held = json.loads(held[VALUES]) if VALUES in held else held
    return TunerAttempt(
        trial.trial_id, study.space.decode(held), held.get("tuner/epochs"), record, study if here else None
    )
