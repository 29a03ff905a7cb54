"""What each operation of a journal does at the store; doing it twice is the same as doing it once."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from srexp.errors import SrexpError
from srexp.lazy_imports import mlflow, sqlalchemy
from srexp.system.masking.redaction import mask
from srexp.tracking.journal import upload
from srexp.tracking.journal.journal import JOURNAL_TAG, PENDING, Journal, Operation, PermanentError
from srexp.tracking.pages import RUN_ID
from srexp.tracking.store.failures import reason
from srexp.tracking.store.lineage import dataset_input
from srexp.tracking.store.parameters import MAX_TAG, shorten
from srexp.tracking.store.store import Client, Store, connect, experiment_id, tagged

MAX_POINTS, MAX_ENTITIES = 1000, 100
#: What a journal begins with; without it nothing else can be sent.
FIRST = ("create", "resume")
_TRIES = 5
#: MLflow's codes for what no repetition makes right.
_PERMANENT = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE"}
#: HTTP states between 400 and 499 that may be others after a while.
_LATER = {401, 403, 404, 407, 408, 425, 429}


def failures() -> tuple[type[Exception], ...]:
    """Give the exceptions of a store that doesn't take something, now or for ever."""
    return mlflow.exceptions.MlflowException, sqlalchemy.exc.SQLAlchemyError, OSError, SrexpError


def is_permanent(error: Exception) -> bool:
    """Whether the store answered, and will not take this at another time either."""
    if isinstance(error, PermanentError):
        return True
    response = getattr(error, "response", None)
    if response is not None:
        return 400 <= response.status_code < 500 and response.status_code not in _LATER  # noqa: PLR2004 - HTTP
    return getattr(error, "error_code", None) in _PERMANENT


def is_away(store: Store, error: Exception) -> bool:
    """Whether a store that refused the first word is only out of reach.

    Args:
        store: That was spoken to.
        error: What came of it.

    Returns:
        False where it answered: an experiment that was deleted, a password that is wrong, tables of another MLflow.
    """
    cause = error.__cause__ if isinstance(error, SrexpError) else error
    if isinstance(cause, mlflow.exceptions.MlflowException):
        codes = {"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"}
        return cause.error_code in (codes | {"INTERNAL_ERROR"} if store.lock is None else codes)
    return isinstance(cause, (OSError, sqlalchemy.exc.OperationalError))


