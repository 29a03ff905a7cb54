"""Folders in which all is looked at, and verbs that fail with what they were given."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from srexp.cli import VERBS
from srexp.config.sections.base import Config
from srexp.system.masking.credentials import VARIABLE
from tests.stories.secrets.planted import Watched


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    return tmp_path / "project"


@pytest.fixture
def watched(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> Watched:
    """A project, a home, a folder for temporary files and a current folder, all empty, in which all is looked at."""
    for name in ("home", "temporary", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path / "here")
    return Watched(tmp_path, capfd)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each verb do no more than fail with what it was given, and what that stands for, in its message."""
    for verb in VERBS:
        command = importlib.import_module(f"srexp.commands.{verb}")

        def fail(config: Config) -> dict[str, Any]:
            told = [value for name, value in os.environ.items() if name != VARIABLE]
            meant = [*json.loads(os.environ[VARIABLE]).values(), *told]
            raise ValueError(f"{config} {json.dumps(config.resolved, default=str)} {[*meant, *map(unquote, meant)]}")

        monkeypatch.setattr(command, "run", fail)
