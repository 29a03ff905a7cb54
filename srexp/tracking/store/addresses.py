"""Where a model is: in the registry, logged by a run, a file, or one of the package; found in a moment, not loaded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from srexp.errors import RequestError, did_you_mean
from srexp.tracking.store.failures import ABSENT, required
from srexp.tracking.store.locations import path_of
from srexp.tracking.store.store import Client, Store, opened, selected
from srexp.zoo.catalogue import ZOO, Shipped, shipped, unknown_network

ADDRESSES = "models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID, runs:/ID/model, zoo/NAME, or a .keras file"
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
        shipped: What else the package has of the model; None where it isn't of the package.
    """

    uri: str
    registered: str | None = None
    version: int | None = None
    model_id: str | None = None
    run_id: str | None = None
    path: Path | None = None
    shipped: Shipped | None = None

    @property
    def address(self) -> str:
        """What always means this model: `models:/m-...`, `zoo/...`, or an absolute path."""
        if self.shipped:
            return self.shipped.address
        return f"models:/{self.model_id}" if self.model_id else str(self.path)

    @property
    def readable(self) -> str:
        """The same by name and version, `models:/NAME/3`, where it was asked for through the registry."""
        return f"models:/{self.registered}/{self.version}" if self.registered else self.address

    @property
    def label(self) -> str:
        """What a reader calls it: `samples-bicubic-x2 version 3`, else its address."""
        if self.registered:
            return f"{self.registered} version {self.version}"
        return self.shipped.address if self.shipped else Path(self.address).name


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
        with opened(store, f"{uri} can't be looked up") as client, selected(store.uri):
            return _logged(client, uri, rest) if kind == "models" else _of_run(client, uri, rest)
    if uri.partition("/")[0] == ZOO and not uri.endswith(".keras"):
        return _shipped(uri)
    path = Path(uri).expanduser()
    if network := next((each for each in (path, path / "data" / "model.keras") if each.is_file()), None):
        return Found(uri, path=network.resolve())
    if path.suffix == ".keras":
        beside = [each.name for each in path.parent.glob("*.keras")]
        raise _no_model(uri, f"there is no file {uri}", did_you_mean(path.name, beside))
    words = [*others, "models:/", "runs:/", *(each.address for each in shipped().values())]
    raise _no_model(uri, "model_uri is no address of a model", did_you_mean(uri, words), others)


def require_files(store: Store, found: Found) -> Path | None:
    """See that the files of a model are there, before anything is begun that needs them.

    Args:
        store: Where runs are kept.
        found: The model.

    Returns:
        Their folder; None of a file, and where they lie on another machine.

    Raises:
        RequestError: They are neither beside the store nor where they were recorded.
        SrexpError: The store can't be reached.
    """
    if found.model_id is None:
        return None
    with opened(store, f"{found.uri} can't be looked up") as client:
        folder = path_of(client.get_logged_model(found.model_id).artifact_location)
    if folder and not folder.is_dir():
        raise RequestError(
            f"the files of {found.uri} are not where the store has them",
            got=str(folder),
            expected="the folder of artifacts beside the store, or where it was when the model was logged",
            fix="bring the folder back; or say where it is, for good with "
            "`python -m srexp runs relocate=true tracking.artifacts=PATH`",
        )
    return folder


def _logged(client: Client, uri: str, rest: str) -> Found:
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
        if error.error_code not in ABSENT:
            raise
        fix = _nearest(client, name, at, alias) if name else ""
        raise _no_model(uri, f"there is no such model in the store: {str(error).splitlines()[0]}", fix) from error
    model_id = version.model_id or str(version.source).removeprefix("models:/")
    return Found(uri, version.name, int(version.version), model_id, version.run_id)


def _nearest(client: Client, name: str, at: str, chosen: str) -> str:
    """Say which registered model, alias or version was perhaps meant, as it would be typed."""
    models = {model.name: model for model in client.search_registered_models(max_results=_MOST_LISTED)}
    if name not in models:
        near = did_you_mean(name, models)
        return near or (f"there are {', '.join(sorted(models))}" if models else "train a model first")
    if at == "@" and chosen not in models[name].aliases:
        known = sorted(models[name].aliases)
    else:  # an alias that is there means a version that is gone
        at, chosen = "/", chosen if at == "/" else ""
        versions = client.search_model_versions(f"name = '{name}'", max_results=_MOST_LISTED)
        known = [str(number) for number in sorted(int(each.version) for each in versions)]
    near = did_you_mean(chosen, known)
    return near or " or ".join(f"models:/{name}{at}{each}" for each in known[-3:])


def _shipped(uri: str) -> Found:
    """Find a network that comes with the package."""
    known = shipped()
    name = uri.partition("/")[2]
    if name in known:
        return Found(uri, path=known[name].network, shipped=known[name])
    raise unknown_network(uri)


def _of_run(client: Client, uri: str, rest: str) -> Found:
    """Find `RUN_ID/NAME`, a model that a run logged, or `RUN_ID` alone, the last one."""
    run_id, _, name = rest.strip("/").partition("/")
    with required(_no_model(uri, f"there is no run {run_id}", "")):
        run = client.get_run(run_id)
    ids = [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
    gone = "train it anew, since MLflow brings no deleted model back"
    with required(_no_model(uri, f"a model that run {run_id} logged was deleted", gone)):
        logged = [client.get_logged_model(model_id) for model_id in ids]
    for model in reversed(logged):
        if name in ("", model.name):
            return Found(uri, model_id=model.model_id, run_id=run_id)
    names = sorted({model.name for model in logged})
    hint = f"runs:/{run_id}/{names[0]}" if names else "choose a run that trained and finished"
    raise _no_model(uri, f"run {run_id} logged no model {name}".rstrip(), hint)


def _no_model(uri: str, what: str, fix: str, others: Collection[str] = ()) -> RequestError:
    expected = ", ".join([*others, ADDRESSES])
    return RequestError(what, got=uri, expected=expected, fix=fix or "look it up with `python -m srexp ui`")
