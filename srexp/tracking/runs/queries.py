"""What the store knows of runs that are over."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srexp.errors import RequestError
from srexp.system.masking.redaction import from_cell
from srexp.tracking.metric_names import known, places
from srexp.tracking.store.addresses import find
from srexp.tracking.store.failures import deleted_experiment, deleted_run, required
from srexp.tracking.store.locations import path_of
from srexp.tracking.store.store import Store, connect, every, opened, selected, tagged


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run that was tracked.

    Args:
        run_id: MLflow run id.
        name: Its name.
        experiment: Name of its experiment.
        status: FINISHED, FAILED, KILLED or RUNNING.
        started: Milliseconds since the epoch.
        tags: Its tags.
        metrics: Last value of each metric, by the name that this code has for it.
        ended: Milliseconds since the epoch; None while it runs.
        artifacts: Address of what it left beside these.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    started: int
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    ended: int | None = None
    artifacts: str = ""


def get_run(store: Store, run_id: str) -> StoredRun:
    """Find a run.

    Args:
        store: Where.
        run_id: Its id.

    Returns:
        The run.

    Raises:
        RequestError: There is none, or it was deleted.
    """
    absent = RequestError(
        "there is no such run in the store",
        got=run_id,
        expected="the id of a run, as a training prints it last",
        fix="look it up with `python -m srexp runs`, or point paths.root or tracking.uri to its store; what `mlflow gc`"
        " removed is gone",
    )
    with opened(store, f"run {run_id} can't be read") as client:
        with required(absent):
            found = client.get_run(run_id)
        if found.info.lifecycle_stage == "deleted":
            raise deleted_run(client, run_id)
        return _stored_run(found, client.get_experiment(found.info.experiment_id).name)


def runs_of(store: Store, experiment: str) -> list[StoredRun]:
    """List the finished runs of an experiment, oldest first.

    Args:
        store: Where.
        experiment: Its name.

    Returns:
        Runs.

    Raises:
        RequestError: There is no such experiment.
    """
    return _listed(store, experiment, _state("FINISHED"), order="ASC", fix="experiment_name=NAME, or runs=[ID,ID]")


def latest(
    store: Store,
    *,
    experiment: str | None = None,
    limit: int,
    status: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> list[StoredRun]:
    """List runs in any state, newest first.

    Args:
        store: Where.
        experiment: Name of the experiment; None for all.
        limit: How many at most.
        status: FINISHED, FAILED, KILLED or RUNNING; None for all.
        tags: What they are tagged with; None for all.

    Returns:
        Runs.

    Raises:
        RequestError: There is no such experiment.
    """
    condition = " and ".join(filter(None, [_state(status), tagged(tags or {})]))
    return _listed(store, experiment, condition, most=limit, fix="experiment_name=NAME, or leave it out")


def _state(status: str | None) -> str:
    return f"attributes.status = '{status}'" if status else ""


def _listed(
    store: Store, experiment: str | None, condition: str, *, order: str = "DESC", most: int | None = None, fix: str
) -> list[StoredRun]:
    with opened(store, "the runs can't be listed") as client:
        names = {each.experiment_id: each.name for each in every(client.search_experiments)}
        chosen = [number for number, name in names.items() if experiment in (None, name)]
        if not chosen and experiment is not None:
            others = sorted(name for name in names.values() if name != "Default")
            raise deleted_experiment(client, experiment) or RequestError(
                "there is no such experiment in the store",
                got=experiment,
                expected=f"one of {', '.join(others)}" if others else "a task that something was trained for",
                fix=fix,
            )
        by_start = [f"attributes.start_time {order}"]
        found = every(client.search_runs, chosen, condition, most=most, order_by=by_start)
    return [_stored_run(run, names[run.info.experiment_id]) for run in found]


def run_of_model(store: Store, model_uri: str) -> str:
    """Find the run that trained a model.

    Args:
        store: Where.
        model_uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-ID` or `runs:/ID/...`.

    Returns:
        Run id.

    Raises:
        RequestError: There is no such model, or no run is known for it.
    """
    kind, _, path = model_uri.partition(":/")
    run_id: str | None = None
    if kind == "runs":
        run_id = path.strip("/").split("/")[0]
    elif kind == "models" and path:
        run_id = find(store, model_uri).run_id
    if not run_id:
        raise RequestError(
            "no run is known for this address",
            got=model_uri,
            expected="models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or runs:/ID/model",
        )
    return run_id


def read_text(store: Store, run: StoredRun | str, path: str) -> str | None:
    """Read a text artifact of a run.

    Args:
        store: Where.
        run: It, whose files on this machine are read where they lie, or its id.
        path: Of the artifact.

    Returns:
        Its content; None when the run has no such artifact.
    """
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    folder = path_of(run.artifacts) if isinstance(run, StoredRun) and run.artifacts else None
    if folder:
        file = folder / path
        return file.read_text(encoding="utf-8") if file.is_file() else None
    run_id = run.run_id if isinstance(run, StoredRun) else run
    connect(store)
    with selected(store.uri):
        try:
            return str(mlflow.artifacts.load_text(f"runs:/{run_id}/{path}"))
        except (MlflowException, OSError):
            return None


def read_pictures(store: Store, run_id: str, wanted: Sequence[tuple[str, str]]) -> list[bytes]:
    """Read pictures of a run.

    Args:
        store: Where.
        run_id: Of the run.
        wanted: Folders of artifacts, and what a name in them begins with.

    Returns:
        Content of the first PNG file of each that the run has.

    Raises:
        SrexpError: The store can't be reached.
    """
    import mlflow.artifacts

    found = []
    reading = opened(store, "the pictures can't be read")
    with reading as client, selected(store.uri), tempfile.TemporaryDirectory() as scratch:
        for folder, beginning in wanted:
            paths = [each.path for each in client.list_artifacts(run_id, folder)]
            fits = (path for path in paths if path.startswith(f"{folder}/{beginning}") and path.endswith(".png"))
            if first := min(fits, default=None):
                place = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/{first}", dst_path=scratch)
                found.append(Path(place).read_bytes())
    return found


def read_json(store: Store, run: StoredRun | str, path: str) -> dict[str, Any] | None:
    """Read a JSON artifact of a run.

    Args:
        store: Where.
        run: It, or its id.
        path: Of the artifact.

    Returns:
        Its content; None when the run has no such artifact.
    """
    content = json.loads(read_text(store, run, path) or "null")
    return content if isinstance(content, dict) else None


def read_rows(store: Store, run: StoredRun | str, path: str) -> list[dict[str, str]]:
    """Read a CSV artifact of a run, row by row.

    Args:
        store: Where.
        run: It, or its id.
        path: Of the artifact.

    Returns:
        Its rows by column; none when the run has no such artifact.
    """
    lines = csv.reader(io.StringIO(read_text(store, run, path) or ""))
    header, *rows = [[*map(from_cell, line)] for line in lines] or [[]]
    return [dict(zip(header, row, strict=False)) for row in rows]


def history(store: Store, run_id: str, metric: str) -> list[tuple[int, float, float]]:
    """Give all values of a metric.

    Args:
        store: Where.
        run_id: Of the run.
        metric: Its name in this code.

    Returns:
        Step, seconds since the epoch, and value, by step; the last one where a step has several.
    """
    client = connect(store)
    points = {point.step: point for name in places(metric) for point in client.get_metric_history(run_id, name)}
    return [(step, point.timestamp / 1000, point.value) for step, point in sorted(points.items())]


def _stored_run(run: Any, experiment: str) -> StoredRun:
    info, tags, metrics = run.info, run.data.tags, known(run.data.metrics)
    name = info.run_name or ""
    return StoredRun(
        info.run_id, name, experiment, info.status, info.start_time, tags, metrics, info.end_time, info.artifact_uri
    )
