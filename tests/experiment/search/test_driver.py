"""A search's driver leaves nothing half done: what is refused begins no study, what is concluded has no open run."""

from __future__ import annotations

import json

import pytest

import srexp
from srexp.commands import search
from srexp.errors import RequestError
from srexp.experiment.pipeline import Outcome
from srexp.experiment.search import driver
from srexp.search.optuna.study import OptunaStudy
from srexp.tracking.runs import groups
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect

LR = "optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true}"


@pytest.fixture
def config_of(tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # composed without the command line, a run's folder is the current one
    return lambda *more, space=LR: srexp.compose([f"search.space={{{space}}}", "+debug=fast", *more], verb="search")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "experiment", "two words", "it's", ".hidden"])
def test_a_name_that_is_no_folder_or_can_not_be_typed_is_refused(name, config_of):
    with pytest.raises(RequestError, match=r"search\.name"):
        search.run(config_of(f'search.name="{name}"'))


def test_a_refused_search_begins_no_study(config_of, tmp_path):
    with pytest.raises(RequestError, match=r"did you mean optimizer\.lr"):
        search.run(config_of(space="optimizer.lrr:{type:float,low:1e-5,high:1e-3}"))
    assert not (tmp_path / "mlruns" / "studies").exists()


@pytest.fixture
def quick(monkeypatch):
    """A driver whose workers have nothing to do, and a conclusion that costs nothing."""

    class Idle:
        def __init__(self, *_):
            pass

        def run(self):
            return 9

    monkeypatch.setattr(driver, "Workers", Idle)
    monkeypatch.setattr(driver, "finalize", lambda job, parent, watch: ({"run_id": parent.id}, Outcome({}, "srcnn")))
    monkeypatch.setattr(search.console, "search", lambda result: None)


def test_a_kill_at_any_note_of_the_study_leaves_one_parent_that_ends(quick, config_of, tmp_path, monkeypatch):
    """The moments at which the driver notes something are those between which a kill could tear things apart."""
    store = Tracking(folder=tmp_path / "mlruns").store
    note = OptunaStudy.describe
    seen = {}

    def watched(study, **facts):
        note(study, **facts)
        if parent := study.about().get("parent"):
            files = [each.path for each in connect(store).list_artifacts(parent)]
            seen[next(iter(facts))] = (groups.status(store, parent), files)

    monkeypatch.setattr(OptunaStudy, "describe", watched)
    result = search.run(config_of())
    assert seen["parent"] == ("RUNNING", [])
    assert seen["concluded"][0] == "FINISHED"
    assert search.run(config_of()) == {**result, "skipped": True}
    assert json.loads((tmp_path / "mlruns/studies/search/engine.json").read_text())["engine"].endswith("Optuna")


def test_a_search_that_goes_on_is_never_taken_for_a_dead_one(tmp_path, monkeypatch):
    """Another driver ends open runs whose process is gone: the one that goes on must name its own before it is open."""
    from mlflow import MlflowClient

    tracking = Tracking(folder=tmp_path, system_metrics=False)
    with tracking.run("x") as run:
        run.set_tags({"srexp.pid": "99999999"})
    opened, update = [], MlflowClient.update_run

    def watched(client, run_id, **facts):
        update(client, run_id, **facts)
        opened.append(groups.reap(tracking.store, reason="gone"))

    monkeypatch.setattr(MlflowClient, "update_run", watched)
    with tracking.run("x", resume=run.id):
        pass
    assert opened == [[]]
