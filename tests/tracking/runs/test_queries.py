"""What the store knows of runs: found by experiment, by id and by model, however many there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.runs import queries
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store import store as stores
from srexp.tracking.store.store import connect, experiment_id


@pytest.fixture
def five(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of runs of an experiment, oldest first, the middle one of which failed; the store gives two at a time."""
    monkeypatch.setattr(stores, "_PAGE", 2)
    client = connect(tracking.store)
    task = experiment_id(client, tracking.store, "task")
    ids = [client.create_run(task, start_time=1000 * number).info.run_id for number in range(1, 6)]
    for number, run_id in enumerate(ids, start=1):
        client.set_terminated(run_id, "FAILED" if number == 3 else "FINISHED", end_time=1000 * number + 500)
    return ids


def test_runs_are_listed_over_several_pages(tracking: Tracking, five: list[str]) -> None:
    store = tracking.store
    assert [each.run_id for each in queries.runs_of(store, "task")] == [*five[:2], *five[3:]]
    assert [each.run_id for each in queries.latest(store, limit=100)] == five[::-1]
    assert [each.run_id for each in queries.latest(store, experiment="task", limit=3)] == five[:1:-1]
    [failed] = queries.latest(store, limit=9, status="FAILED")
    assert (failed.run_id, failed.experiment, failed.started, failed.ended) == (five[2], "task", 3000, 3500)


@pytest.mark.usefixtures("five")
def test_an_experiment_that_is_not_there_is_named_with_those_that_are(tracking: Tracking) -> None:
    for ask in (
        lambda: queries.runs_of(tracking.store, "tusk"),
        lambda: queries.latest(tracking.store, experiment="tusk", limit=1),
    ):
        with pytest.raises(RequestError, match="one of task"):
            ask()


def test_a_run_that_is_not_there_is_refused(tracking: Tracking, five: list[str]) -> None:
    assert queries.get_run(tracking.store, five[0]).status == "FINISHED"
    with pytest.raises(RequestError, match="no such run"):
        queries.get_run(tracking.store, "0" * 32)


def test_artifacts_are_read_or_not_there(tracking: Tracking) -> None:
    with tracking.run("task") as run:
        run.log_text(json.dumps({"a": 1}), "good.json")
        for step, value in ((2, 0.5), (1, 0.25), (2, 0.75)):
            run.log_metrics({"loss": value}, step=step, milliseconds=1000 * step)
    store = tracking.store
    for each in (run.id, queries.get_run(store, run.id)):
        assert queries.read_json(store, each, "good.json") == {"a": 1}
        assert queries.read_text(store, each, "missing.txt") is None
    assert [(step, at) for step, at, _ in queries.history(store, run.id, "loss")] == [(1, 1.0), (2, 2.0)]


def test_a_run_of_an_earlier_version_has_the_same_figures(tracking: Tracking) -> None:
    with tracking.run("task") as run:
        for step in (1, 2):
            run.log_metrics({"val_psnr": 30.0 + step}, step=step)
    client = connect(tracking.store)
    assert {"_val/psnr"} == client.get_run(run.id).data.metrics.keys()
    for name, step, value in (("val_psnr", 0, 29.0), ("val_psnr", 2, 0.0), ("gain_db", 0, 1.5)):
        client.log_metric(run.id, name, value, step=step)  # what that version called them
    assert [(step, psnr) for step, _, psnr in queries.history(tracking.store, run.id, "val_psnr")] == [
        (0, 29.0), (1, 31.0), (2, 32.0),
    ]  # fmt: skip
    assert queries.get_run(tracking.store, run.id).metrics == {"val_psnr": 32.0, "gain_db": 1.5}


def test_the_run_of_a_model_is_found_by_its_address(tracking: Tracking) -> None:
    assert queries.run_of_model(tracking.store, "runs:/abc/model") == "abc"
    for address in ("mine.keras", "models:/", "runs:/"):
        with pytest.raises(RequestError):
            queries.run_of_model(tracking.store, address)
    with pytest.raises(RequestError, match="no such model"):
        queries.run_of_model(tracking.store, "models:/nothing@champion")


