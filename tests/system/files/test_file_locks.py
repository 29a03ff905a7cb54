"""Locks that processes take in turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from srexp.errors import SrexpError
from srexp.system.files.file_locks import in_turn


def test_it_is_held_and_given_back(tmp_path: Path) -> None:
    lock, busy = tmp_path / "made" / "a.lock", SrexpError("another process has it")
    with in_turn(lock, 0, busy), pytest.raises(SrexpError, match="another process has it"), in_turn(lock, 0, busy):
        raise AssertionError("two have it")
    with in_turn(lock, 0, busy):
        pass


def test_a_failure_within_gives_it_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="within"), in_turn(tmp_path / "a.lock", 0, SrexpError("busy")):
        raise ValueError("within")
    with FileLock(tmp_path / "a.lock", timeout=0):
        pass
