"""A search's driver leaves nothing half done: what is refused begins no study, what is concluded has no open run."""

from __future__ import annotations

import json
import pickle
import re
from contextvars import Context
from types import SimpleNamespace

import pytest

import srexp
from srexp.commands import search
from srexp.errors import RequestError, SrexpError
from srexp.experiment.pipeline import Outcome
from srexp.experiment.search import driver, trial_worker
from srexp.experiment.search.search_job import STUDY_TAG, base_overrides, trial_config
from srexp.experiment.search.trial_worker import Note
from srexp.search.optuna.study import OptunaStudy
from srexp.system.files.json_files import DamagedError
from srexp.tracking.runs import groups, queries
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


@pytest.mark.slow
def test_an_alias_means_the_same_model_in_all_trials_and_to_every_driver(quick, config_of, tmp_path, monkeypatch):
    """A champion that is promoted between two drivers changes nothing; another address is another search."""
    path = {name: tmp_path / f"{name}.keras" for name in ("first", "second")}
    config = config_of("trainer.start=zoo/hybrid-cxr-x2")
    meant = iter(path.values())
    monkeypatch.setattr(driver.start, "settled", lambda asked: asked.changed(trainer={"start": str(next(meant))}))
    seen = []

    class Watching(driver.Workers):
        def __init__(self, job, parent):
            seen.append((job.config.trainer.start, [each for each in base_overrides(job.config) if "start" in each]))

        def run(self):
            return 99 * len(seen)

    monkeypatch.setattr(driver, "Workers", Watching)
    ended = []
    monkeypatch.setattr(
        driver, "finalize", lambda job, *_: ended.append(job.config.trainer.start) or ({"run_id": "1"}, None)
    )
    search.run(config)
    search.run(config_of("trainer.start=zoo/hybrid-cxr-x2", "search.trials=99"))
    first = str(path["first"])
    assert seen == [(first, [f"trainer.start={first}"])] * 2
    assert ended == [first] * 2
    assert next(meant) == path["second"]  # which nobody asked for


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
    monkeypatch.setattr(search.console, "search", lambda *_: None)


@pytest.mark.slow
def test_a_kill_at_any_note_of_the_study_leaves_one_parent_that_ends(quick, config_of, tmp_path, monkeypatch):
    """The moments at which the driver notes something are those between which a kill could tear things apart."""
    store = Tracking(folder=tmp_path / "mlruns").store
    note = OptunaStudy.describe
    seen = {}

    def watched(study, **facts):
        note(study, **facts)
        if parent := study.about().get("parent"):
            files = [each.path for each in connect(store).list_artifacts(parent)]
            seen[next(iter(facts))] = (queries.get_run(store, parent).status, files)

    monkeypatch.setattr(OptunaStudy, "describe", watched)
    result = search.run(config_of())
    assert seen["parent"] == ("RUNNING", [])
    assert seen["concluded"][0] == "FINISHED"
    assert search.run(config_of()) == {**result, "skipped": True}
    assert json.loads((tmp_path / "mlruns/studies/search/engine.json").read_text())["engine"].endswith("Optuna")


@pytest.mark.parametrize("how", ["run deleted", "another store"])
@pytest.mark.slow
def test_a_search_whose_run_is_gone_says_so_and_how_to_go_on(how, quick, config_of, tmp_path):
    store, result = Tracking(folder=tmp_path / "mlruns").store, search.run(config_of())
    if how == "run deleted":
        connect(store).delete_run(result["run_id"])
    more = ["search.trials=99", *([f"tracking.uri=sqlite:///{tmp_path}/other.db"] if how == "another store" else [])]
    with pytest.raises(RequestError, match="the search search can't go on") as caught:
        search.run(config_of(*more))
    assert caught.value.got == result["run_id"]
    assert ("runs restore" in caught.value.fix) == (how != "another store")
    assert "search.name=search_2" in caught.value.fix


