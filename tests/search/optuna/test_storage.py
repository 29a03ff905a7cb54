"""A study in a database, with SQLite in the place of one that machines share, and what is asked of the real ones."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from optuna.samplers import QMCSampler
from optuna.storages import RDBStorage
from sqlalchemy import make_url, text

from srexp.errors import SrexpError
from srexp.search.ask_and_tell import TrialOutcome
from srexp.search.heartbeat import GRACE_SECONDS, HEARTBEAT_SECONDS
from srexp.search.optuna import storage
from srexp.search.optuna import study as study_module
from srexp.search.optuna.engine import Optuna


@pytest.fixture
def locks():
    """Names of the locks that were asked of the database, in their order."""
    return []


@pytest.fixture
def database(tmp_path, monkeypatch, locks):
    url = make_url(f"sqlite:///{tmp_path}/studies.db")

    @contextmanager
    def locked(given, name, seconds):
        assert given == url
        locks.append(name)
        yield

    monkeypatch.setattr(storage, "parse_url", lambda *_: url)
    monkeypatch.setattr(storage.database_locks, "locked", locked)
    return url


@pytest.fixture
def opened(tmp_path, monkeypatch, space, database):
    monkeypatch.setattr("srexp.search.optuna.engine.parse_url", lambda *_: database)

    def opened(**options):
        search = Optuna(folder=tmp_path, name="tried", space=space, storage="mysql://host/studies", **options)
        return search.open(seed=0, epochs=9)

    return opened


def test_a_database_is_asked_for_signs_of_life_and_before_each_use_whether_it_is_there(database):
    called = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = storage.open_database(database, lambda *given: called.append(given))
    assert isinstance(made, RDBStorage)
    assert (made.get_heartbeat_interval(), made.grace_period) == (HEARTBEAT_SECONDS, GRACE_SECONDS)
    assert made.engine.pool._pre_ping is True
    made.get_heartbeat_stale_trial_callback()("study", "trial")
    assert called == [("study", "trial")]


def test_a_database_that_can_not_be_reached_is_named(tmp_path):
    url = make_url(f"sqlite:///{tmp_path}/no/folder/studies.db")
    with pytest.raises(SrexpError, match=r"search\.storage sqlite:.* failed: unable to open database file"):
        storage.open_database(url, lambda *_: None)
    assert storage.shown(make_url("mysql://ann:pw@host/db?ssl_key=secret")) == "mysql://ann:***@host/db"


def test_a_search_in_a_database_locks_it_by_its_name_and_ends(opened, locks, briefly):
    study = opened(trials=3, pruner="none")
    with study.alone():
        study.work(briefly)
    assert [trial.state for trial in study.trials()] == ["finished"] * 3
    assert [trial.number for trial in opened().trials()] == [0, 1, 2]
    assert locks[:2] == ["tried", "parent of tried"]
    assert set(locks) == {"tried", "parent of tried"}


def test_a_trial_of_another_machine_that_falls_silent_goes_to_the_next_one(opened, database, caplog):
    study = opened(trials=3)
    elsewhere = {"host": "elsewhere", "pid": 3, "process_start": 1.0}
    silent, heard = study.ask(elsewhere), study.ask(elsewhere)
    long_ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=GRACE_SECONDS + 60)
    with study._storage.engine.begin() as connection:
        kept = connection.execute(text("SELECT trial_id FROM trial_heartbeats ORDER BY trial_id")).scalars().all()
        assert len(kept) == 2
        connection.execute(
            text("UPDATE trial_heartbeats SET heartbeat = :then WHERE trial_id = :one"),
            {"then": long_ago, "one": kept[0]},
        )
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        again = opened(trials=3).ask()
    found = study.trials()
    assert [trial.state for trial in found] == ["failed", "running", "running"]
    assert found[0].facts["reason"] == f"its worker gave no sign of life for {GRACE_SECONDS} s"
    assert (found[2].facts["retry_of"], found[2].facts["deaths"]) == (silent.number, 1)
    assert (again.values, heard.number) == (silent.values, 1)
    assert "trial 0: its worker gave no sign of life" in caplog.text


def test_signs_of_life_go_to_the_database_and_nowhere_else(opened, monkeypatch, tmp_path, space):
    study, beats = opened(trials=2), []
    monkeypatch.setattr(study_module, "heartbeat", beats.append)
    trial = study.ask()
    study.signs_of_life(trial)
    recorded = []
    monkeypatch.setattr(study._storage, "record_heartbeat", recorded.append)
    beats[0]()
    assert recorded == [study._trial_id(trial.number)]
    study.tell(trial, TrialOutcome("finished", [30.0]))

    local = Optuna(folder=tmp_path / "local", name="tried", space=space).open(seed=0, epochs=9)
    with local.signs_of_life(local.ask()):
        assert len(beats) == 1


def test_notes_of_optuna_on_parts_that_may_change_are_left_out():
    def warned():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            QMCSampler(seed=1)
        return [str(each.message) for each in caught]

    assert any("QMCSampler is experimental" in said for said in warned())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with storage.quiet():
            QMCSampler(seed=1)
        with pytest.raises(UserWarning, match="another"), storage.quiet():
            warnings.warn("another", UserWarning, stacklevel=1)


def test_a_journal_lies_beside_its_lock(tmp_path):
    lock = storage.JournalLock(tmp_path / "optuna.log")
    assert lock.acquire() is True
    assert (tmp_path / "optuna.log.lock").exists()
    assert not (tmp_path / "optuna.log").exists()
    lock.release()
    for content, left in (
        (b"", b""),
        (b"a\n", b"a\n"),
        (b"a\nb", b"a\n"),
        (b"ab", b""),
        (b"\n", b"\n"),
        (b"a\n\n", b"a\n\n"),
    ):
        (tmp_path / "optuna.log").write_bytes(content)
        lock.acquire()
        lock.release()
        assert (tmp_path / "optuna.log").read_bytes() == left


def test_a_journal_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    journal = tmp_path / "optuna.log"
    journal.mkdir()
    with pytest.raises(SrexpError, match=f"{journal} can't be read: Is a directory"):
        storage.open_journal(tmp_path)
    journal.rmdir()
    journal.write_text("")

    def refuse(_):
        raise PermissionError(13, "Permission denied", str(journal))

    monkeypatch.setattr(storage, "_require_records", refuse)
    with pytest.raises(SrexpError, match=f"{journal} can't be read: Permission denied") as refused:
        storage.open_journal(tmp_path)
    assert "search.name=NAME" in refused.value.fix
