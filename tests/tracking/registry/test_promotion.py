"""The champion's alias moves at once or not at all, whoever is killed, and never without evidence."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.registry import promotion
from srexp.tracking.registry.promotion import Places
from srexp.tracking.store import addresses
from srexp.tracking.store.store import connect, resolve

NAME = "task"
KILLING = Path(__file__).with_name("killing_promotions.py")


def register(store, versions=4):
    client = connect(store)
    client.create_registered_model(NAME)
    for _ in range(versions):
        client.create_model_version(NAME, store.artifacts, await_creation_for=0)
    return client


def evidence(version, champion=None):
    return {"run_id": f"run {version}", "gain_db": 0.5, "champion": champion, "gate": [{"name": "no leak"}]}


@pytest.fixture
def store(tracking):
    return tracking.store


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "mlruns" / "promote.lock"


def test_a_champion_is_followed_and_comes_back(store, lock):
    client = register(store)
    assert promotion.places(store, NAME) == Places(None, None)
    assert promotion.promote(store, lock, NAME, 1, evidence(1), over=None)
    assert promotion.places(store, NAME) == Places(1, None)
    assert promotion.promote(store, lock, NAME, 3, evidence(3, 1), over=1)
    assert promotion.places(store, NAME) == Places(3, 1)
    tags = promotion.version_tags(store, NAME, 3)
    assert json.loads(tags["promotion"]) == evidence(3, 1)
    assert (tags["promotion.run_id"], tags["promotion.gain_db"], tags["promotion.champion"]) == ("run 3", "0.5", "1")
    assert promotion.version_tags(store, NAME, 1)["promotion.champion"] == "none"

    assert promotion.rollback(store, lock, NAME, {"reason": "artefacts"}) == Places(1, 3)
    assert client.get_registered_model(NAME).aliases == {"champion": 1, "previous": 3}
    assert json.loads(promotion.version_tags(store, NAME, 3)["promotion.rolled_back"]) == {"reason": "artefacts"}
    assert promotion.rollback(store, lock, NAME, {}) == Places(3, 1)
    assert promotion.MOVING not in client.get_registered_model(NAME).tags


def point(store, alias, version):
    """Let an alias point to a version that isn't there, as what somebody did to the database leaves it."""
    with closing(sqlite3.connect(store.uri.removeprefix("sqlite:///"))) as database, database:
        row = (NAME, alias, version)
        database.execute("insert or replace into registered_model_aliases (name, alias, version) values (?, ?, ?)", row)


def test_an_alias_whose_version_is_gone_keeps_nobody_from_the_next_promotion(store, lock):
    client = register(store)
    point(store, "champion", 78)
    point(store, "previous", 79)
    assert promotion.places(store, NAME) == Places(None, None)
    with pytest.raises(RequestError) as refused:
        addresses.find(store, f"models:/{NAME}@champion")
    assert refused.value.fix == f"models:/{NAME}/2 or models:/{NAME}/3 or models:/{NAME}/4"
    assert promotion.promote(store, lock, NAME, 2, evidence(2), over=None)
    assert promotion.places(store, NAME) == Places(2, None)
    client.set_registered_model_tag(NAME, promotion.MOVING, json.dumps({"champion": 3, "was_previous": 80}))
    assert promotion.settle(store, lock, NAME) == Places(2, None)
    assert promotion.MOVING not in client.get_registered_model(NAME).tags


def test_evidence_against_another_champion_moves_nothing(store, lock):
    register(store)
    assert promotion.promote(store, lock, NAME, 1, evidence(1), over=None)
    assert not promotion.promote(store, lock, NAME, 2, evidence(2), over=None)
    assert not promotion.promote(store, lock, NAME, 2, evidence(2, 4), over=4)
    assert promotion.places(store, NAME) == Places(1, None)
    assert "promotion" not in promotion.version_tags(store, NAME, 2)


