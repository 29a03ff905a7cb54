"""What an open run says of what the store hasn't got."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from srexp.errors import SrexpError
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
