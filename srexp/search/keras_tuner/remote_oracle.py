"""Keras Tuner over several machines: the chief that answers, and what a worker asks; imports Keras Tuner."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from keras_tuner.engine.hyperparameters import HyperParameters
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient

from srexp.errors import SrexpError
from srexp.search.keras_tuner.oracles import OBJECTIVE, build_oracle
from srexp.search.keras_tuner.shared_oracle import (
    POLL_SECONDS,
    RECORD,
    VALUES,
    SharedOracle,
    TunerAttempt,
    open_attempt,
)
from srexp.search.keras_tuner.study import TunerStudy
from srexp.search.study import give_up

log = logging.getLogger(__name__)

SIGN_SECONDS = 20
FAREWELL_SECONDS = 30


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
        """Keep the result of a trial, to be sent with its end."""
        self.records[trial_id]["result"] = metrics[OBJECTIVE]
        return Trial(HyperParameters(), trial_id)

    def end_trial(self, trial: Trial) -> None:
        """Send the end of a trial with what is kept of it."""
        trial.hyperparameters.values[RECORD] = json.dumps(self.records.pop(trial.trial_id))
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
            yield open_attempt(self.study, trial, record, here=False)
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


class _Face:
    """The shared oracle as the chief shows it: trials without their space, which arrives in another order."""

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
    flat.hyperparameters.values = {VALUES: json.dumps(trial.hyperparameters.values)}
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
