"""A model out of the store, with what the store knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from srexp.errors import RequestError
from srexp.tracking.store import Store, connect, selected, translated

if TYPE_CHECKING:
    import keras
    from mlflow import MlflowClient


def load(store: Store, uri: str) -> tuple[keras.Model, Mapping[str, Any]]:
    """Load a registered or logged model.

    Args:
        store: Addresses of the store.
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `models:/m-...`.

    Returns:
        The uncompiled model; and `uri`, `run_id`, `name`, `version`, the `tags` of version and run, and the run's
        `params`.

    Raises:
        RequestError: There is no such model.
    """
    import mlflow.keras
    from mlflow.exceptions import MlflowException

    client = connect(store)
    try:
        with selected(store.uri):
            known = _known(client, uri)
            model = mlflow.keras.load_model(uri, load_model_kwargs={"compile": False})
    except MlflowException as error:
        raise RequestError(
            f"model_uri names no model: {str(error).splitlines()[0]}",
            got=uri,
            expected="models:/NAME@ALIAS, models:/NAME/VERSION or models:/m-...",
        ) from error
    with translated(store, "the model's run can't be read"):
        run = client.get_run(known["run_id"]) if known["run_id"] else None
    if run:
        known = {**known, "params": run.data.params, "tags": {**run.data.tags, **known["tags"]}}
    return model, known


def _known(client: MlflowClient, uri: str) -> dict[str, Any]:
    name = uri.removeprefix("models:/")
    if name.startswith("m-"):
        logged = client.get_logged_model(name)
        return {"uri": uri, "run_id": logged.source_run_id, "name": None, "version": None, "tags": {}, "params": {}}
    if "@" in name:
        found = client.get_model_version_by_alias(*name.rsplit("@", 1))
    else:
        found = client.get_model_version(*name.rsplit("/", 1))
    fixed = f"models:/{found.name}/{found.version}"
    tags = dict(found.tags)
    return {
        "uri": fixed,
        "run_id": found.run_id,
        "name": found.name,
        "version": found.version,
        "tags": tags,
        "params": {},
    }
