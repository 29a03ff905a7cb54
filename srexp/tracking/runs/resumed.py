"""What the store has of a run that was interrupted, so that nothing is missing or there twice when it goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srexp.lazy_imports import mlflow
from srexp.system.process_identity import process_is_gone
from srexp.tracking.journal.upload import move_forward
from srexp.tracking.store.store import Client, Store, opened, selected, tagged

_PICTURE = re.compile(r"(images/(.+)\+step\+(\d+)\+timestamp\+.+)\.png")
#: End of the name of the smaller file of a picture, which MLflow's UI shows first.
SMALLER = "+compressed.webp"
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Already:
    """What a store has of a run.

    Args:
        points: Name and step of each value of a metric, those of the system left out.
        pictures: By key and step, what the files of each picture of the image grid are called, without their endings;
            empty where both are there.
        model_uri: Address of its logged model.
        registered: Version that the model became: its name, number and alias.
    """

    points: frozenset[tuple[str, int]] = frozenset()
    pictures: Mapping[tuple[str, int], str] = field(default_factory=dict)
    model_uri: str | None = None
    registered: Mapping[str, Any] | None = None

    def missing(self, values: Mapping[str, float], step: int) -> dict[str, float]:
        """Give the values of metrics that the store lacks at a step."""
        return {name: value for name, value in values.items() if (name, step) not in self.points}


#: Of a run that begins.
NOTHING = Already()


def already(store: Store, run_id: str) -> Already:
    """Look up what a store has of a run.

    Args:
        store: Where.
        run_id: Of the run.

    Returns:
        What is there.

    Raises:
        SrexpError: The store can't be read.
    """
    with opened(store, f"run {run_id} can't be read") as client, selected(store.uri):
        run = client.get_run(run_id)
        names = [name for name in run.data.metrics if not name.startswith("system/")]
        points = {(name, point.step) for name in names for point in client.get_metric_history(run_id, name)}
        files = {file.path for file in client.list_artifacts(run_id, "images")}
        found = [match for match in map(_PICTURE.fullmatch, files) if match]
        pictures = {
            (name, int(step)): "" if f"{stem}{SMALLER}" in files else stem
            for stem, name, step in (each.groups() for each in found)
        }
        whole = [model for model in _models(client, run) if str(model.status) == "READY"]
        model_uri = f"models:/{whole[0].model_id}" if whole else None
        return Already(frozenset(points), pictures, model_uri, _registered(client, run_id))


def _models(client: Client, run: mlflow.entities.Run) -> list[mlflow.entities.LoggedModel]:
    # A database keeps the status as a number, and finds nothing by its name.
    return list(client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"))


def _registered(client: Client, run_id: str, alias: str = "candidate") -> dict[str, Any] | None:
    """Find the version that a run's model became, with the alias that it should have got."""
    versions = client.search_model_versions(f"run_id = '{run_id}'")
    if not versions:
        return None
    name, number = versions[0].name, max(int(each.version) for each in versions)
    return {"name": name, "version": number, "alias": move_forward(client, name, alias, number)}


def reopen(store: Store, run_id: str) -> None:
    """Take away what says that a run ended, and give up a logged model that was half sent.

    Args:
        store: Where.
        run_id: Of the run.
    """
    with opened(store, f"run {run_id} could not be written") as client:
        run = client.get_run(run_id)
        if "srexp.error" in run.data.tags:
            client.delete_tag(run_id, "srexp.error")
        for model in _models(client, run):
            if str(model.status) == "PENDING":
                client.finalize_logged_model(model.model_id, "FAILED")


def interrupted(store: Store, experiment: str, key: str, value: str) -> dict[str, dict[str, str]]:
    """Find the newest runs with a tag that ended before they were finished.

    Args:
        store: Where.
        experiment: Name of the experiment.
        key: Name of the tag.
        value: Its value.

    Returns:
        Run id to tags, newest first.
    """
    with opened(store, "interrupted runs can't be looked up") as client:
        known = client.get_experiment_by_name(experiment)
        condition = f"attributes.status != 'FINISHED' and {tagged({key: value})}"
        runs = client.search_runs([known.experiment_id], condition, max_results=_LOOKED_AT) if known else []
    over = [run for run in runs if run.info.status != "RUNNING" or process_is_gone(run.data.tags)]
    return {str(run.info.run_id): dict(run.data.tags) for run in over}
