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

from srexp.errors import RequestError, SrexpError
from srexp.lazy_imports import mlflow
from srexp.system.masking.redaction import from_cell, mask
from srexp.tracking.metric_names import known, places
from srexp.tracking.store.addresses import find
from srexp.tracking.store.failures import ABSENT, deleted_experiment, deleted_run, reason, required
from srexp.tracking.store.locations import path_of
from srexp.tracking.store.store import Store, connect, download, every, opened, selected, tagged


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

    Raises:
        DamagedError: It is there and can't be read, or is no text.
    """
    folder = _folder(store, run)
    try:
        content = (folder / path).read_bytes() if folder else _brought(store, _id(run), path)
        return None if content is None else content.decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(store, run, path, reason(error)) from error


class DamagedError(SrexpError):
    """An artifact of a run is there, but not as the run wrote it."""


def damaged(store: Store, run: StoredRun | str, path: str, why: str) -> DamagedError:
    """Say what is wrong with an artifact of a run, `path`, and where it lies."""
    folder = _folder(store, run)
    return DamagedError(
        f"{path} of run {_id(run)} can't be read: {why}",
        got=str(folder / path) if folder else mask(store.uri),
        expected="the file as the run wrote it",
        fix="bring a copy of it back, or let this user read it; or leave the run out, and train anew",
    )


def _id(run: StoredRun | str) -> str:
    return run.run_id if isinstance(run, StoredRun) else run


def _folder(store: Store, run: StoredRun | str) -> Path | None:
    """Give the folder of a run's artifacts; None where they lie on another machine, or there is no such run."""
    if isinstance(run, StoredRun):
        return path_of(run.artifacts) if run.artifacts else None
    with opened(store, f"run {run} can't be read") as client:
        try:
            return path_of(str(client.get_run(run).info.artifact_uri))
        except mlflow.exceptions.MlflowException as error:
            if error.error_code not in ABSENT:
                raise
            return None


def _brought(store: Store, run_id: str, path: str) -> bytes | None:
    """Fetch an artifact that lies on another machine; None where it isn't there."""
    with opened(store, f"{path} of run {run_id} can't be fetched") as client, tempfile.TemporaryDirectory() as scratch:
        try:
            return download(store, f"runs:/{run_id}/{path}", Path(scratch)).read_bytes()
        except (mlflow.exceptions.MlflowException, OSError) as error:
            absent = isinstance(error, mlflow.exceptions.MlflowException) and error.error_code in ABSENT
            folder = path.rpartition("/")[0] or None
            if not absent and path in {each.path for each in client.list_artifacts(run_id, folder)}:
                raise
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

    Raises:
        DamagedError: It is there and can't be read, or is no mapping.
    """
    if (text := read_text(store, run, path)) is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(store, run, path, f"it is no JSON, {error}" if text else "it is empty") from error
    if not isinstance(content, dict):
        raise damaged(store, run, path, "it has no names and values")
    return content


def read_rows(store: Store, run: StoredRun | str, path: str) -> list[dict[str, str]]:
    """Read a CSV artifact of a run, row by row.

    Args:
        store: Where.
        run: It, or its id.
        path: Of the artifact.

    Returns:
        Its rows by column; none when the run has no such artifact.

    Raises:
        DamagedError: It is there and can't be read, or is no whole table.
    """
    if (text := read_text(store, run, path)) is None:
        return []
    try:
        header, *rows = [[*map(from_cell, line)] for line in csv.reader(io.StringIO(text), strict=True)] or [[]]
    except csv.Error as error:
        raise damaged(store, run, path, f"it is no table, {error}") from error
    if not text.endswith("\n"):
        raise damaged(store, run, path, "its last line isn't whole" if text else "it is empty")
    if wrong := next((number for number, row in enumerate(rows, start=2) if len(row) != len(header)), None):
        raise damaged(store, run, path, f"row {wrong} has {len(rows[wrong - 2])} cells, and row 1 has {len(header)}")
    return [dict(zip(header, row, strict=True)) for row in rows]


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
