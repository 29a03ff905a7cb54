"""Where runs are kept: which MLflow store, its absolute addresses, and a first use that many processes survive."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from srexp.errors import RequestError, SrexpError, did_you_mean
from srexp.lazy_imports import mlflow, sqlalchemy
from srexp.system import database_locks
from srexp.system.files.file_locks import in_turn
from srexp.system.masking.credentials import revealed
from srexp.system.masking.redaction import mask
from srexp.tracking.store.failures import UNOPENED, deleted_experiment, unopened
from srexp.tracking.store.locations import artifact_root, database, path_of, require_holdable, resolve_in, strayed
from srexp.tracking.store.schema import bring_up_to_date, copy

DATABASES = ("sqlite", *database_locks.DRIVERS)
SERVERS = ("http", "https", "databricks")

_LOCK_SECONDS = 300.0
#: Longest time to wait for a connection, and then for an answer.
_REACH_SECONDS = 5.0, 60.0
_PAGE = 1000
_SELECTING = threading.RLock()


#: MLflow's client of a store, named without importing MLflow.
Client: TypeAlias = "mlflow.MlflowClient"


@dataclass(frozen=True, slots=True)
class Store:
    """Absolute addresses of an MLflow store.

    Args:
        uri: Tracking URI; of a local database it holds an absolute path.
        artifacts: Where artifacts of a database store go, an absolute URI; None where a server decides.
        lock: File that processes on this machine take in turn while they open a database; None for a server.
    """

    uri: str
    artifacts: str | None
    lock: Path | None


def resolve(
    uri: str | None, folder: Path, *, artifacts: str | None = None, environ: Mapping[str, str] = os.environ
) -> Store:
    """Find the store: the configured URI, else `MLFLOW_TRACKING_URI`, else a database in the folder of runs.

    Relative SQLite paths count from the folder of runs, never from the current directory, so that the same command
    finds the same store wherever it is typed.

    Args:
        uri: `tracking.uri`, or None.
        folder: Folder that runs write to, `mlruns/`.
        artifacts: Root of a database store's artifacts, a URI or path; None for `artifacts/` in the folder.
        environ: Where `MLFLOW_TRACKING_URI` is looked up.

    Returns:
        The store, with absolute addresses; nothing is created.

    Raises:
        RequestError: MLflow keeps runs in no such URI or path, or the driver of its database is not installed.

    Example:
        >>> resolve(None, Path("/data/mlruns"), environ={}).uri
        'sqlite:////data/mlruns/mlflow.db'
    """
    folder = folder.expanduser().absolute()
    named = environ.get("MLFLOW_TRACKING_URI")
    name = "tracking.uri" if uri else "MLFLOW_TRACKING_URI" if named else "paths.root"
    given = uri or named
    text = revealed(given, name) if given else database(folder / "mlflow.db")
    kind = _kind(text, name)
    if kind in SERVERS:
        return Store(text, None, None)
    lock = folder / "mlflow.lock"
    if kind == "sqlite":
        text, file = _absolute_sqlite(text, folder, name)
        lock = file.with_name(f"{file.name}.lock")
    else:
        text = database_locks.with_driver(text, name)
    return Store(text, artifact_root(artifacts, folder), lock)


def _kind(uri: str, name: str) -> str:
    """The store's scheme, without an SQL driver: `postgresql` of `postgresql+psycopg2://...`."""
    scheme = "databricks" if uri == "databricks" else urlsplit(uri).scheme
    kind = scheme.partition("+")[0]
    if kind in database_locks.DRIVERS or scheme in ("sqlite", "sqlite+pysqlite", *SERVERS):
        return kind
    raise RequestError(
        f"{name} is not an address of an MLflow store",
        got=mask(uri),
        expected=f"a URI that begins with one of {', '.join((*DATABASES, *SERVERS))}",
        fix=did_you_mean(kind, (*DATABASES, *SERVERS)) or f"{name}=sqlite:////absolute/path/mlflow.db, or leave it out",
    )


def _absolute_sqlite(uri: str, folder: Path, name: str) -> tuple[str, Path]:
    path = path_of(uri)
    if path is None or str(path) == ":memory:":
        raise RequestError(
            f"{name} is a database in memory, which ends with the process",
            got=uri,
            expected="a file",
            fix=f"{name}=sqlite:////absolute/path/mlflow.db",
        )
    file = folder / path.expanduser()
    require_holdable(file, name)
    return database(file, uri.partition("?")[2]), file


def connect(store: Store) -> Client:
    """Open a store, creating it on its first use.

    MLflow creates the tables of an empty database without a lock, and several processes that do so at once damage it
    for good; so processes take turns here: those of one machine, and those of all that share a PostgreSQL or MySQL.

    Args:
        store: Addresses from `resolve`.

    Returns:
        A client bound to the store, whatever MLflow's process-wide settings are.

    Raises:
        RequestError: It is the database of another version of MLflow, and can't be upgraded here.
        SrexpError: The store can't be reached, opened or created.
    """
    client = mlflow.MlflowClient  # imports MLflow before others wait for the lock
    with translated(store, UNOPENED):
        if store.lock is None:
            _reach(store.uri)
            return client(store.uri)
        busy = SrexpError(
            "another process has been opening the tracking store for five minutes",
            got=mask(store.uri),
            fix=f"see which process holds {store.lock}",
        )
        with in_turn(store.lock, _LOCK_SECONDS, busy), _everywhere(store.uri):
            bring_up_to_date(store.uri)
            resolve_in(store.uri, store.artifacts)
            return client(store.uri)


