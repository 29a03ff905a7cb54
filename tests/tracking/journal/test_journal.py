"""A file system of 50 MB that fills up, and one that becomes read-only: a tmpfs where it may be mounted, else faked."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from srexp.errors import SrexpError
from srexp.experiment.multirun import job
from srexp.tracking.journal import journal as journals
from srexp.tracking.journal import outbox, recovery
from srexp.tracking.journal.journal import NAME, Journal
from srexp.tracking.journal.outbox import Outbox
from srexp.tracking.journal.replay import Replay
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect
from tests.tracking.outages import differences


class Disk:
    """A small file system.

    Args:
        folder: Where it is mounted.
        fake: Patches that raise ENOSPC in its place; None where it is mounted.
    """

    def __init__(self, folder: Path, fake: pytest.MonkeyPatch | None) -> None:
        self.folder, self.fake, self.filler = folder, fake, folder / "filler"

    def fill(self) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        if self.fake:
            self.fake.setattr(journals, "_write_whole", refuse)
            self.fake.setattr(Journal, "file", refuse)
            self.fake.setattr(Replay, "_send", refuse)
            self.fake.setattr(Path, "write_text", refuse)
            return
        with pytest.raises(OSError, match="No space"), self.filler.open("wb", buffering=0) as file:  # noqa: PT012
            while file.write(bytes(4096)):
                pass

    def empty(self) -> None:
        if self.fake:
            self.fake.undo()
        else:
            self.filler.unlink()

    def again(self, options: str) -> bool:
        """Mount it with other options; whether it is one that can."""
        return not self.fake and not subprocess.run(["mount", "-o", options, self.folder], check=False).returncode


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", folder]
    mounted = bool(shutil.which("mount")) and not subprocess.run(command, capture_output=True, check=False).returncode
    Outbox.given_up.clear()
    with pytest.MonkeyPatch.context() as fake:
        yield Disk(folder, None if mounted else fake)
    Outbox.given_up.clear()
    if mounted:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def tracking(disk, made_store, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (disk.folder / "mlruns").mkdir()
    shutil.copy(made_store, disk.folder / "mlruns" / "mlflow.db")
    return Tracking(folder=disk.folder / "mlruns", system_metrics=False, flush_seconds=0.05, wait_seconds=0.5)


def test_a_disk_that_fills_up_ends_nothing_and_damages_nothing(disk, tracking, caplog):
    result = disk.folder / "result.json"
    job.finish(disk.folder, {"before": True})
    reached = False
    with pytest.raises(SrexpError, match="stored nowhere") as said, tracking.run("x") as run:  # noqa: PT012 - its end
        run.log_metrics({"loss": 3.0}, step=1)
        run.log_text("early", "notes/early.txt")
        assert run.flush()
        disk.fill()
        run.log_text("late", "notes/late.txt")
        for step in range(2, 200):  # the last page of the journal has room for some of them
            run.log_metrics({"loss": 1 / step}, step=step)
        with pytest.raises(SrexpError, match="isn't stored"):
            job.finish(disk.folder, {"after": True})
        reached = True
    assert reached
    for text in ("notes/late.txt", "No space left", "metrics", " more"):
        assert text in str(said.value)
    assert "can't be stored" in caplog.text
    assert json.loads(result.read_text()) == {"before": True}
    for thread in threading.enumerate():  # it may try once more, and would find room
        if thread.name == outbox.NAME:
            thread.join()
    disk.empty()

    with closing(sqlite3.connect(tracking.folder / "mlflow.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = connect(tracking.store).get_run(run.id)
    assert kept.data.metrics == {"_train/loss": 3.0}
    artifacts = tracking.folder / "artifacts" / run.id / "artifacts"
    assert (artifacts / "notes" / "early.txt").read_text() == "early"
    recovery.send(tracking.store, tracking.index)
    # The numbers rise, with holes that were told: a short line fits where a longer one before it didn't.
    numbers = [
        line["n"] for line in map(json.loads, (run.journal.folder / NAME).read_text().splitlines()) if "n" in line
    ]
    assert numbers == sorted(set(numbers))
    wrong = differences(run.journal.folder / NAME, tracking.store.uri)
    assert [each for each in wrong if not each.startswith("line ")] == []
    with tracking.run("x") as after:
        after.log_text("again", "a.txt")
    assert differences(after.journal.folder / NAME, tracking.store.uri) == []


def test_what_the_store_has_no_room_for_waits_where_there_is_room(disk, tracking, tmp_path):
    roomy = tmp_path / "roomy"
    if disk.fake:
        return  # the other test says all that a fake can
    with tracking.run("x", folder=roomy) as run:
        run.flush()
        disk.fill()
        run.log_metrics({"loss": 2.0}, step=2)
        run.log_text("late " * 100_000, "notes/late.txt")
    assert run.pending()["records"] >= 1
    disk.empty()
    (sent,) = recovery.send(tracking.store, tracking.index)
    assert sent.left == 0
    assert differences(run.journal.folder / NAME, tracking.store.uri) == []


def test_a_read_only_store_keeps_no_run_from_its_work(disk, tracking, tmp_path):
    if not disk.again("remount,ro"):
        return
    elsewhere = Tracking(
        folder=tmp_path / "mlruns",
        uri=tracking.store.uri,
        artifacts=str(tmp_path / "artifacts"),
        system_metrics=False,
        wait_seconds=0.5,
    )
    with elsewhere.run("x") as run:
        run.log_metrics({"loss": 2.0}, step=2)
    assert run.pending()["records"] == 3
    assert disk.again("remount,rw")
    (sent,) = recovery.send(elsewhere.store, elsewhere.index)
    assert sent.left == 0
    assert differences(run.journal.folder / NAME, elsewhere.store.uri) == []


def test_a_line_that_was_cut_short_is_cut_off(tmp_path):
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    for step in range(3):
        journal.add("metrics", step=step, values={"loss": float("inf")})
    journal._lock.release()
    file = journal.folder / NAME
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"n": 3, "at": 17, "op": "met')
    again = Journal.left_behind(journal.pointer)
    assert [each["n"] for each in again.waiting] == [0, 1, 2]
    assert float(again.waiting[0]["values"]["loss"]) == float("inf")
    again.add("end", status="FINISHED")
    again.close()
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [line["n"] for line in lines] == [0, 1, 2, 3]


def test_an_operation_is_of_the_time_that_is_said_and_else_of_now(tmp_path):
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    before = int(time.time() * 1000)
    then, now = journal.add("metrics", at=17), journal.add("metrics")
    journal.close()
    assert (then["at"], before <= now["at"] <= time.time() * 1000) == (17, True)
    assert [
        (json.loads(line)["n"], json.loads(line)["at"]) for line in (journal.folder / NAME).read_bytes().splitlines()
    ] == [
        (0, 17),
        (1, now["at"]),
    ]


def test_a_file_goes_when_the_store_has_it_and_one_that_is_gone_already_is_no_matter(tmp_path):
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    one, other = (journal.file("a.txt", lambda path: path.write_text("x")) for _ in range(2))
    operations = [journal.add("file", path=path) for path in (one, other)]
    assert one != other
    shutil.rmtree((journal.folder / one).parent)
    assert (journal.folder / other).read_text() == "x"
    journal.done(operations)
    assert not (journal.folder / other).parent.exists()
    journal.pointer.unlink()  # as `runs sync` does, which found it finished
    journal.close()
    assert [path.name for path in journal.folder.iterdir()] == ["journal.jsonl"]


@pytest.mark.parametrize("sent", [0, 1, 2, 3])
def test_what_the_store_has_is_not_sent_again_not_even_the_last_of_it(tmp_path, sent):
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    operations = [journal.add("metrics", step=step, values={"loss": 1.0}) for step in range(3)]
    if sent:
        journal.done(operations[:sent])
    left = list(range(sent, 3))
    assert [each["n"] for each in journal.waiting] == left
    journal._lock.release()
    again = Journal.left_behind(journal.pointer)  # and no other process sends it either
    assert [each["n"] for each in again.waiting] == left
    assert again.holds(None) == bool(left)
    assert [again.holds(number) for number in range(3)] == [number >= sent and bool(left) for number in range(3)]
    assert again.add("end", status="FINISHED")["n"] == 3
    again.close()


def test_a_replay_sends_each_operation_once(tmp_path):
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    for kind in ("tags", "params", "tags", "end"):
        journal.add(kind)
    told = []
    replay = Replay(None, journal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Replay, "_send", lambda _, batch: told.extend(each["n"] for each in batch))
        while journal.waiting:
            replay.next()
    assert told == [0, 1, 2, 3]
    journal.close()


def test_what_a_run_says_outlives_a_power_cut(tmp_path, monkeypatch):
    """Each line, each file that it speaks of, and the pointer are on the disk when their writer goes on."""
    synced = set()
    real = os.fsync

    def fsync(handle):
        synced.add((os.fstat(handle).st_ino, os.fstat(handle).st_size))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = Journal.begin(tmp_path / "run", tmp_path / "pending")
    log = journal.folder / NAME

    def on_disk(path):
        return (path.stat().st_ino, path.stat().st_size) in synced

    assert on_disk(journal.pointer)
    for number in range(3):
        journal.add("metrics", step=number, values={"a": 1.0})
        assert on_disk(log)
    kept = journal.folder / journal.file("a.txt", lambda path: path.write_text("kept"))
    folder = journal.folder / journal.file("b", lambda path: (path.mkdir(), (path / "c").write_text("too")))
    assert all(map(on_disk, (kept, kept.parent, folder, folder / "c")))
