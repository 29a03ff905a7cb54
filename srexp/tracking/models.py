"""Models on their way back: found by an address in the store or as a file, and loaded without running foreign code."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from srexp.errors import RequestError, SrexpError, did_you_mean
from srexp.tracking.run import Run
from srexp.tracking.store import Store, connect, selected, translated

if TYPE_CHECKING:
    import keras
    from mlflow import MlflowClient

ADDRESSES = "models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID, runs:/ID/model, or a .keras file"
MANIFEST = "data/manifest.csv"
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")
_FOREIGN = ("Lambda", "__lambda__")
_MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A model that exists.

    Args:
        uri: As it was asked for.
        registered: Name of the registered model; None where it wasn't asked for by one.
        version: Its version.
        model_id: Logged model, `m-...`; None of a file.
        run_id: Run that logged it; None of a file.
        path: The file; None of a logged model.
    """

    uri: str
    registered: str | None = None
    version: int | None = None
    model_id: str | None = None
    run_id: str | None = None
    path: Path | None = None


def find(store: Store, uri: str, *, others: Collection[str] = ()) -> Found:
    """Find a model without loading it, in a moment.

    Args:
        store: Where runs are kept.
        uri: One of `ADDRESSES`.
        others: Words that the caller understands besides, for did-you-mean.

    Returns:
        Where the model is and where it comes from.

    Raises:
        RequestError: There is no such model; the nearest name is given.
        SrexpError: The store can't be reached.
    """
    kind, separator, rest = uri.partition(":/")
    if separator and kind in ("models", "runs"):
        with translated(store, f"{uri} can't be looked up"):
            client = connect(store)
            with selected(store.uri):
                return _logged(client, uri, rest) if kind == "models" else _of_run(client, uri, rest)
    path = Path(uri).expanduser()
    if path.suffix == ".keras":
        if path.is_file():
            return Found(uri, path=path.resolve())
        beside = [each.name for each in path.parent.glob("*.keras")]
        raise _no_model(uri, f"there is no file {uri}", did_you_mean(path.name, beside))
    words = [*others, "models:/", "runs:/"]
    raise _no_model(uri, "model_uri is no address of a model", did_you_mean(uri, words), others)


def load(store: Store, uri: str | Found, *, others: Collection[str] = ()) -> tuple[keras.Model, dict[str, Any]]:
    """Load a model from the store or from a file, uncompiled.

    Only what Keras itself brings is built: a file that names other classes, or carries code in a Lambda layer, is
    refused before anything of it is imported. No pickle is read.

    Args:
        store: Where runs are kept.
        uri: One of `ADDRESSES`, or what `find` found there.
        others: See `find`.

    Returns:
        The model and what is known of it: the fields of `Found`.

    Raises:
        RequestError: There is no such model, or it isn't one that can be trusted to be only a network.
        SrexpError: Its files are damaged or gone.
    """
    found = find(store, uri, others=others) if isinstance(uri, str) else uri
    with TemporaryDirectory(prefix="srexp-") as scratch:
        path = found.path or _fetched(store, found, Path(scratch))
        require_plain(path, found.uri)
        facts = {**asdict(found), "path": str(found.path) if found.path else None}
        return _opened(path, found.uri), facts


def training_images(store: Store, run_id: str) -> dict[str, str] | None:
    """Say which images a run used for training and validation.

    Args:
        store: Where runs are kept.
        run_id: The run that trained.

    Returns:
        SHA-256 of each such image to `train` or `validation`; None when the run kept no manifest of its data.
    """
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    connect(store)
    with selected(store.uri):
        try:
            text = mlflow.artifacts.load_text(f"runs:/{run_id}/{MANIFEST}")
        except (MlflowException, OSError):
            return None
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not {"sha256", "split"} <= rows[0].keys():
        return None
    used = {row["sha256"]: row["split"] for row in rows if row["split"] == "validation"}
    return used | {row["sha256"]: row["split"] for row in rows if row["split"] == "train"}


