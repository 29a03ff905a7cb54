"""What tests of the server share."""

import tempfile

import pytest


@pytest.fixture
def spool(tmp_path, monkeypatch):
    """The folder for temporary files, empty at the end."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
