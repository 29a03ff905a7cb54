import os
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.store.store import connect, experiment_id, opened, resolve, selected


def test_without_a_uri_the_store_is_a_database_in_the_folder_of_runs(tmp_path):
    store = resolve(None, tmp_path, environ={})
    assert store.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert store.artifacts == f"file://{tmp_path}/artifacts"
    assert store.lock == tmp_path / "mlflow.db.lock"
    assert not list(tmp_path.iterdir())


def test_configuration_wins_over_the_environment_and_that_over_the_folder(tmp_path):
    environ = {"MLFLOW_TRACKING_URI": "http://from-environment:5000"}
    assert resolve("http://configured:5000", tmp_path, environ=environ).uri == "http://configured:5000"
    assert resolve(None, tmp_path, environ=environ).uri == "http://from-environment:5000"
    assert resolve(None, tmp_path, environ={"MLFLOW_TRACKING_URI": ""}).uri.startswith("sqlite:")


def test_relative_addresses_count_from_the_folder_whatever_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = resolve("sqlite:///other.db", Path("runs"), environ={})
    monkeypatch.chdir("/")
    second = resolve("sqlite:///other.db", tmp_path / "runs", environ={})
    assert first == second
    assert first.uri == f"sqlite:///{tmp_path}/runs/other.db"


def test_absolute_databases_and_queries_are_kept(tmp_path):
    assert resolve("sqlite:////data/a.db?timeout=9", tmp_path).uri == "sqlite:////data/a.db?timeout=9"


def test_servers_decide_where_artifacts_go_and_databases_do_not(tmp_path):
    assert resolve("https://tracking", tmp_path).artifacts is None
    assert resolve("https://tracking", tmp_path).lock is None
    assert resolve("postgresql+psycopg://u:p@h/db", tmp_path).artifacts == f"file://{tmp_path}/artifacts"
    assert resolve("postgresql://h/db", tmp_path, artifacts="s3://bucket/x").artifacts == "s3://bucket/x"
    assert resolve(None, tmp_path, artifacts="kept", environ={}).artifacts == f"file://{tmp_path}/kept"


@pytest.mark.parametrize(
    "uri",
    [
        *("mlruns", "/data/mlruns", "file:///data/mlruns", "sqllite:///a.db", "sqlite://", "ftp://x"),
        *("oracle://h/db", "foo+bar://h/db", "sqlite+foo:///a.db", "sqlite+pysqlcipher:///a.db", "http+foo://h"),
        *("databricks+foo://h", "mssql+foo://h/db", "POSTGRESQL+foo://h/db"),
    ],
)
def test_what_is_no_store_is_refused_by_name(tmp_path, uri):
    with pytest.raises(RequestError, match=r"tracking\.uri") as refused:
        resolve(uri, tmp_path)
    assert "fix:" in str(refused.value)


def test_a_refused_uri_from_the_environment_is_named_as_such_and_masked(tmp_path):
    with pytest.raises(RequestError, match="MLFLOW_TRACKING_URI") as refused:
        resolve(None, tmp_path, environ={"MLFLOW_TRACKING_URI": "postgres://ann:secret@host/db"})
    assert "secret" not in str(refused.value)
    assert "did you mean postgresql?" in str(refused.value)


def test_two_current_directories_lead_to_one_experiment_and_leave_nothing_behind(runs, tmp_path, monkeypatch):
    numbers = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        store = resolve(None, runs, environ={})
        client = connect(store)
        numbers.append(experiment_id(client, store, "samples-bicubic-x2"))
        assert not list((tmp_path / name).iterdir())
    assert numbers[0] == numbers[1]
    assert client.get_experiment(numbers[0]).artifact_location == f"file://{runs}/artifacts"


def test_a_folder_of_unusual_name_works(tmp_path, made_store):
    folder = tmp_path / "ünusual 100% name#1"
    folder.mkdir()
    shutil.copy(made_store, folder / "mlflow.db")
    store = resolve(None, folder, environ={})
    client = connect(store)
    run = client.create_run(experiment_id(client, store, "x"))
    client.log_text(run.info.run_id, "kept", "a.txt")
    assert (folder / "artifacts" / run.info.run_id / "artifacts" / "a.txt").read_text() == "kept"


def test_a_deleted_experiment_is_named_with_ways_out(runs):
    store = resolve(None, runs, environ={})
    client = connect(store)
    client.delete_experiment(experiment_id(client, store, "gone"))
    with pytest.raises(RequestError, match="was deleted"):
        experiment_id(client, store, "gone")


def test_a_server_that_is_away_is_named_within_seconds(tmp_path):
    with pytest.raises(SrexpError, match="can't be opened") as refused:
        connect(resolve("http://ann:secret@127.0.0.1:9", tmp_path))
    assert "tracking.uri" in str(refused.value)
    assert "secret" not in str(refused.value)


class Proxy(BaseHTTPRequestHandler):
    """Answers for servers that nobody else can reach, and remembers what was asked of it."""

    asked: ClassVar[list[str]] = []
    status = 200

    def do_GET(self) -> None:
        Proxy.asked.append(self.path)
        self.send_response(Proxy.status)
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that leads to a tracking server whose name is known to it alone."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(Proxy, "asked", [])
        monkeypatch.setattr(Proxy, "status", 200)
        yield Proxy
        server.shutdown()


def test_a_server_behind_a_proxy_is_reached_by_the_road_of_the_requests(proxy, tmp_path, monkeypatch):
    away = resolve("http://tracking.invalid:5000/ml", tmp_path)
    connect(away)
    assert proxy.asked == ["http://tracking.invalid:5000/ml/health"]
    monkeypatch.setenv("no_proxy", "tracking.invalid")
    with pytest.raises(SrexpError, match="can't be opened"):
        connect(away)
    assert len(proxy.asked) == 1


def test_a_proxy_that_lets_nobody_through_is_told_by_the_first_request(proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(proxy, "status", 407)
    with (
        pytest.raises(SrexpError, match="can't be read") as refused,
        opened(resolve("http://tracking.invalid:5000", tmp_path), "it can't be read") as client,
    ):
        client.get_run("1" * 32)
    assert "NO_PROXY" in str(refused.value)


def test_an_address_without_a_server_is_not_waited_for(tmp_path):
    begin = time.monotonic()
    with pytest.raises(SrexpError, match="Connection refused"):
        connect(resolve("http://127.0.0.1:9", tmp_path))
    assert time.monotonic() - begin < 100


def test_a_store_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SrexpError, match="can't be opened"):
        connect(resolve(None, tmp_path / "file" / "runs", environ={}))


@pytest.mark.parametrize("before", [None, "sqlite:////before.db"])
def test_selecting_a_store_leaves_no_trace(monkeypatch, before):
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if before:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", before)
    mlflow.set_tracking_uri(before)
    with selected("sqlite:////during.db"):
        assert mlflow.get_tracking_uri() == "sqlite:////during.db"
    assert os.environ.get("MLFLOW_TRACKING_URI") == before
    assert mlflow.is_tracking_uri_set() is bool(before)
    mlflow.set_tracking_uri(None)


def test_a_store_from_the_environment_is_put_back_there_alone(monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with selected("sqlite:///other.db"):
        assert mlflow.get_tracking_uri() == "sqlite:///other.db"
    assert mlflow.get_tracking_uri() == "http://127.0.0.1:9"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert not mlflow.is_tracking_uri_set()
