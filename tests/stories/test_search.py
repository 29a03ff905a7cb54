"""A search through the command line: both engines, what is left of a trial, kills in its middle."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.warm_start import Command

pytestmark = pytest.mark.system

SPACE = (
    "search.space={optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true},"
    "model.filters:{type:categorical,choices:[[8,4],[6,4]]}}"
)
ENGINES = {"optuna": ["search.pruner=median", "search.startup_trials=2"], "keras_tuner": ["search=keras_tuner"]}


def trials_of(project, name: str) -> list:
    """The trials of a study, whichever engine has it."""
    import srexp
    from srexp.config.builders import build

    folder = project.root / "mlruns" / "studies" / name
    engine = json.loads((folder / "engine.json").read_text())["engine"].rpartition(".")[2]
    overrides = [SPACE, f"search.name={name}", f"search={'optuna' if engine == 'Optuna' else 'keras_tuner'}"]
    config = srexp.compose(overrides, verb="search")
    return build(config.search, folder=folder).open(seed=config.seed, epochs=config.trainer.epochs).trials()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["optuna", "keras_tuner"])
def test_a_search_ends_with_a_candidate_a_preset_and_figures(project, folder_of, engine: str) -> None:
    request = [*folder_of, SPACE, "search.name=tiny", "search.trials=3", "search.workers=2", *ENGINES[engine]]
    done = project.run("search", *request, timeout=280)
    assert done.returncode == 0, done.stderr
    [result] = project.results()
    assert sum(result["trials"].get(state, 0) for state in ("finished", "pruned")) == 3
    assert result["registered"] == {"name": "folder-bicubic-x2", "version": 1, "alias": "candidate"}
    for line in ("tiny: 3 trials by 2 workers", "seeks       val_psnr on", "trial 0 finished", "3/3, done"):
        assert line in done.stderr
    assert "python -m srexp +experiment=best_tiny" in done.stdout
    assert "search/search.html" in done.stdout

    runs = {run.info.run_id: run for run in project.runs()}
    parent = runs.pop(result["run_id"])
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert len(runs) == 4  # three trials and the best one's network, scored
    finished = [run for run in runs.values() if run.data.tags.get("srexp.trial_state") == "finished"]
    best = max(finished, key=lambda run: run.data.metrics["objective/val_psnr"])
    assert best.data.tags["srexp.trial"] == str(result["best"]["number"])
    assert {"model", "scale", "srexp.search", "overrides"} <= best.data.tags.keys()
    scored = runs[result["final_run_id"]]
    assert scored.data.metrics["val/best_psnr"] == pytest.approx(best.data.metrics["objective/val_psnr"], abs=1e-6)
    assert not any("test/psnr" in run.data.metrics for run in finished)
    # The search's own row in MLflow's list shows what its network scored.
    columns = ("test/psnr", "test/gain_db", "val/best_psnr")
    assert {name: parent.data.metrics[name] for name in columns} == pytest.approx(
        {name: scored.data.metrics[name] for name in columns}, abs=1e-6
    )

    found = Path(parent.info.artifact_uri.removeprefix("file://"))
    assert {"optimisation_history.png", "learning_curves.png", "search.html", "best.csv", "best.md"} <= {
        path.name for path in (found / "search").iterdir()
    }
    check = project.run("check", "+experiment=best_tiny")
    assert check.returncode == 0, check.stderr
    preset = yaml.safe_load((found / "best.yaml").read_text())
    assert preset["model"]["filters"] == result["best"]["values"]["model.filters"]

    if engine == "optuna":  # what the best trial's run shows repeats it; other threads round otherwise
        repeated = project.run(*shlex.split(best.data.tags["overrides"]), "paths.root=again", timeout=280)
        assert repeated.returncode == 0, repeated.stderr
        found = json.loads(next((project.root / "again").rglob("result.json")).read_text())
        assert found["validation"]["psnr"] == pytest.approx(best.data.metrics["objective/val_psnr"], abs=1e-3)

    again = project.run("search", *request)
    assert again.returncode == 0, again.stderr
    assert "finished before" in again.stdout
    assert len(project.runs()) == 5
    changed = project.run("search", *request, "trainer.batch_size=8")
    assert changed.returncode == 2
    assert "configuration: with trainer.batch_size=8" in changed.stderr


def test_what_a_network_refuses_is_named_before_the_first_trial(project, folder_of) -> None:
    space = "search.space={model.depth:{type:int,low:1,high:3}}"
    done = project.run("search", *folder_of, "model=vdsr", space, "search.name=refused")
    assert done.returncode == 2, done.stderr
    assert "search.space allows model.depth=1, which the configuration refuses: model.depth is too small" in done.stderr
    assert not (project.root / "mlruns" / "studies" / "refused" / "trials").exists()
    assert not project.runs()


@pytest.mark.slow
def test_a_search_survives_kills_in_mid_trial(project, folder_of) -> None:
    request = [*folder_of, SPACE, "search.name=tough", "search.trials=4", "trainer.epochs=3", *ENGINES["optuna"]]
    rng = random.Random(1)
    with started(project, request) as search:  # the whole process group, as when the machine goes down
        await_trials(project, 1)
        time.sleep(rng.uniform(0, 3))
        os.killpg(search.pid, signal.SIGKILL)
    with started(project, request) as search:
        await_trials(project, 2)
        time.sleep(rng.uniform(0, 3))
        for worker in psutil.Process(search.pid).children(recursive=True):  # several are forked by one of them
            worker.kill()
        await_trials(project, 3)
        search.kill()
    with started(project, request) as search:
        assert search.wait(280) == 0, (project.root / "said.txt").read_text()

    trials = trials_of(project, "tough")
    assert sum(trial.state in ("finished", "pruned") for trial in trials) == 4
    assert [trial.number for trial in trials] == list(range(len(trials)))
    tried_again = {trial.facts["retry_of"] for trial in trials if "retry_of" in trial.facts}
    assert {trial.number for trial in trials if trial.state == "failed"} == tried_again
    runs = project.runs()
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert [run.info.status for run in parents] == ["FINISHED"]
    folders = [trial.facts["folder"] for trial in trials if "folder" in trial.facts]
    assert len(set(folders)) == len(folders)


@contextmanager
def started(project, request: list[str]) -> Iterator[Command]:
    """A search in a process group of its own, as a terminal would start it."""
    with (project.root / "said.txt").open("a") as said:
        search = project.start("search", *request, stdout=said, stderr=said, start_new_session=True)
        try:
            yield search
        finally:
            search.kill()
            search.wait()


def await_trials(project, number: int) -> None:
    """Wait until so many trials have begun."""
    folder, deadline = project.root / "mlruns" / "studies" / "tough" / "trials", time.monotonic() + 200
    while len(list(folder.glob("*/"))) < number:
        assert time.monotonic() < deadline, (project.root / "said.txt").read_text()
        time.sleep(0.2)
