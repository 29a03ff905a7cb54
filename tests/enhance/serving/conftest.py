"""What tests of the server share."""

import asyncio
import tempfile
from types import SimpleNamespace

import pytest


@pytest.fixture(autouse=True)
def _servers_end_soon(monkeypatch):
    """Let uvicorn look ten times as often whether it should end: most tests start a server of their own."""
    hasty = SimpleNamespace(**vars(asyncio))
    hasty.sleep = lambda seconds: asyncio.sleep(seconds / 10)
    monkeypatch.setattr("uvicorn.server.asyncio", hasty)


@pytest.fixture
def spool(tmp_path, monkeypatch):
    """The folder for temporary files, empty at the end."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
