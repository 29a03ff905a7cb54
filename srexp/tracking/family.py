"""Runs that belong together: a parent over many runs, and the one that did the same work before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srexp.tracking import environment
from srexp.tracking.parameters import tag
from srexp.tracking.store import Store, connect, experiment_id, selected, translated


def open_parent(store: Store, experiment: str, *, name: str, tags: Mapping[str, str], pid: int) -> str:
    """Open a run that others will name as their parent; it trains nothing itself.

    Args:
        store: Where.
        experiment: Name of the experiment of its children.
        name: Name of the run.
        tags: What it is filtered by.
        pid: The process that will close it.

    Returns:
        Run id.
    """
    client = connect(store)
    known = {**environment.origin_tags(), **environment.process_tags(pid), **tags}
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


def find_finished(store: Store, experiment: str, tags: Mapping[str, str]) -> str | None:
    """Find the latest finished run with these tags.

    Args:
        store: Where.
        experiment: Name of the experiment.
        tags: All must agree.

    Returns:
        Run id, or None.
    """
    client = connect(store)
    conditions = ["attributes.status = 'FINISHED'", *(f"tags.`{key}` = '{value}'" for key, value in tags.items())]
    runs = client.search_runs([experiment_id(client, store, experiment)], " and ".join(conditions), max_results=1)
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
