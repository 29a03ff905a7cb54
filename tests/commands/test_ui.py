"""`ui`: which task or study is opened, and what is refused."""

from __future__ import annotations

import json
import socket
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import srexp
from srexp.commands import ui
from srexp.errors import RequestError, SrexpError
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect

SECRET = "storage=postgresql://ann:q7Xv_secret@host/studies"


@pytest.fixture
def run(tmp_path, monkeypatch):
    for name, engine, database in (
        ("tried", "optuna", False),
        ("bayes", "keras_tuner", False),
        ("far", "optuna", True),
    ):
        (tmp_path / name).mkdir()
        known = {"engine": f"srexp.search.{engine}.engine.Engine", "storage": database}
        (tmp_path / name / "engine.json").write_text(json.dumps(known))
    monkeypatch.setattr(ui, "require_dashboard", lambda: None)
    return lambda *typed: ui.run(srexp.compose([f"paths.studies={tmp_path}", *typed], verb="ui"))


def test_the_task_of_the_newest_run_is_opened_and_one_line_printed(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(ui, "run_server", lambda command, environment, log: 0)
    monkeypatch.setattr(ui, "_require_free", lambda host, port: None)
    tracking = Tracking(folder=tmp_path / "mlruns", system_metrics=False)
    for task in ("older", "newer"):
        with tracking.run(task):
            pass
    client = connect(tracking.store)
    for typed, task in (([], "newer"), (["experiment_name=older"], "older")):
        ui.run(srexp.compose([f"paths.root={tmp_path / 'mlruns'}", *typed], verb="ui"))
        [line] = capfd.readouterr().out.splitlines()
        assert f"/experiments/{client.get_experiment_by_name(task).experiment_id}/runs?" in line


@pytest.mark.slow
def test_a_port_that_is_taken_is_refused_before_anything_is_served(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RequestError, match=f"can't listen on 127.0.0.1:{port}"):
            ui.run(srexp.compose([f"paths.root={tmp_path / 'mlruns'}", f"port={port}"], verb="ui"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tride", "did you mean tried?"),
        ("bayes", "Keras Tuner"),
        ("far", "is in a database"),
        ("../x", "no such study"),
    ],
)
def test_a_study_that_can_not_be_shown_is_refused(run, name, said):
    with pytest.raises(RequestError, match=said.replace("?", r"\?")):
        run(f"study={name}")


@pytest.mark.parametrize(("typed", "database"), [(["study=tried"], None), (["study=far", SECRET], "postgresql://***")])
def test_the_address_leads_to_the_study(run, typed, database, monkeypatch, capfd):
    asked = []
    monkeypatch.setattr(ui, "open_study", lambda *given: asked.append(given) or ("storage", 3))
    served = nullcontext(SimpleNamespace(serve_forever=lambda: None))
    monkeypatch.setattr(ui, "server", lambda storage, host, port: served)

    assert run(*typed, "port=5001")["address"] == "http://127.0.0.1:5001/dashboard/studies/3"
    assert "http://127.0.0.1:5001/dashboard/studies/3" in capfd.readouterr().out
    [(_, _, address)] = asked
    assert (address or "").startswith(database or "")
    assert "q7Xv_secret" not in str(address)


def test_a_store_that_is_a_server_is_pointed_to_and_nothing_is_served(tmp_path, monkeypatch, capfd):
    uri = "http://ann:q7Xv_secret@127.0.0.1:1"
    monkeypatch.setattr(ui, "build", lambda *_, **__: SimpleNamespace(store=SimpleNamespace(uri=uri, artifacts=None)))
    monkeypatch.setattr(ui, "_page", lambda store, address, experiment: f"{address}/#/experiments/1")
    monkeypatch.setattr(ui, "run_server", lambda *_: pytest.fail("served"))
    address = ui.run(srexp.compose([f"paths.root={tmp_path}"], verb="ui"))["address"]
    said = capfd.readouterr().out
    assert said == f"the store is a server already: {address}/#/experiments/1\n"
    assert "q7Xv_secret" not in said


@pytest.mark.slow
def test_what_the_server_ended_with_is_told_and_what_mlflow_keeps_on(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(ui, "run_server", lambda *_: 3)
    monkeypatch.setattr(ui, "_require_free", lambda host, port: None)
    monkeypatch.setattr(ui.mlflow_app, "is_installed", lambda: False)
    monkeypatch.setattr(ui, "strayed", lambda *_: 2)
    with pytest.raises(SrexpError, match=r"the MLflow UI ended with 3; what it said is in .*server\.log") as failed:
        ui.run(srexp.compose([f"paths.root={tmp_path / 'mlruns'}", "port=5001"], verb="ui"))
    assert failed.value.fix == "port=5002"
    said = capfd.readouterr().err
    assert "srexp: MLflow's assistant stays on until srexp is installed once more" in said
    assert "the store names 2 folders that its artifacts were in" in said
