"""A model by its address: a version of the registry, a logged model, the model of a run, or a file."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from srexp.errors import RequestError, SrexpError, did_you_mean
from srexp.tracking.store import Store, connect, selected, translated

if TYPE_CHECKING:
    import keras
    from mlflow import MlflowClient

ADDRESSES = "models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID, runs:/RUN_ID, or the path of a .keras file"

_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")
_MODEL_ID = "m-"
# Keras layers that run what a file brings along, or open files that it names.
_RUNNING = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_READING = {"StringLookup", "IntegerLookup", "TextVectorization"}
_LARGEST_CONFIG = 2**26


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network with what the store knows of it.

    Args:
        model: Uncompiled Keras model.
        uri: Address that was asked for.
        address: Address that always means this model: `models:/m-...`, or an absolute path.
        sha256: Digest of the file, which identifies weights and architecture.
        name: Registered model; None when it was not reached through the registry.
        version: Version of the registered model.
        facts: Parameters of the training, and tags of the version: `dataset.intensity`, `protocol.channel`, ...
    """

    model: keras.Model
    uri: str
    address: str
    sha256: str
    name: str | None = None
    version: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What a reader calls it: `samples-bicubic-x2 version 3`, else its address."""
        return f"{self.name} version {self.version}" if self.name else Path(self.address).name


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a model lies in the store."""

    model_id: str
    name: str | None = None
    version: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def load(store: Store, uri: str) -> Loaded:
    """Load a model without letting it run code of its own.

    Pickles, SavedModels and networks with Python code in them (Lambda layers, layers of packages) are refused, whoever
    registered them. The store is opened only for an address in it.

    Args:
        store: Where runs and registered models are kept.
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-ID`, `runs:/RUN_ID`, a `.keras` file, or the
            folder of a model that MLflow saved.

    Returns:
        The model and what is known of it.

    Raises:
        RequestError: There is no such model, or it isn't one that is safe to load; says which there are.
        SrexpError: The store can't be reached, or the file is damaged.
    """
    if not uri.startswith(("models:/", "runs:/")):
        path = _keras_file(Path(uri).expanduser(), uri) if Path(uri).expanduser().exists() else None
        if path is None:
            raise _unknown(connect(store), uri)
        return Loaded(_read(path, uri), uri, str(path.resolve()), _sha256(path))
    client = connect(store)
    with _explained(client, store, uri):
        found = _in_registry(client, uri) if uri.startswith("models:/") else _of_run(client, uri)
        logged = client.get_logged_model(found.model_id)
    address = f"models:/{found.model_id}"
    facts = {**logged.params, **found.tags}
    with _downloaded(store, address) as folder:
        path = _keras_file(folder, uri)
        return Loaded(_read(path, uri), uri, address, _sha256(path), found.name, found.version, facts)


def _in_registry(client: MlflowClient, uri: str) -> _Found:
    name, at, alias = uri.removeprefix("models:/").partition("@")
    name, slash, number = name.strip("/").partition("/")
    if name.startswith(_MODEL_ID) and not at and not slash:
        return _Found(name)
    if not name or not (alias or number):
        raise _unknown(client, uri)
    kept = client.get_model_version_by_alias(name, alias) if at else client.get_model_version(name, number)
    model_id = kept.model_id or (kept.source or "").rpartition("/")[2]
    return _Found(model_id, name, int(kept.version), kept.tags)


def _of_run(client: MlflowClient, uri: str) -> _Found:
    """Find the model that a run logged last, by its name where the address has one."""
    run_id, _, name = uri.removeprefix("runs:/").strip("/").partition("/")
    outputs = client.get_run(run_id).outputs
    ids = [output.model_id for output in (outputs.model_outputs if outputs else [])]
    named = [model_id for model_id in ids if not name or client.get_logged_model(model_id).name == name]
    if not named:
        raise RequestError(f"run {run_id} has no model{f' {name}' * bool(name)}", got=uri, expected=ADDRESSES)
    return _Found(named[-1])


@contextmanager
def _explained(client: MlflowClient, store: Store, uri: str) -> Iterator[None]:
    """Tell a model that isn't there from a store that doesn't answer."""
    from mlflow.exceptions import MlflowException

    with translated(store, f"{uri} can't be looked up"):
        try:
            yield
        except MlflowException as error:
            if error.error_code not in _ABSENT:
                raise
            raise _unknown(client, uri) from error


def _unknown(client: MlflowClient, uri: str) -> RequestError:
    """Name what there is instead of a model that is not there."""
    models = {str(model.name): model for model in client.search_registered_models()}
    name = uri.removeprefix("models:/").partition("@")[0].partition("/")[0]
    if name in models:
        versions = [int(each.version) for each in client.search_model_versions(f"name='{name}'")]
        there = [f"models:/{name}@{alias}" for alias in models[name].aliases]
        there += [f"models:/{name}/{version}" for version in sorted(versions)]
        fix = f"model_uri={there[0]}" if there else ""
    else:
        there = [ADDRESSES, f"registered: {', '.join(sorted(models)) or 'no model yet'}"]
        fix = did_you_mean(name, [*models, "bicubic"]) or "python -m srexp trains and registers one"
    return RequestError("there is no such model", got=uri, expected="; ".join(there), fix=fix)


@contextmanager
def _downloaded(store: Store, address: str) -> Iterator[Path]:
    import mlflow.artifacts

    with TemporaryDirectory(prefix="srexp-") as scratch:
        with translated(store, f"{address} can't be fetched"), selected(store.uri):
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=scratch))
        yield folder


def _keras_file(path: Path, uri: str) -> Path:
    """Find the one kind of file that is loaded."""
    for candidate in (path, path / "model.keras", path / "data" / "model.keras"):
        if candidate.is_file() and zipfile.is_zipfile(candidate):
            return candidate
    raise RequestError(
        "this is no model that srexp loads",
        got=uri,
        expected="a .keras file, or a folder that mlflow.keras.save_model wrote (pickles, HDF5 files and SavedModels "
        "may run code)",
    )


def _read(path: Path, uri: str) -> keras.Model:
    _require_harmless(path, uri)
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a damaged file makes it meet
        raise SrexpError(
            f"the model can't be loaded: {type(error).__name__}",
            got=uri,
            expected=f"a network of layers that Keras {keras.__version__} knows",
            fix="load it with the version of Keras that saved it",
        ) from error
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (1, 3):  # noqa: PLR2004 - (n, h, w, c)
        raise RequestError(
            "the model takes no images", got=f"input {shape}", expected="one input (n, h, w, c) with 1 or 3 channels"
        )
    return model


def _require_harmless(path: Path, uri: str) -> None:
    """Refuse an architecture that names anything beside Keras's own layers, before Keras sees it."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
            config = json.loads(file.read(_LARGEST_CONFIG))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise RequestError("the model's file is damaged", got=uri, expected="a .keras file") from error
    for part in _objects(config):
        module, kind = str(part.get("module") or "keras"), str(part["class_name"])
        own = module.partition(".")[0] not in ("keras", "builtins")
        if own or kind in _RUNNING | _READING:
            what = "code of its own" if own or kind in _RUNNING else "a layer that reads files"
            raise RequestError(
                f"the model brings {what}, which is never run",
                got=f"{uri}: {module}.{kind}",
                expected="a network of built-in Keras layers without Lambda",
                fix="build it from Keras's layers and train it again",
            )


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Give everything in a configuration that Keras would make an object of."""
    if isinstance(node, dict):
        if "class_name" in node:
            yield node
        children: Any = node.values()
    else:
        children = node if isinstance(node, list) else ()
    for child in children:
        yield from _objects(child)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
