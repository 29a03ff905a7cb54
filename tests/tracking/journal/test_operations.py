"""What each operation of a journal asks of a store."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from mlflow.exceptions import MlflowException

from srexp.errors import SrexpError
from srexp.tracking.journal import replay
from srexp.tracking.journal.journal import Journal, PermanentError
from srexp.tracking.journal.replay import Replay
from srexp.tracking.pages import RUN_ID
from srexp.tracking.store.store import Store


@pytest.fixture
def sending(tmp_path, monkeypatch):
    """A journal, what sends it, and a client that notes what it is asked; it has no run and makes one."""
    client = MagicMock()
    client.search_runs.return_value = []
    client.create_run.return_value.info.run_id = "1" * 32
    monkeypatch.setattr(replay, "connect", lambda store: client)
    monkeypatch.setattr(replay, "experiment_id", lambda *given: f"id of {given[2]}")
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    journal.known = {"run_id": "1" * 32, "model_uri": "models:/m-1"}
    store = Store("http://mlflow.example", None, None)
    yield SimpleNamespace(journal=journal, client=client, replay=Replay(store, journal), store=store)
    journal.close()


def entities(call, kind):
    return [tuple(getattr(each, name) for name in ("key", "value")) for each in call.kwargs[kind]]


def test_a_run_is_made_once_with_the_mark_of_its_journal(sending):
    made = {"run_id": "1" * 32, "experiment_id": "id of x", "store": "http://mlflow.example"}
    mark = {"srexp.journal": sending.journal.id}
    for doubtful in (False, True):
        sending.journal.add("create", at=17, experiment="x", name="late", tags={"a": "1"}, store=made["store"])
        sending.replay._doubtful = doubtful
        sending.replay.next()
        assert sending.client.search_runs.called == doubtful
    sending.client.create_run.assert_called_with("id of x", start_time=17, run_name="late", tags={"a": "1", **mark})
    condition = f"tags.`srexp.journal` = '{sending.journal.id}'"
    sending.client.search_runs.assert_called_once_with(["id of x"], condition, max_results=1)
    assert sending.journal.known.items() >= made.items()

    earlier = SimpleNamespace(info=SimpleNamespace(run_id="2" * 32))
    sending.client.search_runs.return_value = [earlier]
    sending.journal.add("create", at=17, experiment="x", name="late", tags={}, store=made["store"])
    sending.replay._doubtful = True
    sending.replay.next()
    assert (sending.client.create_run.call_count, sending.journal.known["run_id"]) == (2, "2" * 32)


@pytest.mark.parametrize("pending", [True, False])
def test_a_run_that_goes_on_is_found_by_its_id_or_its_journal(sending, pending):
    run = SimpleNamespace(info=SimpleNamespace(run_id="3" * 32, experiment_id="7"))
    sending.client.get_run.return_value = run
    sending.client.search_experiments.return_value = [SimpleNamespace(experiment_id=number) for number in "45"]
    sending.client.search_runs.return_value = [run]
    asked = "pending-abc" if pending else "3" * 32
    sending.journal.add("resume", run_id=asked, tags={"pid": "1"}, store="s")
    sending.replay.next()
    assert sending.journal.known.items() >= {"run_id": "3" * 32, "experiment_id": "7", "store": "s"}.items()
    if pending:
        sending.client.search_runs.assert_called_once_with(["4", "5"], "tags.`srexp.journal` = 'abc'", max_results=1)
    names = [name for name, *_ in sending.client.method_calls]
    assert names[-2:] == ["log_batch", "update_run"]
    sending.client.update_run.assert_called_once_with("3" * 32, status="RUNNING")
    assert entities(sending.client.log_batch.call_args, "tags") == [("pid", "1")]
    sending.client.search_runs.return_value = []
    sending.journal.add("resume", run_id="pending-abc", tags={}, store="s")
    with pytest.raises(SrexpError, match="there is no run pending-abc"):
        sending.replay.next()


@pytest.mark.parametrize(("kind", "name"), [("params", "params"), ("tags", "tags")])
def test_no_more_than_a_hundred_go_at_once(sending, kind, name):
    sending.journal.add(kind, **{name: {f"k{number}": f"v{number}" for number in range(201)}})
    sending.replay.next()
    calls = sending.client.log_batch.call_args_list
    assert [len(call.kwargs[name]) for call in calls] == [100, 100, 1]
    assert entities(calls[2], name) == [("k200", "v200")]
    assert {call.args for call in calls} == {("1" * 32,)}


def test_a_parameter_that_the_run_has_is_not_sent_again(sending):
    sending.client.get_run.return_value = SimpleNamespace(data=SimpleNamespace(params={"a": "1", "b": "2"}))
    sending.journal.add("params", params={"a": "1", "b": "3", "c": "4"})
    sending.replay.next()
    assert entities(sending.client.log_batch.call_args, "params") == [("c", "4")]
    assert sending.journal.refused == []


def test_metrics_go_together_up_to_a_thousand_points_and_stay_in_order(sending):
    for count in (999, 1, 1, 1500):
        sending.journal.add("metrics", at=3, step=count, values={f"m{number}": number for number in range(count)})
    for kind in ("tags", "metrics"):
        sending.journal.add(kind, at=3, step=0, values={"loss": "nan"}, tags={"a": "b"})
    portions = []
    while sending.journal.waiting:
        portions.append(len(sending.replay._batch()))
        sending.replay.next()
    assert portions == [2, 1, 1, 1, 1]
    sizes = [len(call.kwargs.get("metrics", ())) for call in sending.client.log_batch.call_args_list]
    assert sizes == [1000, 1, 1000, 500, 0, 1]
    last = sending.client.log_batch.call_args.kwargs["metrics"][0]
    assert (last.key, math.isnan(last.value), last.timestamp, last.step) == ("loss", True, 3, 0)


def test_a_note_names_its_run_and_a_long_one_is_cut(sending):
    sending.journal.add("note", text=f"run {RUN_ID}" + "x" * 9000)
    sending.replay.next()
    run, name, text = sending.client.set_tag.call_args.args
    assert (run, name, text[: 4 + 33]) == ("1" * 32, "mlflow.note.content", f"run {'1' * 32}x")
    assert (len(text), text[-1]) == (8000, "…")


def test_a_result_has_what_the_store_answered_and_no_secret(sending):
    values = {"run_id": None, "path": Path("/a"), "url": "http://ann:secret@host/x"}
    sending.journal.add("result", values={key: str(value) if value else None for key, value in values.items()})
    sending.journal.waiting[0]["values"]["path"] = Path("/a")
    sending.replay.next()
    run, text, name = sending.client.log_text.call_args.args
    assert (run, name, "secret" in text) == ("1" * 32, "result.json", False)
    assert text.startswith('{\n  "run_id": "111')
    assert json.loads(text) == {"run_id": "1" * 32, "path": "/a", "url": "http://***@host/x"}


def test_a_file_goes_to_its_folder_and_one_that_is_gone_holds_up_nothing(sending):
    for folder in ("figures", None):
        path = sending.journal.file("a.png", Path.touch)
        sending.journal.add("file", path=path, folder=folder)
        sending.replay.next()
        sending.client.log_artifact.assert_called_with("1" * 32, str(sending.journal.folder / path), folder)
    sending.journal.add("file", path="files/000009/b.png", folder=None)
    sending.replay.next()
    assert sending.client.log_artifact.call_count == 2
    [refused] = sending.journal.refused
    assert refused.startswith("file files/000009/b.png: ")
    assert refused.endswith("b.png is gone")


@pytest.mark.parametrize(
    ("words", "failures", "tries"),
    [("UNIQUE constraint", 4, 5), ("Duplicate entry", 5, 5), ("no such table", 1, 1), ("unique", 1, 2)],
)
def test_a_data_set_that_another_run_names_at_once_is_tried_five_times(sending, monkeypatch, words, failures, tries):
    monkeypatch.setattr(replay, "dataset_input", lambda **said: said)
    sending.client.log_inputs.side_effect = [MlflowException(words)] * failures + [None]
    sending.journal.add("inputs", inputs=[{"name": "a"}, {"name": "b"}])
    if tries > failures:
        sending.replay.next()
        assert not sending.journal.waiting
    else:
        with pytest.raises(MlflowException, match=words):
            sending.replay.next()
        assert sending.journal.waiting
    assert sending.client.log_inputs.call_count == tries
    sending.client.log_inputs.assert_called_with("1" * 32, [{"name": "a"}, {"name": "b"}])


def test_a_model_that_is_used_is_linked_with_its_figures(sending):
    dataset = {"dataset_name": "small/test", "dataset_digest": "0" * 8}
    sending.journal.add("link", at=5, model_id="m-1", dataset=dataset, values={"test/psnr": 33.0})
    sending.replay.next()
    [linked] = sending.client.log_inputs.call_args.kwargs["models"]
    [point] = sending.client.log_batch.call_args.kwargs["metrics"]
    assert (sending.client.log_inputs.call_args.args, linked.model_id) == (("1" * 32,), "m-1")
    assert (point.key, point.value, point.timestamp, point.step, point.model_id, point.run_id) == (
        "test/psnr", 33.0, 5, 0, "m-1", "1" * 32,
    )  # fmt: skip
    assert (point.dataset_name, point.dataset_digest) == ("small/test", "0" * 8)


def test_models_versions_and_ends_are_sent_with_what_is_doubtful(sending, monkeypatch):
    told = []
    for name in ("model", "version", "end"):
        monkeypatch.setattr(replay.upload, name, lambda *given, name=name, **how: told.append((name, given, how)))
    for kind in ("model", "register"):
        operation = sending.journal.add(kind)
        sending.replay._doubtful = kind == "model"
        sending.replay.next()
        shared = () if kind == "model" else (sending.store,)
        assert told.pop()[1:] == ((sending.client, *shared, sending.journal, operation), {"doubtful": kind == "model"})
    sending.journal.add("end", at=9, status="FAILED")
    sending.replay.next()
    assert told == [("end", (sending.client, "1" * 32, "FAILED", 9), {})]


def test_after_a_failure_the_store_is_opened_anew_and_asked_what_it_has(sending, monkeypatch):
    opened = []
    monkeypatch.setattr(replay, "connect", lambda store: opened.append(store) or sending.client)
    sending.client.log_batch.side_effect = [ConnectionError("gone"), None, None]
    for _ in range(2):
        sending.journal.add("tags", tags={"a": "b"})
    with pytest.raises(ConnectionError):
        sending.replay.next()
    assert (sending.replay._doubtful, len(sending.journal.waiting)) == (True, 2)
    sending.replay.next()
    sending.replay.next()
    assert (sending.replay._doubtful, opened) == (False, [sending.store] * 2)


@pytest.mark.parametrize(("kind", "held"), [("create", True), ("resume", True), ("tags", False)])
def test_a_final_refusal_holds_up_only_what_all_else_rests_on(sending, monkeypatch, kind, held):
    def refuse(*_):
        raise PermanentError("no")

    monkeypatch.setattr(Replay, "_send", refuse)
    sending.journal.add(kind)
    if held:
        with pytest.raises(PermanentError):
            sending.replay.next()
    else:
        sending.replay.next()
    assert (len(sending.journal.waiting), sending.journal.refused) == ((1, []) if held else (0, ["tags: no"]))
