"""A note on disk is read whole, or one message names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.system.files.json_files import DamagedError, read_note


def test_a_note_is_read_and_none_is_none(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    assert read_note(path, keys=["a"], fix="") is None
    path.write_text('{"a": 1, "b": [2]}')
    assert read_note(path, keys=["a"], fix="") == {"a": 1, "b": [2]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no JSON"),
        (b'{"a": 1', "it is no JSON"),
        (b"\xff\xfe", "it is no JSON"),
        (b"[" * 200_000, "it is no JSON"),
        (b"[1]", "it has no names and values"),
        (b"null", "it has no names and values"),
        (b'{"b": 1}', "it has no a"),
        (None, "Is a directory"),
    ],
    ids=["empty", "half", "no text", "deep", "list", "null", "other keys", "folder"],
)
def test_what_is_damaged_is_named_with_the_mend(content: bytes | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(DamagedError) as refused:
        read_note(path, keys=["a"], fix="remove it")
    assert refused.value.what.startswith(f"{path} can't be read: {why}")
    assert refused.value.fix == "remove it"