@pytest.mark.parametrize(
    ("left", "was_previous", "mended"),
    [(Places(2, 2), 1, Places(2, 1)), (Places(2, 2), None, Places(2, None)), (Places(3, 2), 1, Places(3, 2))],
    ids=["before its champion", "before its first champion but one", "after its champion"],
)
def test_a_move_that_was_cut_short_is_mended(store, lock, left, was_previous, mended):
    client = register(store)
    client.set_registered_model_tag(NAME, "promotion.moving", json.dumps({"champion": 3, "was_previous": was_previous}))
    for alias, version in (("champion", left.champion), ("previous", left.previous)):
        client.set_registered_model_alias(NAME, alias, str(version))
    assert promotion.settle(store, lock, NAME) == promotion.places(store, NAME) == mended
    assert not client.get_registered_model(NAME).tags


def test_there_must_be_something_to_go_back_to(store, lock):
    with pytest.raises(RequestError, match="no such registered model"):
        promotion.settle(store, lock, NAME)
    register(store)
    for champion in (None, 1):
        if champion:
            promotion.promote(store, lock, NAME, champion, evidence(champion), over=None)
        with pytest.raises(RequestError, match="no previous champion"):
            promotion.rollback(store, lock, NAME, {})


def test_who_holds_the_lock_is_named(store, lock, monkeypatch):
    from filelock import FileLock

    register(store)
    monkeypatch.setattr(promotion, "_LOCK_SECONDS", 0.1)
    with FileLock(lock), pytest.raises(SrexpError, match="moving aliases") as raised:
        promotion.promote(store, lock, NAME, 1, evidence(1), over=None)
    assert str(lock) in str(raised.value)


