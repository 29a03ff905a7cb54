"""Searches whose trials and runs are kept in a PostgreSQL: by two workers, and by two machines that share it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

PASSWORD = "q7Xv_not_to_be_seen"
SPACE = "search.space={optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true}}"


def postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl: that on the path, or Debian's newest."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


PROGRAMS = postgres_programs()
pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL on this machine; .ci/run installs it"),
]


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int

    def uri(self, database: str) -> str:
        return f"postgresql://ann:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def rows(self, database: str) -> str:
        """Everything that a database holds, as text."""
        with psycopg.connect(self.uri(database)) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            rows = [connection.execute(f'SELECT t::text FROM "{table}" t').fetchall() for (table,) in tables]
        return "\n".join(row for found in rows for (row,) in found)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server on a free port of the loopback address, which ends with the test; it refuses to run as root."""
    with tempfile.TemporaryDirectory(prefix="srexp-postgres-") as name, socket.socket() as free:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        other = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if other:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")

        def call(program: str, *words: str) -> None:
            # Its output goes to a file: the server would keep a pipe open.
            with (folder / f"{program}.log").open("wb") as log:
                subprocess.run(
                    [PROGRAMS / program, "-D", folder / "data", *words],
                    check=True, cwd=folder, stdout=log, stderr=log, timeout=60, **other,
                )  # fmt: skip

        call("initdb", "--username=ann", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--no-sync")
        call("pg_ctl", "start", "--wait", "-o", f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off")
        try:
            server = Postgres(port)
            with psycopg.connect(server.uri("postgres"), autocommit=True) as connection:
                connection.execute("CREATE DATABASE study")
                connection.execute("CREATE DATABASE runs")
            yield server
        finally:
            call("pg_ctl", "stop", "--wait", "-m", "immediate")


def runs_of(folder: Path, uri: str) -> list:
    from srexp.tracking.start import Tracking
    from srexp.tracking.store import connect

    client = connect(Tracking(folder=folder, uri=uri).store)
    return client.search_runs([each.experiment_id for each in client.search_experiments()])


def assert_hidden(postgres: Postgres, *roots: Path) -> None:
    for database in ("study", "runs"):
        assert PASSWORD not in postgres.rows(database)
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_two_workers_and_mlflow_share_a_server(project, folder_of, postgres) -> None:
    kept = [f"search.storage={postgres.uri('study')}", f"tracking.uri={postgres.uri('runs')}"]
    request = [*folder_of, SPACE, "search.name=shared", "search.trials=3", "search.workers=2", *kept]
    done = project.run("search", *request, timeout=280)
    assert done.returncode == 0, done.stderr
    [result] = project.results()
    assert sum(result["trials"].get(state, 0) for state in ("finished", "pruned")) == 3
    assert result["registered"]["version"] == 1

    runs = {run.info.run_id: run for run in runs_of(project.root / "mlruns", postgres.uri("runs"))}
    parent = runs.pop(result["run_id"])
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert len(runs) == 4  # three trials and the best one's network, scored
    assert not (project.root / "mlruns" / "mlflow.db").exists()
    assert PASSWORD not in done.stdout + done.stderr
    assert_hidden(postgres, project.root)


def test_two_machines_begin_one_search_at_once_on_an_empty_server(project, tmp_path, folder_of, postgres) -> None:
    """Two project roots stand for two machines: they share the databases and the artifacts, and nothing else."""
    kept = [f"search.storage={postgres.uri('study')}", f"tracking.uri={postgres.uri('runs')}"]
    request = [*folder_of, SPACE, "search.name=both", "search.trials=3", *kept]
    machines = [replace(project, root=tmp_path / name) for name in ("machine one", "machine two")]
    request.append(f"tracking.artifacts='{tmp_path / 'all artifacts'}'")
    drivers = []
    for machine in machines:
        machine.root.mkdir()
        command = [sys.executable, "-m", "srexp", "search", *request]
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        drivers.append(subprocess.Popen(command, env=machine.environment(), cwd=machine.root, **both))
    try:
        said = [driver.communicate(timeout=280)[0] for driver in drivers]
    finally:
        for driver in drivers:
            with contextlib.suppress(ProcessLookupError):
                driver.kill()
    assert [driver.returncode for driver in drivers] == [0, 0], "\n".join(said)
    results = [machine.results()[-1] for machine in machines]
    [owner] = [result for result in results if not result.get("joined")]
    assert {result["run_id"] for result in results} == {owner["run_id"]}
    assert sum(owner["trials"].get(state, 0) for state in ("finished", "pruned")) == 3

    runs = runs_of(tmp_path / "reader", postgres.uri("runs"))
    assert {run.info.status for run in runs} == {"FINISHED"}
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.run_id == owner["run_id"]
    trials = [run for run in runs if "srexp.trial_state" in run.data.tags]
    assert sorted(run.data.tags["srexp.trial"] for run in trials) == ["0", "1", "2"]
    assert len(runs) == 5
    assert PASSWORD not in "".join(said)
    assert_hidden(postgres, *(machine.root for machine in machines), tmp_path / "all artifacts")
