"""Databases of other versions of MLflow: one's own is upgraded and kept beside, others are refused with a way out."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.store import schema
from srexp.tracking.store.store import connect, experiment_id, resolve


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT version_num FROM alembic_version").fetchone()[0]


@pytest.fixture(scope="session")
def old_database(tmp_path_factory) -> Path:
    """What an MLflow of 2023 made, by MLflow's own migrations, with a run in it."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    file = tmp_path_factory.mktemp("old") / "mlflow.db"
    Base.metadata.create_all(create_engine(f"sqlite:///{file}"))
    command.upgrade(_get_alembic_config(f"sqlite:///{file}"), "7f2a7d5fae7d")  # MLflow 2.3: inputs and data sets
    with closing(sqlite3.connect(file)) as database:
        database.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage)"
            " VALUES (7, 'old', '/artifacts', 'active')"
        )
        database.execute(
            "INSERT INTO runs (run_uuid, name, source_type, entry_point_name, user_id, status, start_time, end_time,"
            " lifecycle_stage, artifact_uri, experiment_id)"
            " VALUES ('a1', 'first', 'LOCAL', '', 'ann', 'FINISHED', 1, 2, 'active', '/artifacts/a1', 7)"
        )
        database.execute(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('psnr', 40.5, 1, 'a1', 3, 0)"
        )
        database.execute(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " VALUES ('psnr', 40.5, 1, 3, 0, 'a1')"
        )
        database.commit()
    return file


@pytest.fixture
def old(old_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(old_database, tmp_path / "mlflow.db"))


def test_an_own_database_is_upgraded_after_a_backup(old, caplog):
    before = revision(old)
    store = resolve(None, old.parent, environ={})
    client = connect(store)
    assert client.get_run("a1").data.metrics == {"psnr": 40.5}
    assert client.create_run(experiment_id(client, store, "old")).info.experiment_id == "7"
    assert revision(old) != before
    backup = old.with_name(f"mlflow.db.before-{before}")
    assert revision(backup) == before
    with closing(sqlite3.connect(backup)) as database:
        assert database.execute("SELECT run_uuid FROM runs").fetchall() == [("a1",)]
    [told] = [record.getMessage() for record in caplog.records if record.name == "srexp.tracking.store.schema"]
    assert str(backup) in told

    stamp = backup.stat().st_mtime_ns
    connect(store)
    assert backup.stat().st_mtime_ns == stamp


def test_a_database_that_others_use_is_refused_with_the_command(old):
    before = old.read_bytes()
    with pytest.raises(RequestError, match="an older MLflow") as refused:
        schema.bring_up_to_date(f"sqlite:///{old}", alone=False)
    assert "mlflow db upgrade" in str(refused.value)
    assert old.read_bytes() == before


def test_a_failed_upgrade_leaves_what_was_there(old):
    with closing(sqlite3.connect(old)) as database:
        database.execute("CREATE TABLE logged_models (mine TEXT)")  # a migration makes one of this name
        database.commit()
        kept = list(database.iterdump())
    with pytest.raises(SrexpError, match="could not be upgraded"):
        connect(resolve(None, old.parent, environ={}))
    with closing(sqlite3.connect(old)) as database:
        assert list(database.iterdump()) == kept


def test_a_database_of_a_newer_mlflow_is_refused_and_left_alone(runs):
    file = runs / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'fffffffffff0'")
        database.commit()
    before = file.read_bytes()
    with pytest.raises(RequestError, match="a newer MLflow") as refused:
        connect(resolve(None, runs, environ={}))
    assert "fffffffffff0" in str(refused.value)
    assert file.read_bytes() == before
    assert not list(runs.glob("*.before-*"))


def test_a_link_that_leads_nowhere_is_said_at_once(tmp_path):
    (tmp_path / "mlflow.db").symlink_to(tmp_path / "gone" / "mlflow.db")
    store = resolve(None, tmp_path, environ={})
    with pytest.raises(SrexpError, match="unable to open database file") as refused:
        connect(store)
    assert "permit it" in refused.value.fix
    assert (tmp_path / "mlflow.db").is_symlink()


def test_an_upgrade_that_was_ended_halfway_is_taken_back_and_done_again(old):
    before = revision(old)
    shutil.copy(old, f"{old}.upgrading")
    with closing(sqlite3.connect(old)) as database:
        database.executescript("CREATE TABLE _alembic_tmp_experiments (x); DELETE FROM metrics; DROP TABLE runs")
    client = connect(resolve(None, old.parent, environ={}))
    assert client.get_run("a1").data.metrics == {"psnr": 40.5}
    assert [each.name for each in old.parent.glob("*.*-*")] == [f"mlflow.db.before-{before}"]
    assert not list(old.parent.glob("*.upgrading"))


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, sqlite3.OperationalError("database or disk is full")])
@pytest.mark.slow
def test_a_database_is_made_whole_or_not_at_all(trouble, tmp_path, monkeypatch):
    from mlflow.store.db import utils

    halfway = utils._upgrade_db

    def stopped(engine):
        halfway(engine)
        raise trouble

    store = resolve(None, tmp_path, environ={})
    with monkeypatch.context() as patched:
        patched.setattr(utils, "_upgrade_db", stopped)
        with pytest.raises((KeyboardInterrupt, SrexpError)) as ended:
            connect(store)
    if ended.type is SrexpError:
        assert "database or disk is full" in ended.value.what
        assert "make room" in ended.value.fix
    assert [each.name for each in tmp_path.iterdir()] == ["mlflow.db.lock"]
    (tmp_path / "mlflow.db").touch()  # of one that was killed
    assert [each.name for each in connect(store).search_experiments()] == ["Default"]
    assert sorted(each.name for each in tmp_path.glob("mlflow.db*")) == ["mlflow.db", "mlflow.db.lock"]


READER = """
import sys
from pathlib import Path
from srexp.tracking.store.store import connect, resolve
client = connect(resolve(None, Path(sys.argv[1]), environ={}))
print(client.get_run("a1").data.metrics)
"""


@pytest.mark.slow
@pytest.mark.system
def test_several_processes_upgrade_it_once(old):
    command = [sys.executable, "-c", READER, str(old.parent)]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = [subprocess.Popen(command, **both) for _ in range(3)]
    said = [process.communicate(timeout=200)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], "\n".join(said)
    assert all("{'psnr': 40.5}" in text for text in said)
    assert sum("is upgraded" in text for text in said) == 1
    assert len(list(old.parent.glob("*.before-*"))) == 1
