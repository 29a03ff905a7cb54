"""Searches kept in a PostgreSQL or MySQL, trials and runs: by two workers, and by two machines that share it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.stories.databases import PASSWORD, Server, mysql, postgres

SPACE = "search.space={optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true}}"
pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(params=[postgres, mysql], ids=lambda start: start.__name__)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with request.param() as running:
        yield running


def runs_of(folder: Path, uri: str) -> list:
    from srexp.tracking.runs.tracking import Tracking
    from srexp.tracking.store.store import connect

    client = connect(Tracking(folder=folder, uri=uri).store)
    return client.search_runs([each.experiment_id for each in client.search_experiments()])


def assert_hidden(server: Server, *roots: Path) -> None:
    for database in ("study", "runs"):
        assert PASSWORD not in server.rows(database)
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_two_workers_and_mlflow_share_a_server(empty_project, folder_of, server) -> None:
    project = empty_project
    kept = [f"search.storage={server.uri('study')}", f"tracking.uri={server.uri('runs')}"]
    request = [*folder_of, SPACE, "search.name=shared", "search.trials=3", "search.workers=2", *kept]
    done = project.run("search", *request, timeout=280)
    assert done.returncode == 0, done.stderr
    [result] = project.results()
    assert sum(result["trials"].get(state, 0) for state in ("finished", "pruned")) == 3
    assert result["registered"]["version"] == 1

    runs = {run.info.run_id: run for run in runs_of(project.root / "mlruns", server.uri("runs"))}
    parent = runs.pop(result["run_id"])
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert len(runs) == 4  # three trials and the best one's network, scored
    assert not (project.root / "mlruns" / "mlflow.db").exists()
    assert PASSWORD not in done.stdout + done.stderr
    assert_hidden(server, project.root)


@pytest.mark.parametrize("server", [postgres], indirect=True, ids=["postgres"])
def test_two_machines_begin_one_search_at_once_on_an_empty_server(project, tmp_path, folder_of, server) -> None:
    """Two project roots stand for two machines: they share the databases and the artifacts, and nothing else."""
    kept = [f"search.storage={server.uri('study')}", f"tracking.uri={server.uri('runs')}"]
    request = [*folder_of, SPACE, "search.name=both", "search.trials=3", *kept]
    machines = [replace(project, root=tmp_path / name) for name in ("machine one", "machine two")]
    request.append(f"tracking.artifacts='{tmp_path / 'all artifacts'}'")
    drivers = []
    for machine in machines:
        machine.root.mkdir()
        drivers.append(machine.start("search", *request, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
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

    runs = runs_of(tmp_path / "reader", server.uri("runs"))
    assert {run.info.status for run in runs} == {"FINISHED"}
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.run_id == owner["run_id"]
    trials = [run for run in runs if "srexp.trial_state" in run.data.tags]
    assert sorted(run.data.tags["srexp.trial"] for run in trials) == ["0", "1", "2"]
    assert len(runs) == 5
    assert PASSWORD not in "".join(said)
    assert_hidden(server, *(machine.root for machine in machines), tmp_path / "all artifacts")