def test_the_first_picture_of_each_kind_is_read(tracking: Tracking, five: list[str], tmp_path: Path) -> None:
    client = connect(tracking.store)
    for name in ("figures/times.png", "figures/curves.png", "panels/02.png", "panels/01.png", "panels/00.csv"):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(name)
        client.log_artifact(five[0], str(place), place.parent.name)

    wanted = [("figures", "curves"), ("panels", ""), ("search", "")]
    assert queries.read_pictures(tracking.store, five[0], wanted) == [b"figures/curves.png", b"panels/01.png"]
    assert queries.read_pictures(tracking.store, five[1], wanted) == []
    with pytest.raises(SrexpError, match="the pictures can't be read"):
        queries.read_pictures(tracking.store, "0" * 32, wanted)


DAMAGES = {
    "emptied": b"",
    "cut": b'{"a": [1,',
    "no text": b"\xff\xfe\x00\x9c",
    "another thing": b"[1]\n",
    "nested without end": b"[" * 100_000,
}


@pytest.fixture
def damaged(tracking: Tracking, artifact: Callable[[str, str], Path]) -> tuple[str, Path]:
    """A run, and the file in which its artifact result.json lies."""
    with tracking.run("task") as run:
        run.log_text(json.dumps({"a": 1}), "result.json")
    return run.id, artifact(run.id, "result.json")


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_an_artifact_that_is_damaged_is_named_with_its_file(
    tracking: Tracking, damaged: tuple[str, Path], content: bytes
) -> None:
    run_id, place = damaged
    place.write_bytes(content)
    for each in (run_id, queries.get_run(tracking.store, run_id)):
        with pytest.raises(SrexpError, match=f"result.json of run {run_id} can't be read") as refused:
            queries.read_json(tracking.store, each, "result.json")
        assert str(place) in str(refused.value)
        assert "bring a copy of it back" in refused.value.fix


def test_a_folder_in_place_of_an_artifact_and_one_in_place_of_its_folder_are_named(
    tracking: Tracking, damaged: tuple[str, Path]
) -> None:
    run_id, place = damaged
    place.unlink()
    place.mkdir()
    with pytest.raises(SrexpError, match=r"result.json of run .* can't be read: .*directory"):
        queries.read_json(tracking.store, run_id, "result.json")
    (place.parent / "scores").write_text("")
    with pytest.raises(SrexpError, match=r"scores/test.csv of run .* can't be read: .*[Nn]ot a directory"):
        queries.read_rows(tracking.store, run_id, "scores/test.csv")


def test_a_table_that_is_not_whole_is_no_table(tracking: Tracking, damaged: tuple[str, Path]) -> None:
    run_id, place = damaged
    whole = b"key,psnr\r\na.png,47.421712\r\nb.png,46.5\r\n"
    place.write_bytes(whole)
    assert [row["psnr"] for row in queries.read_rows(tracking.store, run_id, "result.json")] == ["47.421712", "46.5"]
    for length in set(range(len(whole))) - {10, 27}:  # the ends of rows
        place.write_bytes(whole[:length])
        with pytest.raises(SrexpError, match=r"result.json of run .* can't be read"):
            queries.read_rows(tracking.store, run_id, "result.json")


def test_an_artifact_that_the_store_serves_is_damaged_or_not_there(
    tracking: Tracking, damaged: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, place = damaged
    monkeypatch.setattr(queries, "path_of", lambda _: None)
    assert queries.read_json(tracking.store, run_id, "result.json") == {"a": 1}
    assert queries.read_json(tracking.store, run_id, "missing.json") is None
    assert queries.read_json(tracking.store, "0" * 32, "missing.json") is None
    place.write_bytes(b"{")
    with pytest.raises(SrexpError, match="it is no JSON"):
        queries.read_json(tracking.store, run_id, "result.json")
    monkeypatch.setattr(queries, "download", lambda *_: place.parent / "gone")
    with pytest.raises(SrexpError, match=f"result.json of run {run_id} can't be fetched"):
        queries.read_json(tracking.store, run_id, "result.json")
