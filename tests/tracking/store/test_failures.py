"""What helps against each kind of failure of a store."""

from __future__ import annotations

import errno
import os
import re
import sqlite3

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request, verify_rest_response
from sqlalchemy.exc import OperationalError

from srexp.errors import RequestError, SrexpError
from srexp.tracking.runs import groups, queries
from srexp.tracking.store.failures import advice, reason
from srexp.tracking.store.store import connect, experiment_id, opened, translated


def of_system(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/data/mlruns/artifacts/x")


def of_sqlite(text: str) -> MlflowException:
    """As MLflow gives it."""
    wrapped = MlflowException(message=text, error_code=1)
    wrapped.__cause__ = OperationalError("INSERT", {}, sqlite3.OperationalError(text))
    return wrapped


def of_server(status: int, body: str = "<html>no</html>") -> MlflowException:
    response = requests.Response()
    response.status_code, response._content = status, body.encode()
    with pytest.raises(MlflowException) as answered:
        verify_rest_response(response, "/api/2.0/mlflow/runs/get")
    return answered.value


def no_answer(uri: str) -> MlflowException:
    with pytest.raises(MlflowException) as failed:
        http_request(get_default_host_creds(uri), "/health", "GET", max_retries=0, timeout=2)
    return failed.value


FAILURES = {
    "list what is there": [
        MlflowException("Run with id=1 not found", error_code=RESOURCE_DOES_NOT_EXIST),
        RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Run with id=1 not found"}),
    ],
    "runs restore": [
        MlflowException("The run 1 must be in the 'active' state. Current state is deleted.", INVALID_PARAMETER_VALUE)
    ],
    "make room": [
        *(of_system(number) for number in (errno.ENOSPC, errno.EDQUOT)),
        of_sqlite("database or disk is full"),
        RestException(
            {"error_code": "INTERNAL_ERROR", "message": "(sqlite3.OperationalError) database or disk is full"}
        ),
    ],
    "wait until the others have written": [
        of_sqlite("database is locked"),
        of_sqlite("database table is locked: runs"),
    ],
    "permit it": [
        *(of_system(number) for number in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)),
        of_sqlite("attempt to write a readonly database"),
        of_sqlite("unable to open database file"),
    ],
    "bring back a copy": [of_sqlite("database disk image is malformed"), of_sqlite("file is not a database")],
    "bring the folder of artifacts back": [of_system(errno.ENOENT)],
    "MLFLOW_TRACKING_USERNAME": [of_server(401), of_server(403)],
    "its path included": [of_server(404), of_server(405), of_server(200)],
    "NO_PROXY": [of_server(407)],
    "wait, and type": [of_server(429)],
    "compare the versions": [of_server(400), of_server(422)],
    "the server's own log": [
        *(of_server(status) for status in (500, 502, 503, 504)),
        of_server(500, '{"error_code": "INTERNAL_ERROR", "message": "it broke"}'),
    ],
    "correct user and password": [of_sqlite('connection failed: password authentication failed for user "ann"')],
    "start its server": [no_answer("http://127.0.0.1:9"), of_sqlite("connection refused"), TimeoutError()],
}


@pytest.mark.parametrize(("fix", "error"), [(fix, each) for fix, errors in FAILURES.items() for each in errors])
def test_each_kind_has_its_own_way_out(tracking, fix, error):
    with (
        pytest.raises(SrexpError, match="could not be written") as said,
        translated(tracking.store, "it could not be written"),
    ):
        raise error
    assert fix in advice(error).fix
    assert fix in str(said.value)
    assert not re.search(r"\w(Error|Pool|Exception)\b", str(said.value))


def test_a_deleted_run_says_so_and_how_it_comes_back(tracking):
    with tracking.run("task") as run:
        pass
    client = connect(tracking.store)
    client.delete_run(run.id)
    with pytest.raises(RequestError, match="the run was deleted") as refused:
        queries.get_run(tracking.store, run.id)
    assert f"mlflow runs restore --run-id {run.id}" in str(refused.value)
    assert tracking.store.uri in str(refused.value)
    client.restore_run(run.id)
    assert queries.get_run(tracking.store, run.id).run_id == run.id


def test_a_deleted_experiment_says_so_whoever_asks(tracking):
    with tracking.run("task") as run:
        pass
    client = connect(tracking.store)
    number = client.get_experiment_by_name("task").experiment_id
    client.delete_experiment(number)

    def train():
        with tracking.run("task"):
            pass

    asking = [
        train,
        lambda: queries.runs_of(tracking.store, "task"),
        lambda: queries.latest(tracking.store, experiment="task", limit=3),
        lambda: groups.open_parent(tracking.store, "task", name="many", tags={}, process={}),
        lambda: experiment_id(client, tracking.store, "task"),
    ]
    for ask in asking:
        with pytest.raises(RequestError, match="experiment of this task was deleted") as refused:
            ask()
        assert f"mlflow experiments restore --experiment-id {number}" in str(refused.value)
    with opened(tracking.store, ""):
        assert groups.find_finished(tracking.store, "task", "x", "%") is None
    client.restore_experiment(number)
    assert [each.run_id for each in queries.runs_of(tracking.store, "task")] == [run.id]


def test_of_several_files_the_cause_is_said_and_not_the_heading() -> None:
    cause = "[Errno 13] Permission denied: 'a'"
    assert reason(Exception(f"These failures occurred:\n##### File a #####\n{cause}")) == cause
