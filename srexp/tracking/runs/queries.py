"""What the store knows of runs that are over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srexp.errors import RequestError
from srexp.tracking.store.store import Store, connect, selected, translated

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Past:
    """A run that was tracked.

    Args:
        run_id: MLflow run id.
        name: Its name.
        experiment: Name of its experiment.
        status: FINISHED, FAILED, KILLED or RUNNING.
        started: Milliseconds since the epoch.
        tags: Its tags.
        metrics: Last value of each metric.
        ended: Milliseconds since the epoch; None while it runs.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    started: int
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    ended: int | None = None


def get_run(store: Store, run_id: str) -> Past:
    """Find a run.

    Args:
        store: Where.
        run_id: Its id.

    Returns:
        The run.

    Raises:
        RequestError: There is none.
    """
    from mlflow.exceptions import MlflowException

    client = connect(store)
    try:
        found = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise RequestError(
            "there is no such run in the store",
            got=run_id,
            expected="the id of a run, as a training prints it last",
            fix="look it up with `python -m srexp ui`, or point paths.root or tracking.uri to its store",
        ) from error
    return _past(found, client.get_experiment(found.info.experiment_id).name)


def runs_of(store: Store, experiment: str) -> list[Past]:
    """List the finished runs of an experiment, oldest first.

    Args:
        store: Where.
        experiment: Its name.

    Returns:
        Runs.

    Raises:
        RequestError: There is no such experiment.
    """
    client = connect(store)
    with translated(store, "the runs can't be listed"):
        known = client.get_experiment_by_name(experiment)
        if known is None:
            raise _no_experiment(client, experiment, "experiment_name=NAME, or runs=[ID,ID]")
        found: list[MlflowRun] = []
        page: str | None = None
        while page is None or page:
            some = client.search_runs(
                [known.experiment_id],
                "attributes.status = 'FINISHED'",
                max_results=_MOST,
                order_by=["attributes.start_time ASC"],
                page_token=page,
            )
            found, page = [*found, *some], some.token or ""
    return [_past(run, experiment) for run in found]


def latest(store: Store, *, experiment: str | None = None, limit: int, status: str | None = None) -> list[Past]:
    """List runs in any state, newest first.

    Args:
        store: Where.
        experiment: Name of the experiment; None for all.
        limit: How many at most.
        status: FINISHED, FAILED, KILLED or RUNNING; None for all.

    Returns:
        Runs.

    Raises:
        RequestError: There is no such experiment.
    """
    client = connect(store)
    with translated(store, "the runs can't be listed"):
        names = {each.experiment_id: each.name for each in client.search_experiments(max_results=_MOST)}
        if experiment is not None:
            names = {number: name for number, name in names.items() if name == experiment}
            if not names:
                raise _no_experiment(client, experiment, "experiment_name=NAME, or leave it out")
        condition = f"attributes.status = '{status}'" if status else ""
        found: list[MlflowRun] = []
        page: str | None = None
        while len(found) < limit and (page is None or page):
            some = client.search_runs(
                list(names),
                condition,
                max_results=min(_MOST, limit - len(found)),
                order_by=["attributes.start_time DESC"],
                page_token=page,
            )
            found, page = [*found, *some], some.token or ""
    return [_past(run, names[run.info.experiment_id]) for run in found]


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
    from mlflow.exceptions import MlflowException

    client = connect(store)
    kind, _, path = model_uri.partition(":/")
    path = path.strip("/")
    run_id: str | None = None
    try:
        with selected(store.uri):
            if kind == "runs":
                run_id = path.split("/")[0]
            elif kind == "models" and "@" in path:
                run_id = client.get_model_version_by_alias(*path.rsplit("@", 1)).run_id
            elif kind == "models" and "/" in path:
                run_id = client.get_model_version(*path.rsplit("/", 1)).run_id
            elif kind == "models" and path:
                run_id = client.get_logged_model(path).source_run_id
    except MlflowException as error:
        raise RequestError(
            f"there is no such model in the store: {str(error).splitlines()[0]}", got=model_uri
        ) from error
    if not run_id:
        raise RequestError(
            "no run is known for this address",
            got=model_uri,
            expected="models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or runs:/ID/model",
        )
    return run_id


def read_text(store: Store, run_id: str, path: str) -> str | None:
    """Read a text artifact of a run.

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
            return str(mlflow.artifacts.load_text(f"runs:/{run_id}/{path}"))
        except (MlflowException, OSError):
            return None


def read_json(store: Store, run_id: str, path: str) -> dict[str, Any] | None:
    """Read a JSON artifact of a run.

    Args:
        store: Where.
        run_id: Of the run.
        path: Of the artifact.

    Returns:
        Its content; None when the run has no such artifact.
    """
    text = read_text(store, run_id, path)
    content = json.loads(text) if text is not None else None
    return content if isinstance(content, dict) else None


def history(store: Store, run_id: str, metric: str) -> list[tuple[int, float, float]]:
    """Give all values of a metric.

    Args:
        store: Where.
        run_id: Of the run.
        metric: Its name.

    Returns:
        Step, seconds since the epoch, and value, by step; the last one where a step has several.
    """
    points = {point.step: point for point in connect(store).get_metric_history(run_id, metric)}
    return [(step, point.timestamp / 1000, point.value) for step, point in sorted(points.items())]


def _no_experiment(client: MlflowClient, experiment: str, fix: str) -> RequestError:
    names = [each.name for each in client.search_experiments() if each.name != "Default"]
    return RequestError(
        "there is no such experiment in the store",
        got=experiment,
        expected=f"one of {', '.join(sorted(names))}" if names else "a task that something was trained for",
        fix=fix,
    )


def _past(run: Any, experiment: str) -> Past:
    info = run.info
    return Past(
        info.run_id,
        info.run_name or "",
        experiment,
        info.status,
        info.start_time,
        run.data.tags,
        run.data.metrics,
        info.end_time,
    )
