"""Files that are written whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.system.atomic_files import write_whole


def test_old_content_stays_where_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    write_whole(kept, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(kept, "new, and half a character: \ud800")
    assert kept.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_folders_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "c.txt", "text")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "text"


def test_what_stands_in_the_way_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(OSError, match="a"):
        write_whole(tmp_path / "a" / "c.txt", "text")