class Replay:
    """Sends a journal to a store.

    Args:
        store: Addresses of the store.
        journal: What waits, and what the store answered so far.
    """

    def __init__(self, store: Store, journal: Journal) -> None:
        self.store, self.journal = store, journal
        self._client: Client | None = None
        self._doubtful = journal.recovered

    def next(self) -> None:
        """Send the oldest operations.

        Raises:
            Exception: One of `failures()`: the store doesn't take them now.
        """
        batch = self._batch()
        try:
            self._send(batch)
        except failures() as error:
            self._doubtful = True  # a request that failed here may have been heard there
            if batch[0]["op"] not in FIRST and is_permanent(error):
                self.journal.refuse(batch[0], reason(error))
                return
            self._client = None
            raise
        self._doubtful = self.journal.recovered
        self.journal.done(batch)

    @property
    def client(self) -> Client:
        """A client of the store, which is opened anew after it failed."""
        if self._client is None:
            self._client = connect(self.store)
        return self._client

    def _batch(self) -> list[Operation]:
        """Take the oldest operation, and the metrics after it where it is one of metrics itself."""
        batch: list[Operation] = []
        points = 0
        for operation in list(self.journal.waiting):
            points += len(operation.get("values", ()))
            if batch and (operation["op"] != "metrics" or batch[0]["op"] != "metrics" or points > MAX_POINTS):
                break
            batch.append(operation)
        return batch

    def _send(self, batch: Sequence[Operation]) -> None:
        if batch[0]["op"] == "metrics":
            self._metrics(batch)
        else:
            getattr(self, f"_{batch[0]['op']}")(batch[0])

    def _create(self, operation: Operation) -> None:
        experiment = experiment_id(self.client, self.store, operation["experiment"])
        mark = {JOURNAL_TAG: self.journal.id}
        found = self.client.search_runs([experiment], tagged(mark), max_results=1) if self._doubtful else []
        run = next(iter(found), None) or self.client.create_run(
            experiment, start_time=operation["at"], run_name=operation["name"], tags={**operation["tags"], **mark}
        )
        self._know(run.info.run_id, experiment, operation)

    def _resume(self, operation: Operation) -> None:
        run = self._earlier(operation["run_id"])
        self._know(run.info.run_id, run.info.experiment_id, operation)
        self._tags(operation)  # first its process: an open run whose process is gone is ended by whoever finds it
        self.client.update_run(self.journal.run_id, status="RUNNING")

    def _earlier(self, run_id: str) -> Any:
        """Find a run that ended, also one that was interrupted before the store knew of it."""
        if not run_id.startswith(PENDING):
            return self.client.get_run(run_id)
        mark = {JOURNAL_TAG: run_id.removeprefix(PENDING)}
        numbers = [each.experiment_id for each in self.client.search_experiments()]
        for run in self.client.search_runs(numbers, tagged(mark), max_results=1):
            return run
        raise SrexpError(f"there is no run {run_id} in the store yet")

    def _know(self, run_id: str, experiment: str, operation: Operation) -> None:
        self.journal.known |= {"run_id": run_id, "experiment_id": experiment, "store": operation["store"]}

    def _metrics(self, batch: Sequence[Operation]) -> None:
        self._in_parts("metrics", [point for each in batch for point in upload.points(each, each["step"])], MAX_POINTS)

    def _params(self, operation: Operation) -> None:
        """Log the parameters that the run lacks: MLflow takes no second value, and those that it began with stand."""
        known = self.client.get_run(self.journal.run_id).data.params
        missing = [mlflow.entities.Param(*pair) for pair in operation["params"].items() if pair[0] not in known]
        self._in_parts("params", missing, MAX_ENTITIES)

    def _note(self, operation: Operation) -> None:
        from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

        text = shorten(operation["text"].replace(RUN_ID, self.journal.run_id), MAX_TAG)
        self.client.set_tag(self.journal.run_id, MLFLOW_RUN_NOTE, text)

    def _tags(self, operation: Operation) -> None:
        self._in_parts("tags", [mlflow.entities.RunTag(*pair) for pair in operation["tags"].items()], MAX_ENTITIES)

    def _in_parts(self, kind: str, entities: list[Any], most: int) -> None:
        """Log metrics, parameters or tags, no more in a request than MLflow takes."""
        from mlflow.utils import chunk_list

        for some in chunk_list(entities, most):
            self.client.log_batch(self.journal.run_id, **{kind: some})

    def _inputs(self, operation: Operation) -> None:
        """Send data set inputs; MLflow fails when two runs name a new data set at once, and then knows it."""
        inputs = [dataset_input(**each) for each in operation["inputs"]]
        for left in reversed(range(_TRIES)):
            try:
                return self.client.log_inputs(self.journal.run_id, inputs)
            except mlflow.exceptions.MlflowException as error:
                if not left or not re.search("unique|duplicate", str(error), re.IGNORECASE):
                    raise
        return None

    def _link(self, operation: Operation) -> None:
        model_id = operation["model_id"]
        self.client.log_inputs(self.journal.run_id, models=[mlflow.entities.LoggedModelInput(model_id)])
        points = upload.points(operation, 0, model_id=model_id, run_id=self.journal.run_id, **operation["dataset"])
        self.client.log_batch(self.journal.run_id, metrics=points)

    def _file(self, operation: Operation) -> None:
        path = self.journal.folder / operation["path"]
        if not path.exists():
            raise PermanentError(f"{path} is gone")
        self.client.log_artifact(self.journal.run_id, str(path), operation["folder"])

    def _result(self, operation: Operation) -> None:
        """Send `result.json`, with what the store answered since it was made."""
        values = operation["values"]
        answered = {key: value for key, value in self.journal.known.items() if key in values}
        text = json.dumps({**values, **answered}, indent=2, default=str)
        self.client.log_text(self.journal.run_id, mask(text), "result.json")

    def _model(self, operation: Operation) -> None:
        upload.model(self.client, self.journal, operation, doubtful=self._doubtful)

    def _register(self, operation: Operation) -> None:
        upload.version(self.client, self.store, self.journal, operation, doubtful=self._doubtful)

    def _end(self, operation: Operation) -> None:
        upload.end(self.client, self.journal.run_id, operation["status"], operation["at"])
