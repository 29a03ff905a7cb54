"""Models on their way to the registry; whole ways are in `test_recovery.py`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from srexp.tracking.journal.upload import digests, move_forward


def test_every_file_but_the_description_is_digested(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.keras").write_bytes(b"weights")
    (tmp_path / "MLmodel").write_text("names an address")
    assert digests(tmp_path) == {"data/model.keras": hashlib.sha256(b"weights").hexdigest()}


@pytest.mark.parametrize(("now", "moved"), [({}, ["3"]), ({"candidate": "2"}, ["3"]), ({"candidate": "4"}, [])])
def test_an_alias_never_moves_back(now: dict[str, str], moved: list[str]) -> None:
    calls: list[str] = []
    client = SimpleNamespace(
        get_registered_model=lambda _: SimpleNamespace(aliases=now),
        set_registered_model_alias=lambda _name, _alias, number: calls.append(number),
    )
    move_forward(client, "task", "candidate", 3)  # type: ignore[arg-type]
    assert calls == moved