class Noting:
    """A client that notes what is asked of it."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *of: self.calls.append((name, *of))


@pytest.mark.parametrize("previous", [2, None])
def test_the_champion_moves_last_and_after_a_note(previous):
    client = Noting()
    promotion._move(client, NAME, Places(2, 1), Places(3, previous))
    assert client.calls == [
        ("set_registered_model_tag", NAME, "promotion.moving", '{"champion": 3, "was_previous": 1}'),
        *([("set_registered_model_alias", NAME, "previous", "2")] if previous else []),
        ("set_registered_model_alias", NAME, "champion", "3"),
        ("delete_registered_model_tag", NAME, "promotion.moving"),
    ]


@pytest.mark.parametrize(
    ("now", "previous"),
    [
        (Places(2, 1), 1),
        (Places(1, 1), None),
        (Places(1, None), None),
        (Places(None, 1), None),
        (Places(None, None), None),
    ],
)
def test_what_there_is_to_go_back_to(now, previous):
    if previous:
        assert promotion.require_previous(NAME, now) == previous
    else:
        with pytest.raises(RequestError, match="task has no previous champion") as refused:
            promotion.require_previous(NAME, now)
        assert refused.value.got == f"champion: {now.champion or 'none'}, previous: {now.previous or 'none'}"


def test_without_a_champion_the_previous_one_stays(store, lock):
    client = register(store)
    client.set_registered_model_alias(NAME, "previous", "2")
    assert promotion.promote(store, lock, NAME, 3, evidence(3), over=None)
    assert promotion.places(store, NAME) == Places(3, 2)


def test_evidence_is_whole_masked_and_its_plain_values_are_tags_that_a_rollback_renews(store, lock):
    client = register(store)
    known = {"run_id": "a", "gain_db": 0.5, "images": 9, "forced": True, "champion": None, "gate": []}
    secret = {"store": "https://ann:pa55@host"}
    assert promotion.promote(store, lock, NAME, 1, {**known, **secret}, over=None)
    tags = promotion.version_tags(store, NAME, 1)
    assert json.loads(tags["promotion"]) == {**known, "store": "https://***@host"}
    plain = {"run_id": "a", "gain_db": "0.5", "images": "9", "forced": "true", "champion": "none"}
    plain["store"] = "https://***@host"
    assert {name: tag for name, tag in tags.items() if name != "promotion"} == {
        f"promotion.{name}": tag for name, tag in plain.items()
    }
    promotion.promote(store, lock, NAME, 2, {}, over=1)
    client.set_model_version_tag(NAME, "1", "promotion.run_id", "another")
    promotion.rollback(store, lock, NAME, {})
    assert promotion.version_tags(store, NAME, 1) == tags
    with pytest.raises(ValueError, match="JSON"):
        promotion.promote(store, lock, NAME, 3, {"gain_db": float("nan")}, over=1)


def test_a_store_that_can_not_be_reached_is_said(store, lock, monkeypatch):
    asked = []

    def away(*of):
        asked.append(of)
        raise SrexpError("away")

    monkeypatch.setattr(promotion, "opened", away)
    for ask in (
        lambda: promotion.places(store, NAME),
        lambda: promotion.settle(store, lock, NAME),
        lambda: promotion.version_tags(store, NAME, 3),
        lambda: promotion.promote(store, lock, NAME, 3, {}, over=None),
        lambda: promotion.rollback(store, lock, NAME, {}),
    ):
        with pytest.raises(SrexpError, match="away"):
            ask()
    assert asked == [
        (store, "the aliases of task can't be read"),
        (store, "the aliases of task can't be read"),
        (store, "version 3 of task can't be read"),
        (store, "version 3 of task could not be promoted"),
        (store, "task could not be rolled back"),
    ]


@pytest.fixture
def killed(made_store, tmp_path):
    """Stores that killed promotions left: a folder for each call before which one was killed, and how all ended."""
    made = {}
    for kind in ("made", "fresh"):
        (tmp_path / kind).mkdir()
        made[kind] = Path(shutil.copy(made_store, tmp_path / kind / "mlflow.db"))
    store, lock = resolve(None, tmp_path / "made", environ={}), tmp_path / "lock"
    register(store)
    promotion.promote(store, lock, NAME, 1, evidence(1), over=None)
    promotion.promote(store, lock, NAME, 2, evidence(2, 1), over=1)
    register(resolve(None, tmp_path / "fresh", environ={}))
    done = subprocess.run(
        [sys.executable, KILLING, made["made"], made["fresh"], tmp_path],
        env={**os.environ, "PYTHONPATH": str(KILLING.parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.system
def test_whoever_is_killed_there_is_one_champion_with_its_evidence(killed, tmp_path):
    for kind, before, after in (
        ("promote", Places(2, 1), Places(3, 2)),
        ("first", Places(None, None), Places(3, None)),
        ("rollback", Places(2, 1), Places(1, 2)),
    ):
        assert len(killed[kind]) > 6
        assert set(killed[kind][:-1]) == {-9}  # killed before their first, second, ... call
        assert killed[kind][-1] == 0  # there were fewer calls
        seen = [left_and_mended(tmp_path / kind / str(n + 1), before, after) for n in range(len(killed[kind]))]
        assert {mended for _, mended in seen} == {before, after}
        assert seen[-1] == (after, after)
        if kind != "first":
            assert any(left != mended for left, mended in seen)  # one was killed between the two aliases
    one_of_those_at_once_was_promoted(killed["race"], resolve(None, tmp_path / "race" / "1", environ={}))


def left_and_mended(folder, before, after):
    store, lock = resolve(None, folder, environ={}), folder / "promote.lock"
    left = promotion.places(store, NAME)
    assert left.champion in (before.champion, after.champion)
    if left.champion:
        tags = promotion.version_tags(store, NAME, left.champion)
        assert tags["promotion.run_id"] == json.loads(tags["promotion"])["run_id"]
    mended = promotion.settle(store, lock, NAME)
    assert mended == (before if left.champion == before.champion else after)
    assert promotion.settle(store, lock, NAME) == mended
    assert promotion.MOVING not in connect(store).get_registered_model(NAME).tags
    return left, mended


def one_of_those_at_once_was_promoted(codes, store):
    assert sorted(codes) == [0, 1, 1, 1]
    places = promotion.places(store, NAME)
    assert places == Places((3, 4, 3, 4)[codes.index(0)], 2)
    other = {3: 4, 4: 3}[places.champion]
    assert "promotion" in promotion.version_tags(store, NAME, places.champion)
    assert "promotion" not in promotion.version_tags(store, NAME, other)
