"""Runs that belong together: a parent over many runs, and the one that did the same work before."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from srexp.lazy_imports import mlflow
from srexp.system import process_identity
from srexp.system.masking.redaction import mask, printable
from srexp.tracking.journal import upload
from srexp.tracking.journal.replay import MAX_POINTS
from srexp.tracking.pages import RUN_ID
from srexp.tracking.runs import environment
from srexp.tracking.store.parameters import MAX_KEY, MAX_TAG, shorten, tag
from srexp.tracking.store.store import Store, download, every, experiment_id, opened, tagged


def open_parent(
    store: Store, experiment: str, *, name: str, tags: Mapping[str, str], process: Mapping[str, str]
) -> str:
    """Open a run that others will name as their parent; it trains nothing itself.

    Args:
        store: Where.
        experiment: Name of the experiment of its children.
        name: Name of the run.
        tags: What it is filtered by.
        process: `process_identity.process_tags` of the process that will close it, perhaps on another machine.

    Returns:
        Run id.
    """
    known = {**environment.origin_tags(), **process, **tags}
    with opened(store, "the parent of these runs can't be created") as client:
        run = client.create_run(experiment_id(client, store, experiment), run_name=name, tags=known)
    return str(run.info.run_id)


def close(store: Store, run_id: str, status: str, reason: str | None = None) -> None:
    """End a run from outside: a parent by its driver, or one whose process is gone.

    Args:
        store: Where.
        run_id: Of the run.
        status: FINISHED, FAILED or KILLED.
        reason: Why it didn't finish.
    """
    with opened(store, f"run {run_id} could not be ended") as client:
        if reason:
            client.set_tag(run_id, "srexp.error", tag(reason))
        upload.end(client, run_id, status)


def log_page(
    store: Store,
    run_id: str,
    *,
    name: str | None,
    text: str,
    tags: Mapping[str, str],
    points: Sequence[tuple[str, float, int]],
    files: Iterable[Path],
) -> None:
    """Let a parent tell of the runs below it.

    Args:
        store: Where.
        run_id: Of the parent.
        name: What its own name begins with from now on; None to leave that as it is.
        text: Its description in Markdown, with `pages.RUN_ID` for its id.
        tags: What it is filtered by.
        points: Metrics with their values and steps.
        files: Artifacts; their names become the artifacts' names.
    """
    from mlflow.utils import chunk_list
    from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

    with opened(store, f"run {run_id} could not be written") as client:
        for file in files:
            client.log_artifact(run_id, str(file))
        now = int(time.time() * 1000)
        metrics = [mlflow.entities.Metric(each, value, now, step) for each, value, step in points]
        for some in chunk_list(metrics, MAX_POINTS):
            client.log_batch(run_id, metrics=some)
        for key, value in tags.items():
            client.set_tag(run_id, key, tag(value))
        client.set_tag(run_id, MLFLOW_RUN_NOTE, shorten(mask(text.replace(RUN_ID, run_id)), MAX_TAG))
        if name:
            known = client.get_run(run_id).info.run_name.removeprefix("multirun")
            client.update_run(run_id, name=shorten(f"{printable(mask(name))}{known}", MAX_KEY))


def reap(
    store: Store, *, experiment: str | None = None, parent: str | None = None, status: str = "KILLED", reason: str
) -> list[str]:
    """End the runs that are open although their process, one of this machine, is gone.

    Args:
        store: Where.
        experiment: Name of the experiment to look in; None for all.
        parent: Run id of the parent whose children are meant; None for all runs.
        status: FAILED or KILLED.
        reason: Becomes their tag `srexp.error`.

    Returns:
        Ids of the runs that were ended.
    """
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    condition = "attributes.status = 'RUNNING'"
    if parent:
        condition += f" and {tagged({MLFLOW_PARENT_RUN_ID: parent})}"
    ended = []
    with opened(store, "runs whose process is gone could not be ended") as client:
        known = [client.get_experiment_by_name(experiment)] if experiment else every(client.search_experiments)
        for run in every(client.search_runs, [each.experiment_id for each in known if each], condition):
            if process_identity.process_is_gone(run.data.tags):
                close(store, run.info.run_id, status, reason)
                ended.append(str(run.info.run_id))
    return ended


def find_finished(store: Store, experiment: str, key: str, pattern: str) -> str | None:
    """Find the latest finished run by a tag.

    Args:
        store: Where; nothing is created in it but the store itself.
        experiment: Name of the experiment.
        key: Name of the tag.
        pattern: Its value, in which `%` stands for anything.

    Returns:
        Run id, or None.
    """
    return _latest(store, experiment, f"attributes.status = 'FINISHED' and tags.`{key}` LIKE '{pattern}'")


def find_running(store: Store, experiment: str, tags: Mapping[str, str]) -> str | None:
    """Find the latest run that is open, by its tags.

    Args:
        store: Where; nothing is created in it but the store itself.
        experiment: Name of the experiment.
        tags: All must agree.

    Returns:
        Run id, or None.
    """
    return _latest(store, experiment, f"attributes.status = 'RUNNING' and {tagged(tags)}")


def _latest(store: Store, experiment: str, condition: str) -> str | None:
    with opened(store, "earlier runs can't be looked up") as client:
        known = client.get_experiment_by_name(experiment)
        runs = client.search_runs([known.experiment_id], condition, max_results=1) if known else []
    return str(runs[0].info.run_id) if runs else None


def fetch(store: Store, run_id: str, path: str, folder: Path) -> Path:
    """Copy an artifact of a run to this machine.

    Args:
        store: Where.
        run_id: Of the run.
        path: Of the artifact, a file or a folder.
        folder: Where the copy goes.

    Returns:
        The copy.

    Raises:
        SrexpError: The run has no such artifact, or the store can't be reached.
    """
    with opened(store, f"{path} of run {run_id} can't be fetched"):
        return download(store, f"runs:/{run_id}/{path}", folder)
