"""Journals whose process is gone, to a store that takes everything or nothing."""

from __future__ import annotations

import os
import time

import pytest

from srexp.errors import SrexpError
from srexp.tracking.journal import recovery
from srexp.tracking.journal.journal import Journal
from srexp.tracking.store.store import Store


def left(tmp_path, name, age, *kinds, **content):
    """A journal whose process is gone, of that many seconds ago."""
    journal = Journal.begin(tmp_path / name, tmp_path / "mlruns" / "pending")
    for kind in kinds:
        journal.add(kind, **content)
    journal.close()
    os.utime(journal.pointer, (time.time() - age,) * 2)
    return journal


@pytest.fixture
def taken(monkeypatch):
    """What a store that takes everything was sent: journals and kinds."""
    sent = []

    def take(replay):
        sent.append((replay.journal.id, replay.journal.waiting[0]["op"]))
        replay.journal.done([replay.journal.waiting[0]])

    monkeypatch.setattr(recovery.Replay, "next", take)
    return sent


STORE = Store("http://mlflow.example", None, None)


def test_the_oldest_is_sent_first_and_each_is_accounted_for(tmp_path, taken):
    new = left(tmp_path, "new", 10, "create", "end")
    old = left(tmp_path, "old", 100, "create", "tags", "end")
    (new.pointer.parent / ".hidden").write_text("")
    (new.pointer.parent / "folder").mkdir()
    first, second = recovery.send(STORE, new.pointer.parent)
    assert [each for each, _ in taken] == [old.id] * 3 + [new.id] * 2
    assert (first.folder, first.run_id, first.records, first.left, first.refused, first.reason) == (
        str(old.folder), f"pending-{old.id}", 3, 0, [], "",
    )  # fmt: skip
    assert (second.folder, second.records) == (str(new.folder), 2)
    assert sorted(path.name for path in new.pointer.parent.iterdir()) == [".hidden", "folder"]


def test_who_is_interrupted_stops_after_an_operation_and_says_so(tmp_path, taken):
    old, new = left(tmp_path, "old", 100, "create", "tags", "end"), left(tmp_path, "new", 10, "end")
    goes_on = iter([True, False, False])
    [sent] = recovery.send(STORE, old.pointer.parent, between=lambda: next(goes_on))
    assert (sent.records, sent.left, sent.reason) == (2, 1, "interrupted")
    assert [each["op"] for each in Journal.left_behind(old.pointer).waiting] == ["end"]
    assert new.pointer.exists()


@pytest.mark.parametrize(("error", "asked"), [(ConnectionError("gone"), 1), (SrexpError("wrong password"), 2)])
def test_a_store_that_is_away_is_asked_once_and_one_that_refuses_for_each(tmp_path, monkeypatch, error, asked):
    def refuse(replay):
        raise error

    monkeypatch.setattr(recovery.Replay, "next", refuse)
    for name in "ab":
        left(tmp_path, name, 10, "create", "end")
    sent = recovery.send(STORE, tmp_path / "mlruns" / "pending")
    assert [(each.records, each.left) for each in sent] == [(0, 2)] * asked
    assert {each.reason for each in sent} == {str(error)}


@pytest.mark.parametrize(
    ("meant", "now", "known"),
    [
        ("http://***@mlflow.example", "http://ann:pw@mlflow.example", True),
        ("http://other.example", "http://mlflow.example", False),
        ("sqlite:///{root}/old/mlruns/mlflow.db", "sqlite:///{root}/new/mlruns/mlflow.db", True),
        ("sqlite:///{root}/old/other/mlflow.db", "sqlite:///{root}/new/other/mlflow.db", True),
        ("sqlite:///{root}/old/other/mlflow.db", "sqlite:///{root}/new/another/mlflow.db", False),
        ("sqlite:///{root}/gone/mlflow.db", "sqlite:///{root}/new/mlruns/mlflow.db", True),
        ("sqlite:///{root}/there/mlflow.db", "sqlite:///{root}/new/mlruns/mlflow.db", False),
        ("sqlite:///{root}/gone/other.db", "sqlite:///{root}/new/mlruns/mlflow.db", False),
        ("sqlite:///{root}/gone/mlflow.db", "http://mlflow.example", False),
        ("http://mlflow.example", "sqlite:///{root}/new/mlruns/mlflow.db", False),
    ],
)
def test_a_journal_goes_to_the_store_that_was_meant_wherever_both_were_moved(tmp_path, taken, meant, now, known):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mlflow.db").touch()
    meant, now = (each.format(root=tmp_path) for each in (meant, now))
    left(tmp_path / "old", "out", 10, "create", store=meant)
    (tmp_path / "old").rename(tmp_path / "new")
    [sent] = recovery.send(Store(now, None, None), tmp_path / "new" / "mlruns" / "pending")
    assert (sent.left, sent.reason) == ((0, "") if known else (1, f"it is for another store: tracking.uri={meant}"))