def require_plain(path: Path, called: str) -> None:
    """Refuse a Keras file that needs more than Keras's own classes.

    Args:
        path: A `.keras` file.
        called: Name for messages.

    Raises:
        RequestError: It names a class from elsewhere, or a Lambda layer.
        SrexpError: It is no Keras file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise SrexpError(
            f"{called} is no Keras model file: {str(error) or type(error).__name__}",
            expected="what model.save('NAME.keras') writes",
            fix="write it again, or choose another model_uri",
        ) from error
    for module, name in _classes(config):
        foreign = module is not None and not (module == "keras" or module.startswith("keras."))
        if foreign or name in _FOREIGN:
            raise RequestError(
                f"{called} holds more than Keras's own layers",
                got=f"{module}.{name}" if module else name,
                expected="a network of built-in layers, which loads anywhere and runs nobody's code",
                fix="build it from keras.layers, without Lambda, and save it again",
            )


def _classes(node: Any) -> Iterator[tuple[str | None, str]]:
    """Walk a Keras configuration and give every class that it names, with its module."""
    if isinstance(node, Mapping):
        if "class_name" in node:
            module = node.get("module")
            yield None if module is None else str(module), str(node["class_name"])
        for child in node.values():
            yield from _classes(child)
    elif isinstance(node, list):
        for child in node:
            yield from _classes(child)


def _opened(path: Path, called: str) -> keras.Model:
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, ImportError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SrexpError(
            f"{called} can't be loaded: {reason}", expected="a model that Keras of this version or an older one saved"
        ) from error


def _fetched(store: Store, found: Found, folder: Path) -> Path:
    """Bring the files of a logged model here; give the network among them."""
    import mlflow.artifacts

    address = f"models:/{found.model_id}" if found.model_id else found.uri
    with translated(store, f"the files of {found.uri} can't be read"), selected(store.uri):
        brought = mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(folder))
    networks = sorted(Path(brought).rglob("*.keras"))
    if len(networks) != 1:
        raise SrexpError(
            f"{found.uri} is not one Keras network",
            got=[file.name for file in networks] or "no .keras file",
            expected="what srexp logs: one .keras file",
        )
    return networks[0]


def _logged(client: MlflowClient, uri: str, rest: str) -> Found:
    """Find `NAME@ALIAS`, `NAME/VERSION` or `m-ID`."""
    from mlflow.exceptions import MlflowException

    at = "@" if "@" in rest else "/"
    name, _, alias = rest.rpartition(at)
    try:
        if at == "@":
            version = client.get_model_version_by_alias(name, alias)
        elif name:
            version = client.get_model_version(name, alias)
        else:
            logged = client.get_logged_model(rest)
            return Found(uri, model_id=logged.model_id, run_id=logged.source_run_id)
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        fix = _nearest(client, name, at, alias) if name else ""
        raise _no_model(uri, str(error).splitlines()[0], fix) from error
    model_id = version.model_id or str(version.source).removeprefix("models:/")
    return Found(uri, version.name, int(version.version), model_id, version.run_id)


def _nearest(client: MlflowClient, name: str, at: str, chosen: str) -> str:
    """Say which registered model, alias or version was perhaps meant, as it would be typed."""
    models = {model.name: model for model in client.search_registered_models(max_results=_MOST_LISTED)}
    if name not in models:
        near = did_you_mean(name, models)
        return near or (f"there are {', '.join(sorted(models))}" if models else "train a model first")
    if at == "@":
        known = sorted(models[name].aliases)
    else:
        versions = client.search_model_versions(f"name = '{name}'", max_results=_MOST_LISTED)
        known = [str(number) for number in sorted(int(each.version) for each in versions)]
    near = did_you_mean(chosen, known)
    return near or " or ".join(f"models:/{name}{at}{each}" for each in known[-3:])


def _of_run(client: MlflowClient, uri: str, rest: str) -> Found:
    """Find `RUN_ID/NAME`, a model that a run logged."""
    from mlflow.exceptions import MlflowException

    run_id, _, name = rest.strip("/").partition("/")
    try:
        run = client.get_run(run_id)
        ids = [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
        logged = [client.get_logged_model(model_id) for model_id in ids]
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        raise _no_model(uri, f"there is no run {run_id}", "") from error
    for model in logged:
        if model.name == name:
            return Found(uri, model_id=model.model_id, run_id=run_id)
    names = sorted({model.name for model in logged})
    hint = f"runs:/{run_id}/{names[0]}" if names else "choose a run that trained and finished"
    raise _no_model(uri, f"run {run_id} logged no model {name!r}" if name else "the model's name is missing", hint)


def _no_model(uri: str, what: str, fix: str, others: Collection[str] = ()) -> RequestError:
    expected = ", ".join([*others, ADDRESSES])
    return RequestError(what, got=uri, expected=expected, fix=fix or "look it up with `python -m srexp ui`")


def link(run: Run, model_id: str, metrics: Mapping[str, float], *, dataset: str, digest: str) -> None:
    """Show an evaluation on the page of a logged model: the run as its user, the figures with their data set.

    Args:
        run: The open run that evaluated.
        model_id: Logged model, `m-...`.
        metrics: Finite figures.
        dataset: Name of the data set, as it was logged as the run's input.
        digest: Its digest, as it was logged.
    """
    from mlflow.entities import LoggedModelInput, Metric

    now = int(time.time() * 1000)
    with run.writing():
        run.client.log_inputs(run.id, models=[LoggedModelInput(model_id)])
        points = [
            Metric(name, value, now, 0, model_id=model_id, dataset_name=dataset, dataset_digest=digest, run_id=run.id)
            for name, value in metrics.items()
        ]
        run.client.log_batch(run.id, metrics=points)
