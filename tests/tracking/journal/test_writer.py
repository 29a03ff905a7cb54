"""What an open run says of what the store hasn't got."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from srexp.errors import SrexpError
from srexp.tracking.journal import writer
from srexp.tracking.journal.journal import Journal
from srexp.tracking.journal.writer import Writer
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import Store


def test_a_result_gets_what_the_store_answered(tracking: Tracking, artifact: Callable[[str, str], Path]) -> None:
    with tracking.run("task") as run:
        run.log_result({"run_id": None, "test": 1})
        assert run.flush()
        told = run.answered({"run_id": None, "test": 1})
    assert told == json.loads(artifact(run.id, "result.json").read_text()) == {"run_id": run.id, "test": 1}
    assert run.pending() == {}


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A writer to a server, and how long it waits for that at its end."""
    made = Writer(Store("http://mlflow.example", None, None), Journal.begin(tmp_path, tmp_path / "pending"), 1, 60)
    waits: list[tuple[float, bool]] = []
    outbox = SimpleNamespace(
        failure=None, close=lambda: None, flush=lambda seconds, *, in_all, **_: waits.append((seconds, in_all))
    )
    monkeypatch.setattr(made, "_outbox", outbox)
    return SimpleNamespace(writer=made, waits=waits, outbox=outbox)


@pytest.mark.parametrize(
    ("status", "server", "failure", "wait"),
    [
        ("FINISHED", True, ConnectionError(), (60, False)),
        ("FAILED", True, None, (3, True)),
        ("KILLED", False, ConnectionError(), (3, True)),
        ("KILLED", False, None, (60, False)),
    ],
)
def test_a_run_that_did_not_finish_waits_briefly_for_what_may_be_away(
    alone: SimpleNamespace, status: str, server: bool, failure: Exception | None, wait: tuple[float, bool]
) -> None:
    alone.outbox.failure = failure
    if not server:
        alone.writer.store = replace(alone.writer.store, lock=Path("lock"))
    alone.writer.end(status)
    assert alone.waits == [wait]


def test_what_neither_disk_nor_store_took_is_named(alone: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "_append", full)
    alone.writer.add("metrics", step=7, values={"loss": 1.0})
    alone.writer.add("file", path="files/000001/a.png")
    with pytest.raises(SrexpError, match=r"stored nowhere.*: metrics 7, file files/000001/a\.png, end\n"):
        alone.writer.end("FINISHED")


@pytest.mark.parametrize(("count", "named"), [(20, "step19"), (21, "and 1 more"), (25, "and 5 more")])
def test_not_more_than_twenty_of_what_is_lost_are_named(count: int, named: str) -> None:
    said = writer._lost("abc", [f"step{number}" for number in range(count)], [], "store").what
    assert said.startswith("run abc is not complete; stored nowhere, since neither disk nor store took it: step0, ")
    assert said.endswith(f", {named}")
    assert said.count("step") == 20
    both = writer._lost("abc", ["a"], ["b: no", "c: no"], "store")
    assert both.what.endswith("took it: a; refused by the store: b: no; c: no")
    assert writer._lost("abc", [], ["b: no"], "store").what == "run abc is not complete; refused by the store: b: no"
    assert both.got == "store"


@pytest.mark.parametrize(
    ("operation", "called"),
    [
        ({"op": "file", "path": "a", "step": 3}, "file a"),
        ({"op": "metrics", "step": 3}, "metrics 3"),
        ({"op": "end"}, "end"),
    ],
)
def test_what_is_lost_is_called_by_its_path_or_its_step(operation: dict[str, Any], called: str) -> None:
    assert writer._called(operation) == called


