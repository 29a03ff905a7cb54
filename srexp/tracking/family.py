"""Runs that belong together: a parent over many runs, and the one that did the same work before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from srexp.tracking import environment
from srexp.tracking.store import Store, connect, experiment_id, selected


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


def close_parent(store: Store, run_id: str, status: str) -> None:
    """End a parent.

    Args:
        store: Where.
        run_id: Of the parent.
        status: FINISHED, FAILED or KILLED.
    """
    connect(store).set_terminated(run_id, status)


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
