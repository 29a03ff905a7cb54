"""Files that are written whole."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from srexp.system.files.atomic_files import bring_to_disk, private_files, share_files, whole_file, write_whole


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


def test_bytes_get_their_name_when_all_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a" / "weights.npz"
    with whole_file(path) as file:
        file.write(b"half")
        assert not path.exists()
        assert [other.suffix for other in path.parent.iterdir()] == [".unfinished"]
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_content_and_nothing_else(error: type, tmp_path: Path) -> None:
    path = tmp_path / "kept.bin"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with whole_file(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_a_durable_file_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[int] = []
    monkeypatch.setattr("os.fsync", waited.append)
    with whole_file(tmp_path / "cached.npy", durable=False) as file:
        file.write(b"pixels")
    assert waited == []
    write_whole(tmp_path / "kept.txt", "text")
    assert len(waited) == 2
    assert (tmp_path / "cached.npy").read_bytes() == b"pixels"


def test_threads_that_write_the_same_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "shared.txt"
    texts = [str(index) * 10_000 for index in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_whole(path, text), texts))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_brought_to_the_disk_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("c")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    bring_to_disk(tmp_path / "a")
    wanted = (tmp_path / "a" / "b" / "c", tmp_path / "a" / "b", tmp_path / "a", tmp_path)
    assert {path.stat().st_ino for path in wanted} == set(synced)


def test_a_link_under_the_hidden_name_is_not_written_through(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (tmp_path / f".note.txt.{threading.get_native_id()}.unfinished").symlink_to(mine)
    write_whole(tmp_path / "note.txt", "new")
    assert (mine.read_text(), (tmp_path / "note.txt").read_text()) == ("mine", "new")
    assert not (tmp_path / "note.txt").is_symlink()


def test_files_are_private_until_the_last_of_several_blocks_ends(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        first, second = private_files(), private_files()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        (tmp_path / "folder").mkdir()
        assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700
        second.__exit__(None, None, None)
        assert os.umask(0o002) == 0o002
    finally:
        os.umask(before)


def test_what_is_shared_stays_so_after_an_inner_block_and_no_longer_than_the_outer_one(tmp_path: Path) -> None:
    """The list of names is private whatever is shared beside it, and two of its writers may overlap."""

    def mode(name: str) -> int:
        (tmp_path / name).write_text("")
        return (tmp_path / name).stat().st_mode & 0o777

    before = os.umask(0o022)
    try:
        with private_files():
            share_files()
            first, second = private_files(), private_files()
            first.__enter__()
            second.__enter__()
            first.__exit__(None, None, None)
            assert mode("within") == 0o600
            second.__exit__(None, None, None)
            assert mode("beside") == 0o644
        assert mode("after") == 0o644
        with private_files():
            assert mode("next") == 0o600
    finally:
        os.umask(before)