def test_what_waits_is_said_with_its_place_its_reason_and_its_command(alone: SimpleNamespace) -> None:
    made = alone.writer
    assert made.pending() == {}
    assert (made.id, made.experiment) == (f"pending-{made.journal.id}", "")
    made.journal.known = {"experiment_id": 7, "model_uri": "models:/m-1"}
    made.add("metrics")
    made.add("metrics")
    made.journal.unwritten.add(1)
    waiting = {"folder": str(made.journal.folder), "records": 1, "send": "python -m srexp runs sync=true"}
    assert made.pending() == {**waiting, "reason": "it takes them slowly"}
    alone.outbox.failure = ConnectionError("gone")
    assert made.pending() == {**waiting, "reason": "gone"}
    assert made.experiment == "7"
    told = made.answered({"run_id": "old", "model_uri": None, "psnr": 3})
    assert told == {"run_id": None, "model_uri": "models:/m-1", "psnr": 3, "pending": made.pending()}


def test_a_run_that_ended_takes_nothing_and_says_why_it_failed(alone: SimpleNamespace) -> None:
    begun = alone.writer.seconds
    alone.writer.add("tags", at=3)
    alone.writer.end("FAILED", "no memory")
    assert [{**each, "at": 0} for each in alone.writer.journal.waiting][1:] == [
        {"n": 1, "at": 0, "op": "tags", "tags": {"srexp.error": "no memory"}},
        {"n": 2, "at": 0, "op": "end", "status": "FAILED"},
    ]
    assert alone.writer.seconds > begun
    assert not alone.writer.is_open
    with pytest.raises(SrexpError, match=r"metrics can't be written to run pending-.*, which has ended"):
        alone.writer.add("metrics")


def test_a_disk_that_is_full_is_said_once(
    alone: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("full")

    alone.writer.add("tags")
    monkeypatch.setattr(Journal, "_append", full)
    for _ in range(3):
        alone.writer.add("tags")
    assert [record.getMessage() for record in caplog.records] == [
        f"{alone.writer.journal.folder} can't be written; what the store doesn't take now will be lost"
    ]


@pytest.mark.parametrize(("path", "folder"), [("figures/deep/a.png", "figures/deep"), ("a.png", None)])
def test_a_file_is_kept_with_its_place_and_its_digest(alone: SimpleNamespace, path: str, folder: str | None) -> None:
    alone.writer.keep(path, lambda target: target.write_bytes(b"x"))
    [kept] = alone.writer.journal.waiting
    assert (kept["path"], kept["folder"], alone.writer.files) == ("files/000001/a.png", folder, [path])
    assert kept["sha256"] == {"a.png": hashlib.sha256(b"x").hexdigest()}


@pytest.mark.parametrize(("lock", "wait"), [(None, 15), (Path("lock"), None)])
def test_the_beginning_waits_for_a_server_a_quarter_of_a_minute_and_for_a_file_as_it_takes(
    alone: SimpleNamespace, lock: Path | None, wait: float | None
) -> None:
    waited: list[float | None] = []
    alone.writer.store = replace(alone.writer.store, lock=lock)
    alone.outbox.start = waited.append
    alone.writer.begin()
    assert waited == [wait]


def test_a_confirmation_is_of_its_own_operation(alone: SimpleNamespace) -> None:
    asked: list[tuple[float, int | None]] = []

    def flush(seconds: float, *, until: int | None = None) -> bool:
        asked.append((seconds, until))
        if until == 8:
            alone.writer.journal.refused.append("register: no such model")
        return until == 7

    alone.outbox.flush = flush
    alone.writer.journal.refused.append("tags: before")
    assert [alone.writer.confirmed(7), alone.writer.confirmed(6), alone.writer.flush()] == [True, False, False]
    with pytest.raises(SrexpError, match="could not be written: register: no such model") as refused:
        alone.writer.confirmed(8)
    assert refused.value.got == "http://mlflow.example"
    assert asked == [(60, 7), (60, 6), (60, None), (60, 8)]


def test_a_run_that_cannot_go_on_is_named(tracking: Tracking) -> None:
    with pytest.raises(SrexpError, match=f"run {'0' * 32} can't be resumed"), tracking.run("x", resume="0" * 32):
        pass


def test_a_file_that_cannot_be_kept_is_named_at_the_end(tracking: Tracking) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with (
        pytest.raises(SrexpError, match=r"stored nowhere.*figures/a\.png \(No space left"),
        tracking.run("task") as run,
    ):
        run.keep("figures/a.png", full)
    assert not run.is_open
