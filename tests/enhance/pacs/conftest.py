"""pynetdicom leaves sockets of connections that were refused or broken off to the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _what_others_left() -> None:
    """Leave out what is there already: to look for garbage in all that a worker has made takes up to half a minute."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _sockets() -> Iterator[None]:
    yield
    gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "enhance/pacs" in item.path.as_posix():
            item.add_marker(
                pytest.mark.filterwarnings(
                    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
                )
            )
