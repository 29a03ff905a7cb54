"""Findings on disk: a damaged or unwritable index costs time and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.data.preparation.images import picture, prepared


def test_change_that_keeps_size_and_date_is_noticed(root: Path, tmp_path: Path) -> None:
    path = root / "p0_0.bmp"
    picture(path, 1)
    status = path.stat()
    first = prepared(root, cache_dir=tmp_path / "cache")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert prepared(root, cache_dir=tmp_path / "cache").fingerprint != first.fingerprint


@pytest.mark.parametrize("damage", [b"", b"[[1, 2", b"[[1]]", b'[[1,2,3,4,5,6,{"height": 1}]]', b"\xff\xfe"])
def test_damaged_index_costs_time_and_nothing_else(root: Path, tmp_path: Path, damage: bytes) -> None:
    reference = prepared(root, cache_dir=tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("index-*.json")
    index.write_bytes(damage)
    assert prepared(root, cache_dir=tmp_path / "cache").fingerprint == reference.fingerprint
    assert len(json.loads(index.read_text())) == 10


def test_index_that_cannot_be_written_costs_nothing_else(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert prepared(root, cache_dir=tmp_path / "cache").fingerprint == prepared(root).fingerprint