@pytest.mark.slow
def test_a_deleted_experiment_is_refused_as_such_and_not_as_a_value_of_the_space(quick, config_of, tmp_path):
    store, result = Tracking(folder=tmp_path / "mlruns").store, search.run(config_of())
    connect(store).delete_experiment(connect(store).get_run(result["run_id"]).info.experiment_id)
    with pytest.raises(RequestError, match=r"^the MLflow experiment of this task was deleted"):
        search.run(config_of("search.trials=99"))


@pytest.mark.slow
def test_a_note_of_the_engine_that_is_damaged_is_named(quick, config_of, tmp_path):
    search.run(config_of())
    note = tmp_path / "mlruns/studies/search/engine.json"
    for written in (b"", b"garbage", b"[]", b"{}", b"\xff"):
        note.write_bytes(written)
        with pytest.raises(DamagedError, match="can't be read") as caught:
            search.run(config_of("search.trials=99"))
        assert str(note) in str(caught.value)
    note.unlink()
    assert search.run(config_of("search.trials=99"))["run_id"]


@pytest.mark.slow
def test_an_edit_between_two_trials_is_for_the_next_search(quick, config_of, own_conf, tmp_path, monkeypatch):
    """Neither a worker, which composes in a process of its own, nor the conclusion takes notice of it."""
    seen = []

    def trial(config):
        composed = trial_config(base_overrides(config), {"model": "vdsr"})
        return composed.model.depth, composed.trainer.steps_per_epoch

    class Editing:
        def __init__(self, job, parent):
            self.job, self.sent = job, pickle.dumps(Note(job.config, job.files, tmp_path, parent))

        def run(self):
            for name, key in (("model/vdsr", "depth"), ("debug/fast", "steps_per_epoch")):
                path = own_conf / f"{name}.yaml"
                path.write_text(re.sub(rf"(\n *{key}): \d+", r"\1: 4", path.read_text()))
            Context().run(trial_worker.run_worker, pickle.loads(self.sent))
            seen.append(trial(self.job.config))
            return 9

    config = config_of()
    before = trial(config)
    monkeypatch.setattr(driver, "Workers", Editing)
    monkeypatch.setattr(trial_worker, "work", lambda note: seen.append(trial(note.config)))
    search.run(config)
    assert seen == [before] * 2
    assert trial(config)[0] == 4


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


@pytest.mark.slow
def test_a_second_driver_helps_the_first_and_leaves_the_conclusion_to_it(quick, config_of, monkeypatch, capfd):
    joined = []

    class Meeting(driver.Workers):
        def run(self):
            if not joined:
                joined.append(None)
                joined[0] = search.run(config_of())
            return 9

    monkeypatch.setattr(driver, "Workers", Meeting)
    result = search.run(config_of("search.trials=9"))
    assert joined[0] == {**joined[0], "run_id": result["run_id"], "study": "search", "joined": True}
    assert f"the driver of run {result['run_id']} concludes it" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("FINISHED", "the driver of run r1 concluded it"),
        ("KILLED", "ended KILLED; the same command again concludes"),
    ],
)
def test_who_helped_hears_what_became_of_the_search(monkeypatch, status, said):
    monkeypatch.setattr(driver, "_status", lambda *_: status)
    assert said in driver._state_of(None, "r1")


def test_a_worker_of_a_chief_works_for_the_run_of_the_chief_and_for_no_other(tmp_path):
    """Keras Tuner keeps such a study on the chief's machine, so what is noted of it there isn't known here."""
    tracking = Tracking(folder=tmp_path / "mlruns", system_metrics=False)
    config = SimpleNamespace(experiment_name="task")
    job = SimpleNamespace(engine=SimpleNamespace(name="wide", role="worker"), tracking=tracking, config=config)
    with pytest.raises(SrexpError, match="the chief of the search wide has no open run in this store"):
        driver._elsewhere(job)
    with tracking.run("task", tags={STUDY_TAG: "wide", "verb": "search"}) as run:
        assert driver._elsewhere(job) == run.id
    job.engine.role = "chief"
    assert driver._elsewhere(job) is None
