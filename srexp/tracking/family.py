"""Runs that belong together: a parent over many runs, and the one that did the same work before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from srexp.tracking import environment
from srexp.tracking.parameters import tag
from srexp.tracking.store import Store, connect, experiment_id, selected, translated


def open_parent(
    store: Store, experiment: str, *, name: str, tags: Mapping[str, str], process: Mapping[str, str]
) -> str:
    """Open a run that others will name as their parent; it trains nothing itself.

    Args:
        store: Where.
        experiment: Name of the experiment of its children.
        name: Name of the run.
        tags: What it is filtered by.
        process: `environment.process_tags` of the process that will close it, perhaps on another machine.

    Returns:
        Run id.
    """
    client = connect(store)
    known = {**environment.origin_tags(), **process, **tags}
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
    client = connect(store)
    if reason:
        client.set_tag(run_id, "srexp.error", tag(reason))
    client.set_terminated(run_id, status)


def close_if_gone(store: Store, run_id: str, reason: str) -> str:
    """End a run as KILLED if it says that it is running and the process that it belongs to has ended.

    Args:
        store: Where.
        run_id: Of the run.
        reason: What to note as the cause.

    Returns:
        The state of the run now. It stays RUNNING where its process lives, or is another machine's.
    """
    run = connect(store).get_run(run_id)
    status = str(run.info.status)
    if status == "RUNNING" and environment.process_is_gone(run.data.tags):
        close(store, run_id, "KILLED", reason)
        return "KILLED"
    return status


def log_files(store: Store, run_id: str, files: Iterable[Path]) -> None:
    """Keep files as artifacts of a run.

    Args:
        store: Where.
        run_id: Of the run.
        files: Their names become the artifacts' names.
    """
    client = connect(store)
    with translated(store, f"run {run_id} could not be written"):
        for file in files:
            client.log_artifact(run_id, str(file))


def end_lost(store: Store, parent: str, *, status: str, reason: str) -> None:
    """End the children of a parent that are open although their process is gone, on this machine.

    Args:
        store: Where.
        parent: Run id of the parent.
        status: FAILED or KILLED.
        reason: Becomes their tag `srexp.error`.
    """
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    client = connect(store)
    with translated(store, "runs whose process is gone could not be ended"):
        experiment = client.get_run(parent).info.experiment_id
        condition = f"attributes.status = 'RUNNING' and tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent}'"
        for run in client.search_runs([experiment], condition):
            if environment.process_is_gone(run.data.tags):
                close(store, run.info.run_id, status, reason)


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
    client = connect(store)
    with translated(store, "finished runs can't be looked up"):
        known = client.get_experiment_by_name(experiment)
        if known is None:
            return None
        condition = f"attributes.status = 'FINISHED' and tags.`{key}` LIKE '{pattern}'"
        runs = client.search_runs([known.experiment_id], condition, max_results=1)
    return str(runs[0].info.run_id) if runs else None


def read_json(store: Store, run_id: str, path: str) -> dict[str, Any] | None:
    """Read a JSON artifact of a run.

    Args:
        store: Where.
        run_id: Of the run.
        path: Of the artifact.

    Returns:
        Its content; None when the run has no such artifact.
    """
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    connect(store)
    with selected(store.uri):
        try:
            text = mlflow.artifacts.load_text(f"runs:/{run_id}/{path}")
        except (MlflowException, OSError):
            return None
    content = json.loads(text)
    return content if isinstance(content, dict) else None


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
    import mlflow.artifacts

    with translated(store, f"{path} of run {run_id} can't be fetched"):
        connect(store)
        with selected(store.uri):
            return Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/{path}", dst_path=str(folder)))
