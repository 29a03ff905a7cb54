"""Keras Tuner at work: a tuner with its own `run_trial`, the oracle it asks, and the chief that answers other machines.

Imports Keras Tuner, so it is imported only by a worker.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.hyperparameters import HyperParameters
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FailedTrialError
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient

from srexp.errors import SrexpError
from srexp.search.oracles import OBJECTIVE, build_oracle
from srexp.search.process import this_process
from srexp.search.study import Work, finite, give_up, reason_of
from srexp.search.tuner_study import TunerStudy, now

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SIGN_SECONDS = 20
SILENCE_SECONDS = 120
FAREWELL_SECONDS = 30

_RECORD = "srexp/record"


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
            trial = self.oracle.create_trial(tuner_id)
            if trial.status == TrialStatus.RUNNING:
                again = {name: self.oracle.taken[name] for name in ("retry_of", "deaths") if name in self.oracle.taken}
                facts = {**(owner or {"tuner": tuner_id}), **again}
                self.study.keep(trial.trial_id, {"facts": facts, "started": now()})
                self.seen[trial.trial_id] = time.monotonic()
            elif running:
                trial.status = TrialStatus.IDLE  # what runs may fail, and leave its values
            else:
                self.told.add(tuner_id)
                log.info("the space has no values that were not tried")
            return trial

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
            sent = json.loads(trial.hyperparameters.values.get(_RECORD, "{}"))
            record = self.study.record(trial.trial_id)
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
        if self.study is not None:
            self.study.keep(self.identifier, self.record)


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
        trial = self.shared.create_trial(tuner_id, this_process())
        if trial.status == TrialStatus.IDLE:
            time.sleep(POLL_SECONDS)
        return trial

    @contextmanager
    def attempt(self, trial: Trial) -> Iterator[TunerAttempt]:
        """Open a trial."""
        yield _attempt(self.study, trial, self.study.record(trial.trial_id), self.study)


class RemoteOracle:
    """What a tuner on another machine than the study's asks: the chief.

    Args:
        study: Has the space; its files are the chief's.
    """

    def __init__(self, study: TunerStudy) -> None:
        self.study = study
        self.client = OracleClient(build_oracle(study))
        self.objective = self.client.objective
        self.records: dict[str, dict[str, Any]] = {}

    def create_trial(self, tuner_id: str) -> Trial:
        """Give the next trial."""
        with _answered():
            trial = self.client.create_trial(tuner_id)
        if trial.status == TrialStatus.IDLE:
            time.sleep(POLL_SECONDS)
        return trial

    def get_trial(self, trial_id: str) -> Trial:
        """Ask for a trial, which tells the chief that this worker lives."""
        with _answered():
            return self.client.get_trial(trial_id)

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Send the result of a trial."""
        with _answered():
            return self.client.update_trial(trial_id, metrics, step)

    def end_trial(self, trial: Trial) -> None:
        """Send the end of a trial with what is kept of it."""
        trial.hyperparameters.values[_RECORD] = json.dumps(self.records.pop(trial.trial_id))
        with _answered():
            self.client.end_trial(trial)

    @contextmanager
    def attempt(self, trial: Trial) -> Iterator[TunerAttempt]:
        """Open a trial, and tell the chief until it ends that this worker lives."""
        record = self.records[trial.trial_id] = {"facts": {"host": socket.gethostname()}}
        ended = threading.Event()

        def sign() -> None:
            while not ended.wait(SIGN_SECONDS):
                try:
                    self.get_trial(trial.trial_id)
                except SrexpError as error:
                    log.warning("%s", error)

        thread = threading.Thread(target=sign, name="sign of life", daemon=True)
        thread.start()
        try:
            yield _attempt(self.study, trial, record, None)
        finally:
            ended.set()
            thread.join()


@contextmanager
def _answered() -> Iterator[None]:
    """Say which chief didn't answer.

    Raises:
        SrexpError: It is gone.
    """
    try:
        yield
    except grpc.RpcError as error:
        chief = f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"
        code = error.code().name if isinstance(error, grpc.Call) else "unknown"
        raise SrexpError(
            f"Keras Tuner's chief at {chief} doesn't answer: {code}", fix="start it, then this one"
        ) from error


def _attempt(study: TunerStudy, trial: Trial, record: dict[str, Any], kept: TunerStudy | None) -> TunerAttempt:
    held = trial.hyperparameters.values
    return TunerAttempt(trial.trial_id, study.space.decode(held), held.get("tuner/epochs"), record, kept)


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


class _Face:
    """The shared oracle as the chief shows it: trials without their space, which Keras Tuner would send out of order."""

    def __init__(self, shared: SharedOracle) -> None:
        self.shared = shared

    def create_trial(self, tuner_id: str) -> Trial:
        try:
            return _flat(self.shared.create_trial(tuner_id))
        except SrexpError:  # too many failures; the chief says so itself
            self.shared.told.add(tuner_id)
            return Trial(HyperParameters(), "", TrialStatus.STOPPED)

    def get_trial(self, trial_id: str) -> Trial:
        return _flat(self.shared.get_trial(trial_id))

    def update_trial(self, trial_id: str, metrics: Mapping[str, Any], step: int = 0) -> Trial:
        return _flat(self.shared.update_trial(trial_id, metrics, step))

    def end_trial(self, trial: Trial) -> None:
        self.shared.end_trial(trial)


def _flat(trial: Trial) -> Trial:
    flat = Trial(HyperParameters(), trial.trial_id, trial.status)
    flat.hyperparameters.values = dict(trial.hyperparameters.values)
    flat.metrics = trial.metrics
    return flat


def serve(study: TunerStudy) -> None:
    """Be the chief: answer workers of other machines until the asked number of trials is finished.

    Keras Tuner's own chief never ends when a worker dies; this one takes a silent worker's trial back, and leaves
    when the search is over and its workers had half a minute to hear of it.

    Args:
        study: In files of this machine.

    Raises:
        SrexpError: The address is taken.
    """
    address = f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"
    shared = SharedOracle(study)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(_Face(shared)), server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise SrexpError(
            f"Keras Tuner's chief can't listen on {address}", fix="another KERASTUNER_ORACLE_PORT"
        ) from error
    server.start()
    log.info("Keras Tuner's chief answers on %s", address)
    try:
        while not _over(study, shared):
            time.sleep(POLL_SECONDS)
        known = {str(trial.facts["tuner"]) for trial in study.trials() if "tuner" in trial.facts}
        deadline = time.monotonic() + FAREWELL_SECONDS
        while not known <= shared.told and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    finally:
        server.stop(grace=POLL_SECONDS).wait()


def _over(study: TunerStudy, shared: SharedOracle) -> bool:
    trials = study.trials()
    if any(trial.state == "running" for trial in trials):
        return False
    give_up(trials, study.search.max_failures)
    return bool(shared.told) or sum(trial.state == "finished" for trial in trials) >= study.search.trials
