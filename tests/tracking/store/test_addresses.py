"""Addresses of models, as they are read and as they are shown; those of a store are in `registry/test_models.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.errors import RequestError
from srexp.tracking.store.addresses import Found, find
from srexp.tracking.store.store import Store

NOWHERE = Store("http://127.0.0.1:9", None, None)


def test_a_file_needs_no_store(tmp_path: Path) -> None:
    network = tmp_path / "logged" / "data" / "model.keras"
    network.parent.mkdir(parents=True)
    network.touch()
    for address in (network, network.parents[1]):
        found = find(NOWHERE, str(address))
        assert (found.path, found.address, found.label) == (network, str(network), "model.keras")


def test_what_is_shown_of_an_address() -> None:
    found = Found("models:/task@champion", "task", 3, "m-1", "run")
    assert (found.address, found.readable, found.label) == ("models:/m-1", "models:/task/3", "task version 3")
    assert Found("models:/m-1", model_id="m-1").readable == "models:/m-1"


@pytest.mark.parametrize(("address", "mend"), [("bicubik", "bicubic"), ("model:/task/1", "models:/")])
def test_what_is_no_address_is_refused_with_the_nearest(address: str, mend: str) -> None:
    with pytest.raises(RequestError, match=f"did you mean {mend}"):
        find(NOWHERE, address, others=["bicubic"])


def test_a_network_of_the_package_is_found_by_its_name() -> None:
    found = find(NOWHERE, "zoo/hybrid-cxr-x2")
    assert found.path is not None
    assert found.path.is_file()
    assert (found.address, found.readable, found.label) == ("zoo/hybrid-cxr-x2",) * 3


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("zoo", "zoo/hybrid-cxr-x2  "),
        ("zoo/", "zoo/hybrid-cxr-x2  "),
        ("zoo/hybrid", "zoo/hybrid-cxr-x2  "),
        ("zoo/hybrid-cxr-2", "did you mean zoo/hybrid-cxr-x2"),
        ("zo/hybrid-cxr-x2", "did you mean zoo/hybrid-cxr-x2"),
        ("zoo/../secret", "zoo/hybrid-cxr-x2  "),
        ("zoo/mine.keras", "there is no file"),
    ],
)
def test_what_the_package_has_not_is_refused_with_what_it_has(address: str, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        find(NOWHERE, address)
    assert said in str(refused.value)
