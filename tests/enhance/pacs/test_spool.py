"""Nothing is lost in the spool, and nothing is there twice, wherever a process ends."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.enhance.pacs import spool as spool_module
from srexp.enhance.pacs.spool import Spool
from srexp.errors import RequestError

MOST = 10_000


def incoming(spool: Spool, content: bytes = b"image", name: str = "fresh") -> Path:
    path = spool.incoming / name
    path.write_bytes(content)
    return path


def spooled(folder: Path, settings: str = "model") -> Spool:
    return Spool(folder, MOST, settings)


def test_what_is_received_waits_in_order_and_only_the_user_reads_it(tmp_path: Path) -> None:
    with spooled(tmp_path / "spool") as spool:
        for number in range(3):
            assert spool.receive(incoming(spool, b"%d" % number), f"1.2.{number}") == "new"
        assert [spool.received(key).read_bytes() for key in spool.waiting()] == [b"0", b"1", b"2"]
        for path in (tmp_path / "spool").rglob("*"):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        assert not any(b"1.2." in path.name.encode() for path in (tmp_path / "spool").rglob("*"))


def test_the_same_again_is_a_duplicate_while_it_waits_and_when_it_was_sent(tmp_path: Path) -> None:
    with spooled(tmp_path) as spool:
        assert spool.receive(incoming(spool), "1.2") == "new"
        assert spool.receive(incoming(spool), "1.2") == "duplicate"
        [key] = spool.waiting()
        spool.done(key)
        assert spool.receive(incoming(spool), "1.2") == "duplicate"
        assert spool.waiting() == []
        assert spool.receive(incoming(spool, b"corrected"), "1.2") == "new"
    with spooled(tmp_path, "another model") as spool:
        assert spool.receive(incoming(spool), "1.2") == "new"


def test_the_next_process_goes_on_with_what_is_there(tmp_path: Path) -> None:
    with spooled(tmp_path) as spool:
        spool.receive(incoming(spool, b"one"), "1.1")
        spool.receive(incoming(spool, b"two"), "1.2")
        first, second = spool.waiting()
        spool.keep(first, incoming(spool, b"made"))
        spool.fail(second)
        incoming(spool, b"half of one", "torn")
    with spooled(tmp_path) as spool:
        assert spool.waiting() == [first, second]  # what failed is tried again
        assert spool.restored(first).read_bytes() == b"made"
        assert list(spool.incoming.iterdir()) == []


def test_what_was_sent_before_the_end_is_not_sent_again(tmp_path: Path) -> None:
    with spooled(tmp_path) as spool:
        spool.receive(incoming(spool), "1.1")
        [key] = spool.waiting()
        spool.keep(key, incoming(spool, b"made"))
        with sqlite3.connect(tmp_path / "sent.db") as database:  # the process ends here, before the files go
            database.execute("INSERT INTO sent VALUES (?)", (key,))
    with spooled(tmp_path) as spool:
        assert spool.waiting() == []
        assert spool.restored(key) is None


def test_what_failed_is_tried_again_when_it_is_sent_again(tmp_path: Path) -> None:
    with spooled(tmp_path) as spool:
        spool.receive(incoming(spool), "1.1")
        [key] = spool.waiting()
        spool.fail(key)
        assert (spool.waiting(), spool.failed()) == ([], 1)
        assert spool.receive(incoming(spool), "1.1") == "new"
        assert (spool.waiting(), spool.failed()) == ([key], 0)


def test_bytes_are_bounded(tmp_path: Path) -> None:
    with spooled(tmp_path) as spool:
        assert spool.receive(incoming(spool, b"x" * 6000), "1.1") == "new"
        assert spool.receive(incoming(spool, b"y" * 6000), "1.2") == "full"
        assert spool.size() == 6000
        assert spool.receive(incoming(spool, b"x" * 6000), "1.1") == "duplicate"
        spool.done(spool.waiting()[0])
        assert spool.receive(incoming(spool, b"y" * 6000), "1.2") == "new"


def test_one_process_has_it(tmp_path: Path) -> None:
    with spooled(tmp_path), pytest.raises(RequestError, match=r"another server has pacs\.spool"), spooled(tmp_path):
        pass
    with spooled(tmp_path):
        pass


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match=r"pacs\.spool can't be used"), spooled(tmp_path / "file"):
        pass


def test_one_that_is_postponed_goes_last(tmp_path: Path) -> None:
    with spooled(tmp_path) as spool:
        for number in range(2):
            spool.receive(incoming(spool, b"%d" % number), f"1.{number}")
        first, second = spool.waiting()
        spool.postpone(first)
        assert spool.waiting() == [second, first]


def test_no_sender_is_told_of_a_duplicate_before_that_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time, the disk took the file and not its new name; its sender, who was told so, sends it again."""
    written: list[Path] = []

    def bring(path: Path) -> None:
        written.append(path)
        if path.parent.name == "received" and written.count(path) <= 2:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(spool_module, "bring_to_disk", bring)
    with spooled(tmp_path) as spool:
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output error"):
                spool.receive(incoming(spool), "1.1")
        assert spool.receive(incoming(spool), "1.1") == "duplicate"
        assert len(spool.waiting()) == 1


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from(["receive", "keep", "done", "fail", "restart"]), st.integers(0, 3)), max_size=25)
)
def test_every_image_that_was_taken_waits_until_it_is_done(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    keys: dict[int, str] = {}
    done: set[int] = set()
    spool = spooled(folder).__enter__()
    try:
        for step, number in steps:
            waiting = set(spool.waiting())
            if step == "restart":
                spool.__exit__()
                spool = spooled(folder).__enter__()
            elif step == "receive":
                receipt = spool.receive(incoming(spool, b"%d" % number), f"1.{number}")
                if fresh := set(spool.waiting()) - waiting:
                    keys.setdefault(number, fresh.pop())
                assert receipt == ("duplicate" if number in done or keys[number] in waiting else "new")
            elif number in keys and keys[number] in waiting:
                if step == "keep":
                    spool.keep(keys[number], incoming(spool, b"made"))
                elif step == "done":
                    spool.done(keys[number])
                    done.add(number)
                else:
                    spool.fail(keys[number])
        spool.__exit__()
        spool = spooled(folder).__enter__()
        assert set(spool.waiting()) == {key for number, key in keys.items() if number not in done}
    finally:
        spool.__exit__()
