"""Which refusals are final, and a real tracking server that stops, hangs, or is away at the beginning or the end."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INTERNAL_ERROR,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    REQUEST_LIMIT_EXCEEDED,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
)
from requests import HTTPError
from sqlalchemy.exc import OperationalError

import srexp
from srexp.errors import SrexpError
from srexp.tracking.journal import recovery, writer
from srexp.tracking.journal.journal import PermanentError
from srexp.tracking.journal.outbox import Outbox
from srexp.tracking.journal.replay import is_away, is_permanent
from srexp.tracking.registry import registry
from srexp.tracking.runs.tracking import Tracking
from tests.tracking.outages import Server, differences


@pytest.mark.parametrize(
    ("state", "final"),
    [(399, False), (400, True), (409, True), (499, True), (500, False), (503, False)]
    + [(state, False) for state in (401, 403, 404, 407, 408, 425, 429)],
)
def test_which_answers_of_a_server_are_final(state: int, final: bool) -> None:
    assert is_permanent(HTTPError(response=SimpleNamespace(status_code=state))) is final


@pytest.mark.parametrize(
    ("error", "final", "away", "away_from_file"),
    [
        (PermanentError("gone"), True, False, False),
        (MlflowException("a", error_code=INVALID_PARAMETER_VALUE), True, False, False),
        (MlflowException("a", error_code=RESOURCE_DOES_NOT_EXIST), True, False, False),
        (MlflowException("a", error_code=TEMPORARILY_UNAVAILABLE), False, True, True),
        (MlflowException("a", error_code=REQUEST_LIMIT_EXCEEDED), False, True, True),
        (MlflowException("a", error_code=INTERNAL_ERROR), False, True, False),
        (MlflowException("a", error_code=PERMISSION_DENIED), False, False, False),
        (ConnectionRefusedError(), False, True, True),
        (OperationalError("", None, Exception()), False, True, True),
        (SrexpError("tables of another MLflow"), False, False, False),
    ],
    ids=lambda value: getattr(value, "error_code", type(value).__name__),
)
def test_which_failures_are_a_store_out_of_reach(error: Exception, final: bool, away: bool, away_from_file: bool):
    assert is_permanent(error) is final
    for lock, expected in ((None, away), (Path("lock"), away_from_file)):
        store = SimpleNamespace(lock=lock)
        assert is_away(store, error) is expected
        said = SrexpError("the tracking store can't be opened")
        said.__cause__ = error
        assert is_away(store, said) is expected


@pytest.fixture(scope="module")
def server(tmp_path_factory, made_store):
    """A server whose tables are there; it runs."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(made_store, folder / "server.db")
    server = Server(folder).start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _nobody_gave_up():
    Outbox.given_up.clear()


@pytest.fixture
def tracking(server, tmp_path):
    return Tracking(
        folder=tmp_path / "mlruns", uri=server.uri, system_metrics=True, system_metrics_seconds=0.3, flush_seconds=0.2
    )


def begun(run, epochs):
    """What a training writes first, and in some epochs; the longest time that any of it took."""
    run.log_config({"model": {"name": "small"}}, "model: small")
    splits = {"train": {"images": 8}, "test": {"images": 2}}
    run.log_dataset(name="small", source="here", fingerprint="0" * 64, splits=splits, manifest=[{"key": "a"}])
    longest = 0.0
    for epoch in epochs:
        begin = time.perf_counter()
        run.log_metrics({"val_psnr": 30 + epoch / 7, "loss": 1 / (epoch + 1)}, step=epoch)
        if epoch % 10 == 0:
            run.log_image(np.full((8, 8), epoch % 256, np.uint8), key="panel", step=epoch)
            run.log_text(f"epoch {epoch}", f"notes/{epoch}.txt")
        longest = max(longest, time.perf_counter() - begin)
        time.sleep(0.02)
    return longest


