"""Where the tests download to."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.bin"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive.tar.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"
