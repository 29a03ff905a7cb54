"""The driver of a search: trials by workers, until the best one is known, logged and registered.

It trains nothing. It holds the study's one parent run, keeps the workers going, and finishes what they found.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from srexp.config.builders import build
from srexp.config.frozen_files import Files, frozen
from srexp.config.identity import PLACES
from srexp.config.overrides import overrides_of
from srexp.config.sections.verbs import SearchConfig
from srexp.errors import RequestError, SrexpError
from srexp.experiment import start
from srexp.experiment.pipeline import Outcome
from srexp.experiment.recorded_config import log_config
from srexp.experiment.scoring import require_scorable
from srexp.experiment.search.finalize import finalize
from srexp.experiment.search.search_job import ENGINE, STUDY_TAG, SearchJob
from srexp.experiment.search.space_check import Request, kind_of, require_same_search, searchable
from srexp.experiment.search.workers import Workers
from srexp.experiment.task import Task
from srexp.search.study import Search, Study
from srexp.system.files.atomic_files import write_whole
from srexp.system.kernels import choice
from srexp.system.profiling import Stopwatch
from srexp.tracking.runs import groups, queries
from srexp.tracking.runs.run import NOTHING_KEPT, Kept, Run
from srexp.tracking.runs.tracking import Tracking

#: `result.json`, the last run's outcome, and where the search's own run is to be looked at.
Searched: TypeAlias = tuple[dict[str, Any], Outcome | None, Kept]
Begin: TypeAlias = Callable[[Task, Search, int], object]


def search(config: SearchConfig, *, begin: Begin, tell: Callable[[str], object]) -> Searched:
    """Search, or go on with a search of this name.

    Args:
        config: Checked configuration with a section `search`.
        begin: Receives data, search and how many trials are done, before the first of this call.
        tell: Receives what a person should know besides.

    Returns:
        `result.json`: the study's counts and best trial, and what its network scored on the test images; the
        outcome of that last run, None where it was concluded before or by another driver; and where the search's run
        is to be looked at.

    Raises:
        RequestError: Space, data or configuration are wrong, or not those that the study of this name began with.
        SrexpError: Too many trials failed.
    """
    with frozen() as files:
        return _search(config, begin, tell, files)


def _search(config: SearchConfig, begin: Begin, tell: Callable[[str], object], files: Files) -> Searched:
    watch = Stopwatch()
    choice.settle(config.model.name, "training", precision=config.trainer.precision)  # its workers inherit it
    engine, composed = searchable(config)
    with watch("data"):
        task = Task(config)
        for split in ("validation", "test"):
            require_scorable(task, split)
        task.require_choice()
    write_whole(engine.folder / ENGINE, json.dumps(kind_of(engine, config)))  # which engine has the study
    study = engine.open(seed=config.seed, epochs=config.trainer.epochs)
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    tracking = dataclasses.replace(tracking, system_metrics=False)
    with study.alone():
        require_same_search(study, engine, task, Request(_decisive(config), composed, files))
        _close_dead(tracking, task)
        config = _settled(config, study)
    if finished := _finished(study, engine, tracking):
        tell(f"search {engine.name} finished before as run {finished['run_id']}")
        return finished, None, NOTHING_KEPT
    begin(task, engine, sum(map(counts(study).__getitem__, ("finished", "pruned"))))
    job = SearchJob(config, engine, study, tracking, files)
    with _parent(job, task) as parent:
        run_id = parent if isinstance(parent, str) else parent.id
        with watch("train"):
            done = Workers(job, run_id).run()
        if done < engine.trials:
            tell(f"the space has no more values: {done} trials instead of {engine.trials}")
        if isinstance(parent, str):
            tell(f"search {engine.name} has its trials; {_state_of(job, run_id)}")
            return {"run_id": run_id, "study": engine.name, "trials": counts(study), "joined": True}, None, NOTHING_KEPT
        result, final = finalize(job, parent, watch)
        parent.log_dict(result, "result.json")
    # Not before the run has ended: whoever finds this looks no further.
    study.describe(concluded=engine.trials)
    return result, final, parent.kept(config.overrides)


def _close_dead(tracking: Tracking, task: Task) -> None:
    groups.reap(tracking.store, experiment=task.name, reason="its process was gone when the search went on")


def _decisive(config: SearchConfig) -> list[str]:
    """Give what the configuration would be typed as, without the places of data that has a fingerprint."""
    places = tuple(f"dataset.{key}=" for key in PLACES)
    return [typed for typed in overrides_of(config) if not typed.startswith(places)]


def _settled(config: SearchConfig, study: Study) -> SearchConfig:
    """Let `trainer.start` mean one model in all trials and at the end, by whichever driver and whatever is promoted."""
    if config.trainer.start is None:
        return config
    if (known := study.about().get("start")) is None:
        study.describe(start=(known := start.settled(config).trainer.start))
    return config.changed(trainer={"start": known})


def _finished(study: Study, engine: Search, tracking: Tracking) -> dict[str, Any] | None:
    """Give the result of a search that was concluded, unless more trials are wanted now."""
    about = study.about()
    if about.get("concluded", 0) < engine.trials:
        return None
    result = queries.read_json(tracking.store, about["parent"], "result.json")
    return result and {**result, "skipped": True}


@contextmanager
def _parent(job: SearchJob, task: Task) -> Iterator[Run | str]:
    """Open the run of the whole search, or go on with it.

    Yields:
        The run; or its id where another driver, here or on another machine, has it open: this one helps then.
    """
    config, engine, study, tracking = job.config, job.engine, job.study, job.tracking
    with ExitStack() as deciding:
        deciding.enter_context(study.alone())
        _close_dead(tracking, task)
        known = study.about().get("parent") or _elsewhere(job)
        if known and _status(job, known) == "RUNNING":
            deciding.close()
            yield known
            return
        tags = {
            **config.tags, STUDY_TAG: engine.name, "verb": "search", "model": config.model.name, "scale": config.scale,
            "seed": config.seed, "data.fingerprint": task.prepared.fingerprint,
            "overrides": shlex.join(config.typed),
        }  # fmt: skip
        name = config.run_name or f"search {engine.name}"
        with tracking.run(task.name, name=name, tags=tags, resume=known, folder=config.run_dir) as parent:
            if not known:
                # Before anything that takes time: a kill must not cost a second parent.
                study.describe(parent=parent.id)
                log_config(parent, config)
            deciding.close()
            yield parent


def _elsewhere(job: SearchJob) -> str | None:
    """Find the parent of a search whose study another machine keeps, as Keras Tuner's chief does."""
    if getattr(job.engine, "role", "alone") != "worker":
        return None
    marks = {STUDY_TAG: job.engine.name, "verb": "search"}
    if found := groups.find_running(job.tracking.store, job.config.experiment_name, marks):
        return found
    raise SrexpError(
        f"the chief of the search {job.engine.name} has no open run in this store",
        expected="the chief running, with the same tracking.uri",
        fix="start the command on the chief first",
    )


def _status(job: SearchJob, parent: str) -> str:
    """Give the state of the run of a search, which may have been deleted, or be in another store than its study."""
    try:
        return queries.get_run(job.tracking.store, parent).status
    except RequestError as error:
        raise RequestError(
            f"the search {job.engine.name} can't go on: {error.what}",
            got=error.got,
            expected=error.expected,
            fix=f"{error.fix}; or search.name={job.engine.name}_2 begins anew",
        ) from error


def _state_of(job: SearchJob, parent: str) -> str:
    ended = _status(job, parent)
    return {
        "RUNNING": f"the driver of run {parent} concludes it",
        "FINISHED": f"the driver of run {parent} concluded it",
    }.get(ended, f"the driver of run {parent} ended {ended}; the same command again concludes it")


def counts(study: Study) -> Mapping[str, int]:
    """Count the trials of a study by their state."""
    states = [trial.state for trial in study.trials()]
    return {state: states.count(state) for state in ("finished", "pruned", "failed", "running", "waiting")}
