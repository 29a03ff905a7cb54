"""Registered models are listed with their versions, however many pages the store gives them in."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.registry import catalog
from srexp.tracking.registry.catalog import Version
from srexp.tracking.registry.promotion import MOVING
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store import store as stores
from srexp.tracking.store.store import connect


@pytest.fixture
def registered(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_PAGE", 1)
    client = connect(tracking.store)
    for name in ("b-x2", "a-x2"):
        client.create_registered_model(name)
        for _ in range(2):
            client.create_model_version(name, tracking.store.artifacts, tags={"model": "srcnn"}, await_creation_for=0)
    client.set_registered_model_alias("a-x2", "champion", "1")
    client.set_registered_model_alias("a-x2", "candidate", "1")
    client.set_registered_model_tag("b-x2", MOVING, "{}")


@pytest.mark.usefixtures("registered")
def test_versions_come_by_name_newest_first(tracking: Tracking) -> None:
    found = catalog.versions(tracking.store)
    assert [(each.name, each.number) for each in found] == [("a-x2", 2), ("a-x2", 1), ("b-x2", 2), ("b-x2", 1)]
    assert found[1].aliases == ("candidate", "champion")
    assert [each.moving for each in found] == [False, False, True, True]
    assert found[0].tags == {"model": "srcnn"}
    assert [each.number for each in catalog.versions(tracking.store, "b-x2")] == [2, 1]


def test_what_the_store_tells_of_a_version_arrives() -> None:
    told = SimpleNamespace(name="a", version="2", creation_timestamp=17, run_id="r", tags={"model": "srcnn"})
    model = SimpleNamespace(aliases={"z": "2", "b": 2, "other": "12", "first": 1}, tags={})
    expected = Version("a", 2, ("b", "z"), 17, "r", {"model": "srcnn"}, moving=False)
    assert catalog._version(told, model) == expected


def test_a_store_that_can_not_be_reached_is_said(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def opened(*of: object) -> object:
        asked.append(of)
        raise SrexpError("away")

    monkeypatch.setattr(catalog, "opened", opened)
    with pytest.raises(SrexpError, match="away"):
        catalog.versions(tracking.store)
    assert asked == [(tracking.store, "the registered models can't be listed")]


@pytest.mark.usefixtures("registered")
def test_a_name_that_is_not_there_is_refused_with_its_neighbour(tracking: Tracking) -> None:
    with pytest.raises(RequestError, match="did you mean a-x2"):
        catalog.versions(tracking.store, "a-x3")
