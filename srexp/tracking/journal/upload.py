"""Models on their way from the folder of a run to the store and its registry, without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from srexp.lazy_imports import mlflow
from srexp.system import process_identity
from srexp.system.files.digests import sha256
from srexp.tracking.journal.journal import JOURNAL_TAG, Journal, Operation, PermanentError
from srexp.tracking.names import CHECKPOINTS_TAG, DEBUG_TAG
from srexp.tracking.store.store import Client, Store, download, selected, tagged

#: Tags by which a run is reaped or resumed; of one that finished, `environment.json` has the process.
UNTIL_FINISHED = (*process_identity.TAGS, CHECKPOINTS_TAG)
_DESCRIPTION = "MLmodel"


def model(client: Client, journal: Journal, operation: Operation, *, doubtful: bool) -> None:
    """Log the packed model of a run once, linked to its run and its figures.

    Args:
        client: Of the store.
        journal: Of the run, which the store knows.
        operation: With `path`, `step` and `values`.
        doubtful: Whether some of it may be in the store already.
    """
    import yaml
    from mlflow.models import Model

    run = client.get_run(journal.run_id)
    folder = journal.folder / operation["path"]
    if not folder.is_dir():
        raise PermanentError(f"{folder} is gone")
    mark = _mark(journal, operation)
    found = client.search_logged_models([run.info.experiment_id], tagged(mark)) if doubtful else []
    logged = next(iter(found), None) or client.create_logged_model(
        run.info.experiment_id,
        name="model",
        source_run_id=journal.run_id,
        tags=mark,
        params=run.data.params,
        model_type="super-resolution",
    )
    if logged.model_id not in [each.model_id for each in (run.outputs.model_outputs if run.outputs else [])]:
        client.log_outputs(journal.run_id, [mlflow.entities.LoggedModelOutput(logged.model_id, operation["step"])])
    # Not `Model.load`, which takes a path for an address and reads %20 in it as a blank.
    described = Model.from_dict(yaml.safe_load((folder / _DESCRIPTION).read_text(encoding="utf-8")))
    described.run_id, described.artifact_path = journal.run_id, logged.artifact_location
    described.model_id = described.model_uuid = logged.model_id
    described.save(str(folder / _DESCRIPTION))
    client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    metrics = points(operation, operation["step"], model_id=logged.model_id, run_id=journal.run_id)
    client.log_batch(journal.run_id, metrics=metrics)
    journal.known |= {"model_uri": f"models:/{logged.model_id}", "sha256": digests(folder)}


def end(client: Client, run_id: str, status: str, at: int | None = None) -> None:
    """Give a run its final state; one that finished forgets what only a run that can be reaped or resumed needs.

    Args:
        client: Of the store.
        run_id: Of the run.
        status: FINISHED, FAILED or KILLED.
        at: Milliseconds since the epoch; None for now.
    """
    client.set_terminated(run_id, status, end_time=at)
    if status == "FINISHED":
        known = client.get_run(run_id).data.tags
        for name in filter(known.__contains__, UNTIL_FINISHED):
            client.delete_tag(run_id, name)


def points(operation: Operation, step: int, **of: str) -> list[mlflow.entities.Metric]:
    """Give the metrics of an operation as MLflow takes them.

    Args:
        operation: With `at` and `values`.
        step: That they are of.
        **of: Which model, run and data set they are of, by MLflow's names.

    Returns:
        A point for each value.
    """
    return [
        mlflow.entities.Metric(name, float(value), operation["at"], step, **of)
        for name, value in operation["values"].items()
    ]


def move_forward(client: Client, name: str, alias: str, number: int) -> str | None:
    """Point an alias to a version, unless the one that it points to counts for more.

    A later version does, so that what arrives late doesn't take its place; and a whole training does beside a smoke
    test, whichever came later.

    Args:
        client: Of the registry.
        name: Of the registered model.
        alias: Of one of its versions.
        number: The version.

    Returns:
        The alias; None where a smoke test was kept from it.
    """

    def rank(version: int) -> tuple[bool, int]:
        return DEBUG_TAG not in client.get_model_version(name, str(version)).tags, version

    held, wants = int(client.get_registered_model(name).aliases.get(alias, 0)), rank(number)
    if held and rank(held) >= wants:
        return alias if wants[0] else None
    client.set_registered_model_alias(name, alias, str(number))
    return alias


def version(client: Client, store: Store, journal: Journal, operation: Operation, *, doubtful: bool) -> None:
    """Make a logged model a version of a registered model, and point an alias to it.

    Args:
        client: Of the store.
        store: Addresses of the store.
        journal: Of the run, which the store knows.
        operation: With `name`, `tags`, `alias`, and `model`, an address, or None for the one that this journal logged.
        doubtful: Whether some of it may be in the store already.
    """
    from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

    name, mark = operation["name"], _mark(journal, operation)
    uri = operation["model"]
    if uri is None:
        uri = journal.known["model_uri"]
        _require_unchanged(store, journal, uri)
    model_id = uri.removeprefix("models:/")
    network = next(
        (digest for path, digest in journal.known.get("sha256", {}).items() if path.endswith(".keras")), None
    )
    digest = {"digest": f"sha256:{network}"} if network else {}
    tags = {"run_id": journal.run_id, **operation["tags"], **digest, **mark}
    with selected(store.uri):
        try:
            client.create_registered_model(name)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        known = client.search_model_versions(f"run_id = '{journal.run_id}'") if doubtful else []
        number = next((int(each.version) for each in known if mark.items() <= each.tags.items()), None)
        if number is None:
            made = client.create_model_version(
                name, uri, journal.run_id, tags=tags, await_creation_for=0, model_id=model_id
            )
            number = int(made.version)
        alias = move_forward(client, name, operation["alias"], number)
        versions = json.loads(client.get_logged_model(model_id).tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
        this = {"name": name, "version": str(number)}
        if this not in versions:
            client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: json.dumps([*versions, this])})
    journal.known |= {"registered": {"name": name, "version": number, "alias": alias}}


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of each file of a packed model, but of the description, which names its address."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _DESCRIPTION)
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def _require_unchanged(store: Store, journal: Journal, uri: str) -> None:
    """Bring a logged model back and compare its files with those that were tried before they were sent."""
    sent: dict[str, Any] = journal.known["sha256"]
    with TemporaryDirectory(prefix="srexp-") as scratch:
        came = digests(download(store, uri, Path(scratch)))
    if changed := sorted(name for name, digest in sent.items() if came.get(name) != digest):
        raise PermanentError(f"{uri} came back different from the model that was logged", got=changed)


def _mark(journal: Journal, operation: Operation) -> dict[str, str]:
    return {JOURNAL_TAG: f"{journal.id}-{operation['n']}"}