def _everywhere(uri: str) -> AbstractContextManager[None]:
    """Keep other machines from opening the same database meanwhile."""
    url = sqlalchemy.make_url(uri)
    shared = url.get_backend_name() in database_locks.EXTRAS
    return database_locks.locked(url, "tracking store", int(_LOCK_SECONDS)) if shared else nullcontext()


@contextmanager
def translated(store: Store, what: str) -> Iterator[None]:
    """Say in srexp's terms what a store refuses.

    Args:
        store: The store that is spoken to.
        what: What can't be done then.

    Yields:
        Nothing.

    Raises:
        SrexpError: The store refused, or can't be reached.
    """
    try:
        yield
    except (mlflow.exceptions.MlflowException, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise unopened(store.uri, what, error) from error


def relocate(store: Store) -> tuple[int, Path | None]:
    """Write into a database where its artifacts are now, so that MLflow itself finds them, too.

    Args:
        store: Addresses from `resolve`.

    Returns:
        How many addresses led elsewhere, and a copy of the SQLite database as it was.

    Raises:
        SrexpError: It can't be reached, or written.
    """
    with opened(store, "the addresses of artifacts could not be rewritten"):
        if not strayed(store.uri, store.artifacts):
            return 0, None
        file = path_of(store.uri)
        backup = file and file.with_name(f"{file.name}.before-{time.strftime('%Y%m%dT%H%M%S')}")
        if file and backup:
            copy(file, backup)
        return strayed(store.uri, store.artifacts, mend=True), backup


@contextmanager
def opened(store: Store, what: str) -> Iterator[Client]:
    """Open a store for a few requests, and say in srexp's terms what it refuses.

    Args:
        store: Addresses from `resolve`.
        what: What can't be done then.

    Yields:
        A client of the store.

    Raises:
        SrexpError: The store refused, or can't be reached.
    """
    with translated(store, what):
        yield connect(store)


def tagged(tags: Mapping[str, str]) -> str:
    """Write a condition for a search: what is found has all of these tags.

    Example:
        >>> tagged({"verb": "search", "task": "knees"})
        "tags.`verb` = 'search' and tags.`task` = 'knees'"
    """
    return " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())


def every(search: Callable[..., Any], *conditions: Any, most: int | None = None, **options: Any) -> list[Any]:
    """Give everything that a search finds, page by page.

    Args:
        search: A method of a client that takes `max_results` and `page_token`.
        *conditions: Its other arguments.
        most: How many to give at most; None for all.
        **options: Its other arguments by name.

    Returns:
        What was found, in the order of the search.
    """
    from mlflow.utils import get_results_from_paginated_fn

    def page(size: int, token: str | None) -> Any:
        return search(*conditions, max_results=size, page_token=token, **options)

    found: list[Any] = get_results_from_paginated_fn(page, _PAGE, most)
    return found


def download(store: Store, uri: str, folder: Path) -> Path:
    """Copy artifacts to this machine.

    Args:
        store: Where they are kept.
        uri: `runs:/ID/PATH` or `models:/...`.
        folder: Where the copy goes.

    Returns:
        The copy, a file or a folder.
    """
    import mlflow.artifacts

    with selected(store.uri):
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))


def _reach(uri: str) -> None:
    """Fail within seconds on a wrong address, where MLflow tries for minutes; by the road of its requests."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    if uri.startswith("http"):
        settings: dict[str, Any] = {"max_retries": 0, "timeout": _REACH_SECONDS, "raise_on_status": False}
        http_request(get_default_host_creds(uri), "/health", "GET", **settings)


def experiment_id(client: Client, store: Store, name: str) -> str:
    """Find an experiment by name, or create it with an absolute place for its artifacts.

    Args:
        client: Client from `connect`.
        store: The same store's addresses.
        name: Experiment name, the task: `samples-bicubic-x2`.

    Returns:
        The experiment's id.

    Raises:
        RequestError: The experiment was deleted, and its name can't be used until it is restored or purged.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name, artifact_location=store.artifacts)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage == "deleted":
        raise deleted_experiment(client, name) or SrexpError(f"the MLflow experiment {name} comes and goes")
    return found.experiment_id


@contextmanager
def selected(uri: str) -> Iterator[None]:
    """Point MLflow's process-wide store at a URI, and put everything back afterwards.

    `models:/...` URIs are looked up there, whatever client asks; MLflow also writes it into the environment, where
    it would decide the store of the process's next run. One thread at a time, for the one that sends a
    journal does it, too.

    Args:
        uri: Tracking URI from `resolve`.

    Yields:
        Nothing.
    """
    with _SELECTING:
        environment = os.environ.get("MLFLOW_TRACKING_URI")
        before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
        before = None if before == environment else before  # it only came from there, and goes back there
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None means unset, as MLflow itself does it
            if environment is None:
                os.environ.pop("MLFLOW_TRACKING_URI", None)
            else:
                os.environ["MLFLOW_TRACKING_URI"] = environment
