"""Keras Tuner at work, with its own `run_trial`; imports Keras Tuner, so it is imported only by a worker."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FailedTrialError

from srexp.search.keras_tuner.oracles import OBJECTIVE, build_oracle
from srexp.search.keras_tuner.remote_oracle import RemoteOracle
from srexp.search.keras_tuner.shared_oracle import POLL_SECONDS, SharedOracle, TunerAttempt, open_attempt, quiet
from srexp.search.keras_tuner.study import TunerStudy
from srexp.search.study import Work, finite, reason_of
from srexp.system.process_identity import facts_of

log = logging.getLogger(__name__)


class LocalOracle:
    """What a tuner of this machine asks.

    Args:
        study: Whose.
    """

    def __init__(self, study: TunerStudy) -> None:
        self.study = study
        self.shared = SharedOracle(study)
        self.objective = self.shared.objective
        self.get_trial, self.update_trial = self.shared.get_trial, self.shared.update_trial
        self.end_trial = self.shared.end_trial

    def create_trial(self, tuner_id: str) -> Trial:
        """Give the next trial."""
        trial = self.shared.create_trial(tuner_id, facts_of())
        if trial.status == TrialStatus.IDLE:
            time.sleep(POLL_SECONDS)
        return trial

    @contextmanager
    def attempt(self, trial: Trial) -> Iterator[TunerAttempt]:
        """Open a trial."""
        yield open_attempt(self.study, trial, self.study.record(trial.trial_id), here=True)


class Tuner(BaseTuner):  # type: ignore[misc]  # keras_tuner carries no types
    """Trains trials one after the other. Keras Tuner's own needs TensorBoard and builds models itself.

    Args:
        oracle: What is asked.
    """

    def __init__(self, oracle: LocalOracle | RemoteOracle) -> None:
        folder = oracle.study.search.folder
        super().__init__(build_oracle(oracle.study), directory=str(folder), project_name=oracle.study.project.name)
        self.oracle = oracle
        if isinstance(oracle, LocalOracle):
            self.tuner_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def save(self) -> None:
        """Nothing: the oracle is saved with each trial."""

    def reload(self) -> None:
        """Nothing: the oracle is read anew before each question."""

    def run_trial(self, trial: Trial, train: Work) -> dict[str, float]:
        """Train a trial.

        Args:
            trial: Of the oracle.
            train: Trains it.

        Returns:
            The objective.

        Raises:
            FailedTrialError: It failed; the search goes on.
        """
        with self.oracle.attempt(trial) as attempt:
            try:
                (value,) = finite(train(attempt), [OBJECTIVE])
            except Exception as error:
                log.warning("trial %d failed: %s", attempt.number, reason_of(error))
                attempt.note(reason=reason_of(error))
                raise FailedTrialError(reason_of(error)) from error
            except BaseException as error:
                attempt.note(interrupted=f"interrupted: {reason_of(error)}")
                self.oracle.end_trial(trial)
                raise
        return {OBJECTIVE: value}


def search(study: TunerStudy, train: Work) -> None:
    """Train trials until the asked number is finished.

    Args:
        study: Whose; of the chief's machine when this process is a worker of one.
        train: Trains one trial.

    Raises:
        SrexpError: Too many failed, or the chief doesn't answer.
    """
    tuner = Tuner(RemoteOracle(study) if study.search.role == "worker" else LocalOracle(study))
    with quiet():
        tuner.search(train)
