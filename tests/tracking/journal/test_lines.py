"""What a journal keeps on disk, line by line and file by file, and what it reads again."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from srexp.tracking.journal import journal as journals
from srexp.tracking.journal.journal import NAME, Journal


@pytest.fixture
def journal(tmp_path):
    made = Journal.begin(tmp_path / "run", tmp_path / "pending")
    yield made
    made.close()


def test_a_journal_lies_in_the_folder_of_its_run_and_its_pointer_says_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Journal.begin(Path("run"), tmp_path / "pending")
    assert made.folder == tmp_path / "run" / "journal" / made.id
    assert Path(made.pointer.read_text()) == made.folder
    assert (made.run_id, made.sent, made.recovered) == (f"pending-{made.id}", -1, False)
    made.known["run_id"] = "1" * 32
    assert made.run_id == "1" * 32
    assert Journal.left_behind(made.pointer) is None  # whose process lives
    made.add("end")
    made.close()
    assert Journal.left_behind(made.pointer).recovered


def test_a_journal_that_moved_with_its_index_is_found_there(tmp_path):
    made = Journal.begin(tmp_path / "old" / "outputs" / "run", tmp_path / "old" / "mlruns" / "pending")
    made.add("end")
    made.close()
    (tmp_path / "old").rename(tmp_path / "new")
    again = Journal.left_behind(tmp_path / "new" / "mlruns" / "pending" / made.id)
    assert again.folder == tmp_path / "new" / "outputs" / "run" / "journal" / made.id
    assert again.moved == (tmp_path / "old", tmp_path / "new")
    again.close()


@pytest.mark.parametrize(("age", "forgotten"), [(0, False), (58, False), (63, True)])
def test_a_pointer_without_its_journal_is_left_for_a_minute(tmp_path, age, forgotten):
    (tmp_path / "run").mkdir()
    pointer = tmp_path / "pending" / "a"
    pointer.parent.mkdir()
    pointer.write_text(str(tmp_path / "run" / "journal" / "a"))
    os.utime(pointer, (time.time() - age,) * 2)
    assert Journal.left_behind(pointer) is None
    assert pointer.exists() != forgotten


def test_what_a_journal_writes_is_read_as_it_was(journal):
    values = {"odd": (float("nan"), [float("-inf"), 1.5]), "name": "Müller", "path": Path("/a/b")}
    for _ in range(2):
        journal.add("tags", at=1, **values)
    journal.known = {"run_id": "abc"}
    journal.done([journal.waiting[0]])
    lines = (journal.folder / NAME).read_text(encoding="utf-8").splitlines()
    assert (
        lines[0] == '{"n": 0, "at": 1, "op": "tags", "odd": ["nan", ["-inf", 1.5]], "name": "Müller", "path": "/a/b"}'
    )
    assert lines[2] == '{"sent": 0, "run_id": "abc"}'
    with (journal.folder / NAME).open("ab") as file:
        file.write(b"\0\0 no JSON\n")
    journal._lock.release()
    again = Journal.left_behind(journal.pointer)
    assert (again.known, again.sent, [each["n"] for each in again.waiting]) == ({"run_id": "abc"}, 0, [1])
    assert again.add("end")["n"] == 2
    again.close()


def test_a_line_that_does_not_fit_leaves_those_before_and_is_kept_in_memory(journal, monkeypatch):
    first, second = journal.add("tags"), journal.add("tags")
    whole = (journal.folder / NAME).read_bytes()

    def cut(file, line):
        file.write(line[:5])
        raise OSError(errno.ENOSPC, "No space left")

    with monkeypatch.context() as patched:
        patched.setattr(journals, "_write_whole", cut)
        third = journal.add("tags")
        assert (journal.folder / NAME).read_bytes() == whole
        journal.refuse(first, "no use")
        journal.done([second])
    assert (journal.only_in_memory, journal.unwritten) == ([third], {third["n"]})
    assert list(journal.waiting) == [third]
    last = journal.add("end")
    lines = [json.loads(line) for line in (journal.folder / NAME).read_bytes().splitlines()]
    assert [line.get("n") for line in lines] == [0, 1, last["n"]]


def test_a_line_is_whole_or_refused():
    class Short:
        def write(self, line):
            return len(line) - 1

    with pytest.raises(OSError, match="no room for the whole line") as refused:
        journals._write_whole(Short(), b"abc")
    assert refused.value.errno == errno.ENOSPC


def test_what_the_store_refused_is_named_and_not_sent_again(journal):
    operations = [journal.add("file", path="files/000001/a"), journal.add("tags"), journal.add("end")]
    for operation in operations[:2]:
        journal.refuse(operation, "no use")
    assert journal.refused == ["file files/000001/a: no use", "tags: no use"]
    assert list(journal.waiting) == operations[2:]
    journal._lock.release()
    again = Journal.left_behind(journal.pointer)
    assert list(again.waiting) == operations[2:]
    again.close()


def test_files_have_folders_of_their_own_and_what_failed_leaves_none(journal):
    def fails(path):
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left")

    assert journal.file("a", Path.touch) == "files/000001/a"
    with pytest.raises(OSError, match="No space left"):
        journal.file("a", fails)
    assert journal.file("a", Path.touch) == "files/000003/a"
    assert sorted(path.name for path in (journal.folder / "files").iterdir()) == ["000001", "000003"]


def test_files_stay_until_it_is_written_that_they_arrived(journal, monkeypatch):
    kept = journal.file("a", Path.touch)
    operation = journal.add("file", path=kept)
    monkeypatch.setattr(Journal, "_append", lambda *_: (_ for _ in ()).throw(OSError("full")))
    journal.done([operation])
    assert (journal.folder / kept).exists()
    assert not journal.waiting


@pytest.mark.parametrize("all_sent", [True, False])
def test_only_its_list_stays_of_a_journal_that_was_sent(tmp_path, all_sent):
    made = Journal.begin(tmp_path / "run", tmp_path / "pending")
    for name in ("files", "model"):
        (made.folder / name / "a").mkdir(parents=True)
    operation = made.add("end")
    if all_sent:
        made.done([operation])
    made.close()
    left = {path.name for path in made.folder.iterdir()} - {"lock"}
    assert left == ({NAME} if all_sent else {NAME, "files", "model"})
    assert made.pointer.exists() != all_sent


def test_what_waits_is_forgotten_with_a_run_that_could_not_begin(journal):
    journal.add("create")
    assert journal.holds(None)
    journal.discard()
    assert not journal.holds(None)
