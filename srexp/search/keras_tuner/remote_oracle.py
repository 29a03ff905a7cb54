"""Keras Tuner over several machines: the chief that answers, and what a worker asks; imports Keras Tuner."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import Any, Literal

import grpc
from keras_tuner.engine.hyperparameters import HyperParameters
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient

from srexp.errors import SrexpError
from srexp.search.ask_and_tell import POLL_SECONDS, AskAndTell, RunningTrial, TrialOutcome
from srexp.search.heartbeat import heartbeat
from srexp.search.keras_tuner.study import TunerStudy, TunerTrial
from srexp.search.study import require_few_failures

log = logging.getLogger(__name__)

FAREWELL_SECONDS = 30
# Keras Tuner's messages have 32-bit floats; what must arrive as it was sent goes as JSON.
_CONTENT = "srexp/content"


def _message(trial_id: str, status: str, **content: Any) -> Trial:
    """Build a trial as Keras Tuner sends it; without its space, which would arrive in another order."""
    trial = Trial(HyperParameters(), trial_id, status)
    trial.hyperparameters.values = {_CONTENT: json.dumps(content)}
    return trial


def _content(trial: Trial) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(trial.hyperparameters.values[_CONTENT])
    return content


class RemoteOracle(AskAndTell):
    """What a worker on another machine than the study's asks: the chief."""

    objectives = ("val_psnr",)

    def __init__(self) -> None:
        self._client = OracleClient(None)
        self._record: dict[str, Any] = {}

    def ask(self) -> RunningTrial | Literal["wait", "over"]:
        """Give the next trial."""
        with _answered():
            trial = self._client.create_trial(self._client.tuner_id)
        if trial.status != TrialStatus.RUNNING:
            return "wait" if trial.status == TrialStatus.IDLE else "over"
        self._record = {"facts": {"host": socket.gethostname()}}
        return TunerTrial(number=int(trial.trial_id), record=self._record, **_content(trial))

    def tell(self, trial: RunningTrial, outcome: TrialOutcome) -> None:
        """Send the end of a trial with all that was noted of it."""
        message = _message(str(trial.number), TrialStatus.RUNNING, record=self._record, outcome=asdict(outcome))
        with _answered():
            self._client.end_trial(message)

    def signs_of_life(self, trial: RunningTrial) -> AbstractContextManager[None]:
        """Tell the chief until the trial ends that this worker lives."""
        return heartbeat(lambda: self._sign(trial.number))

    def _sign(self, number: int) -> None:
        with _answered():
            self._client.get_trial(str(number))


@contextmanager
def _answered() -> Iterator[None]:
    """Say which chief didn't answer.

    Raises:
        SrexpError: It is gone.
    """
    try:
        yield
    except grpc.RpcError as error:
        code = error.code().name if isinstance(error, grpc.Call) else "unknown"
        raise SrexpError(
            f"Keras Tuner's chief at {_address()} doesn't answer: {code}", fix="start it, then this one"
        ) from error


def _address() -> str:
    return f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"


class _Chief:
    """The study as Keras Tuner's server asks it; one thread does."""

    def __init__(self, study: TunerStudy) -> None:
        self._study = study
        self.dismissed: set[str] = set()

    def create_trial(self, tuner_id: str) -> Trial:
        try:
            for trial in self._study.trials():
                if trial.state == "running" and trial.facts.get("tuner") == tuner_id:
                    self._study.retry(trial.number, "its worker was started anew")
            asked = self._study.ask({"tuner": tuner_id})
        except SrexpError:  # too many failures; the chief says so itself
            asked = "over"
        if isinstance(asked, RunningTrial):
            return _message(str(asked.number), TrialStatus.RUNNING, values=asked.values, epochs=asked.epochs)
        if asked == "wait":
            return Trial(HyperParameters(), "", TrialStatus.IDLE)
        self.dismissed.add(tuner_id)
        return Trial(HyperParameters(), "", TrialStatus.STOPPED)

    def get_trial(self, trial_id: str) -> Trial:
        self._study.hear_of(int(trial_id))
        return _message(trial_id, TrialStatus.RUNNING)

    def end_trial(self, trial: Trial) -> None:
        number, content = int(trial.trial_id), _content(trial)
        self._study.receive(number, content["record"])
        self._study.end(number, TrialOutcome(**content["outcome"]))


def serve(study: TunerStudy) -> None:
    """Be the chief: answer workers of other machines until the asked number of trials is finished.

    Keras Tuner's own chief never ends when a worker dies; this one takes a silent worker's trial back, and leaves
    when the search is over and its workers had half a minute to hear of it.

    Args:
        study: In files of this machine.

    Raises:
        SrexpError: The address is taken, or too many trials failed.
    """
    chief = _Chief(study)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(chief), server)
    try:
        server.add_insecure_port(_address())
    except RuntimeError as error:
        raise SrexpError(
            f"Keras Tuner's chief can't listen on {_address()}", fix="another KERASTUNER_ORACLE_PORT"
        ) from error
    server.start()
    log.info("Keras Tuner's chief answers on %s", _address())
    try:
        while not _is_over(study, chief.dismissed):
            time.sleep(POLL_SECONDS)
        known = {str(trial.facts["tuner"]) for trial in study.trials() if "tuner" in trial.facts}
        deadline = time.monotonic() + FAREWELL_SECONDS
        while not known <= chief.dismissed and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    finally:
        server.stop(grace=POLL_SECONDS).wait()


def _is_over(study: TunerStudy, dismissed: set[str]) -> bool:
    trials = study.trials()
    if any(trial.state == "running" for trial in trials):
        return False
    require_few_failures(trials, study.search.max_failures)
    return bool(dismissed) or sum(trial.state == "finished" for trial in trials) >= study.search.trials