@pytest.mark.system
@pytest.mark.slow
def test_a_server_that_goes_and_comes_and_hangs_loses_nothing(server, tracking, monkeypatch):
    asked, request, slowest = [], requests.Session.request, []

    def noted(*given, **options):
        asked.append(threading.current_thread())
        return request(*given, **options)

    def work(first: int, last: int) -> None:
        asked.clear()
        slowest.append(begun(run, range(first, last)))
        assert threading.main_thread() not in asked

    monkeypatch.setattr(requests.Session, "request", noted)
    with tracking.run("outage", tags={"model": "small"}) as run:
        work(0, 30)
        server.stop()
        work(30, 130)
        server.start()
        work(130, 160)
        server.hang()
        work(160, 260)
        server.stop()
        work(260, 360)
        server.start()
        work(360, 390)
    assert asked  # by another thread
    assert differences(run.journal.folder / "journal.jsonl", server.uri) == []
    assert run.pending() == {}
    assert max(slowest) < 30  # who waits for a request of that thread waits as long as the server hangs
    assert not list(tracking.index.iterdir())
    assert [path.name for path in run.journal.folder.iterdir()] == ["journal.jsonl"]


@pytest.fixture(scope="module")
def network():
    import keras

    image = keras.Input((None, None, 1))
    enlarged = keras.layers.UpSampling2D(2)(image)
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(enlarged))


@pytest.mark.system
@pytest.mark.slow
def test_a_server_that_comes_after_the_run_gets_it_all_with_its_model(server, tmp_path, network, capfd, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    tracking = Tracking(folder=tmp_path / "mlruns", system_metrics=False, wait_seconds=2)
    server.stop()
    began = time.time() * 1000
    with tracking.run("late", name="late one", folder=tmp_path / "out") as run:
        begun(run, range(20))
        uri = registry.log_best(run, network, channels=1, step=3, metrics={"test_psnr": 33.0})
        registry.verify(run, uri, network, np.random.default_rng(0).random((1, 20, 16, 1), dtype=np.float32))
        registered = registry.register(run, uri, "late", tags={"psnr": 33.0})
        result = {"run_id": run.id, "model_uri": uri, "registered": registered}
        run.log_result(result)
    result = run.answered(result)
    ended = time.time() * 1000
    assert (result["run_id"], result["registered"]) == (None, None)
    assert "runs sync=true" in result["pending"]["send"]
    (tmp_path / "out" / "result.json").write_text(json.dumps(result))

    server.start()
    (sent,) = srexp.run("runs", ["sync=true"])["synced"]
    assert (sent["left"], sent["refused"]) == (0, [])
    assert sent["run_id"] in capfd.readouterr().out
    assert differences(tmp_path / result["pending"]["folder"] / "journal.jsonl", server.uri) == []
    kept = json.loads((tmp_path / "out" / "result.json").read_text())
    assert kept["run_id"] == sent["run_id"]
    assert kept["registered"] == {"name": "late", "version": 1, "alias": "candidate"}
    assert kept["model_uri"].startswith("models:/m-")
    assert "pending" not in kept

    from mlflow import MlflowClient

    info = MlflowClient(server.uri).get_run(sent["run_id"]).info
    assert (info.run_name, info.status) == ("late one", "FINISHED")
    assert began - 5000 <= info.start_time <= began + 5000
    assert info.end_time <= ended
    assert srexp.run("runs", ["sync=true"])["synced"] == []


@pytest.mark.system
@pytest.mark.slow
def test_what_was_left_goes_with_the_next_run_once(server, tracking, tmp_path):
    server.hang()
    quick = Tracking(folder=tracking.folder, uri=server.uri, system_metrics=False, wait_seconds=0.5)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer, "_START_SECONDS", 1.0)
        with quick.run("left", folder=tmp_path / "a") as first:
            begun(first, range(5))
    server.go_on()
    deadline = time.monotonic() + 30
    while first.pending() and time.monotonic() < deadline:  # the thread of the run may have a request in its hands
        time.sleep(0.1)
    with tracking.run("left", folder=tmp_path / "b") as second:
        begun(second, range(5))
        while list(recovery.found(tracking.index)) and time.monotonic() < deadline:
            time.sleep(0.1)
    for run in (first, second):
        assert differences(run.journal.folder / "journal.jsonl", server.uri) == []
