"""Addresses of what a store keeps in files: made from paths, read back, and found where the store lies now.

MLflow writes absolute addresses of artifacts into its database. When the folder of runs was moved or copied, they lead
to where it was; so each is resolved as its row is read, and nothing has to be rewritten, which would hurt a process
that sees the same folder under another path. `strayed` rewrites them for MLflow itself, when it is asked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from srexp.errors import RequestError
from srexp.system.masking.credentials import has_secret
from srexp.system.masking.redaction import mask

if TYPE_CHECKING:
    from sqlalchemy import URL, Column, Connection, Table

_EXPERIMENT, _RUN, _MODEL = 0, 2, 3
#: Of a path that an address has as it is, which `check` needn't load SQLAlchemy for.
_ORDINARY = re.compile(r"[A-Za-z0-9/._-]+")
#: Folder of artifacts of each database that was opened by this process.
_roots: dict[URL, Path] = {}


def database(file: Path, query: str = "") -> str:
    """Write the address of an SQLite database, whatever characters its path has.

    Args:
        file: Absolute path.
        query: Options of the driver, as they stand behind the question mark.

    Returns:
        The address; where the path has to be quoted it names the driver, since MLflow makes a folder of that name
        otherwise.

    Example:
        >>> database(Path("/data/a b#1.db")), database(Path("/data/50%20?.db"))
        ('sqlite:////data/a b#1.db', 'sqlite+pysqlite:////data/50%2520%3F.db')
    """
    options = f"?{query}" if query else ""
    plain = f"sqlite:///{file}"
    if _ORDINARY.fullmatch(str(file)):
        return f"{plain}{options}"
    from sqlalchemy import URL, make_url

    if make_url(plain).database == str(file):
        return f"{plain}{options}"
    return URL.create("sqlite+pysqlite", database=str(file)).render_as_string() + options


def require_holdable(path: Path, key: str) -> None:
    """Refuse a path that MLflow can't hold: it unquotes once too often, and databases take no half characters.

    Args:
        path: Of a database, or of artifacts.
        key: Configuration key that it comes from.

    Raises:
        RequestError: MLflow would look elsewhere, perhaps only after hours.
    """
    if wrong := re.search(r"%[0-9A-Fa-f]{2}|[\ud800-\udfff]", str(path)):
        raise RequestError(
            f"{key} leads to a path with {wrong[0]!r} in it, which MLflow can't hold",
            got=str(path),
            expected="a path without % before two hexadecimal digits, all of it UTF-8",
            fix="rename the folder, or paths.root=PATH",
        )


def path_of(address: str) -> Path | None:
    """Read the path from the address of a file: of an SQLite database, a `file:` URI, or the path itself.

    Returns:
        The path; None of what lies elsewhere.

    Example:
        >>> path_of("sqlite:////data/mlflow.db"), path_of("file:///a%20b"), path_of("s3://bucket/a")
        (PosixPath('/data/mlflow.db'), PosixPath('/a b'), None)
    """
    scheme = urlsplit(address).scheme.partition("+")[0]
    plain = address.removeprefix("sqlite:///")
    if plain != address and _ORDINARY.fullmatch(plain):
        return Path(plain)
    if scheme == "sqlite":
        from sqlalchemy import make_url

        name = make_url(address).database
        return Path(name) if name else None
    if scheme == "file":
        return Path(url2pathname(urlsplit(address).path))
    return None if scheme else Path(address)


def resolve_in(uri: str, artifacts: str | None) -> None:
    """Let what MLflow reads from a database in this process lead to where its artifacts are now.

    Args:
        uri: Tracking URI of the database.
        artifacts: Root of its artifacts; where it isn't a folder, every address means what it says.
    """
    from mlflow.tracking._tracking_service import utils
    from sqlalchemy import make_url

    utils._artifact_repos_cache.clear()  # it knows places of artifacts by their run, whatever store that is in
    root = path_of(artifacts) if artifacts else None
    if root:
        _listen()
        _roots[make_url(uri)] = root
    else:
        _roots.pop(make_url(uri), None)


def found(address: str, root: Path, depth: int) -> str:
    """Find artifacts by the address that was recorded of them.

    Args:
        address: As recorded.
        root: Folder of the store's artifacts now.
        depth: How many names at its end are its own; 0 of an experiment, whose new runs go to the root.

    Returns:
        The address below the root, unless the artifacts are only where it was recorded.
    """
    recorded = path_of(address)
    if recorded is None or recorded.is_relative_to(root):
        return address
    now = root.joinpath(*recorded.parts[-depth:]) if depth else root
    return now.as_uri() if not depth or now.exists() or not recorded.exists() else address


def strayed(uri: str, artifacts: str | None, *, mend: bool = False) -> int:
    """Count the addresses in a database that lead to where artifacts were; MLflow itself follows them.

    Args:
        uri: Tracking URI of the database.
        artifacts: Root of its artifacts.
        mend: Whether to write where the artifacts are now, all at once.

    Returns:
        How many there are, or were.
    """
    from sqlalchemy import NullPool, create_engine

    root = path_of(artifacts) if artifacts else None
    if root is None:
        return 0
    with create_engine(uri, poolclass=NullPool).begin() as connection:
        changed = list(_strayed(connection, root))
        for column, old, new in changed if mend else ():
            table: Table = column.table
            connection.execute(table.update().where(column == old).values({column: new}))
    return len(changed)


def _strayed(connection: Connection, root: Path) -> Iterator[tuple[Column[Any], str, str]]:
    """Give column, address as recorded, and address now.

    Left out is MLflow's experiment 0: it lies below whatever folder MLflow was first started in, and nothing of srexp
    is in it.
    """
    from sqlalchemy import select

    for kind, (name, depth) in _kinds().items():
        table: Table = kind.__table__
        column = table.c[name]
        query = select(column).distinct()
        if kind.__tablename__ == "experiments":
            query = query.where(table.c.experiment_id != 0)
        for old in connection.scalars(query).all():
            if old and (new := found(old, root, depth)) != old:
                yield column, old, new


@cache
def _kinds() -> dict[Any, tuple[str, int]]:
    """Give MLflow's tables with addresses of artifacts: the column, and how many names at its end are its own."""
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
    from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLoggedModel, SqlRun

    return {
        SqlExperiment: ("artifact_location", _EXPERIMENT),
        SqlRun: ("artifact_uri", _RUN),
        SqlLoggedModel: ("artifact_location", _MODEL),
        SqlModelVersion: ("storage_location", _MODEL),
    }


@cache
def _listen() -> None:
    from sqlalchemy import event

    for kind in _kinds():
        event.listen(kind, "load", _resolve)
        event.listen(kind, "refresh", _resolve)


def _resolve(row: Any, *_: object) -> None:
    """Put the address of today into a row that was just read; it isn't written back."""
    from sqlalchemy import Engine
    from sqlalchemy.orm import object_session
    from sqlalchemy.orm.attributes import set_committed_value

    session = object_session(row)
    bind = session.get_bind() if session else None
    root = _roots.get(bind.url) if isinstance(bind, Engine) else None
    name, depth = _kinds()[type(row)]
    if root and (address := row.__dict__.get(name)):
        set_committed_value(row, name, found(address, root, depth))


def artifact_root(artifacts: str | None, folder: Path) -> str:
    """Give the address below which a store's files lie.

    Args:
        artifacts: Address or folder, as `tracking.artifacts` has it; None for the usual folder.
        folder: What a relative path is relative to.

    Returns:
        An absolute address.

    Raises:
        RequestError: It has a secret in it, or MLflow couldn't hold it.
    """
    if artifacts and "://" in artifacts:
        if has_secret(artifacts):
            raise RequestError(
                "tracking.artifacts has a secret in it, which MLflow would write into its database",
                got=mask(artifacts),
                expected="an address without user, password or token",
                fix="give them to MLflow in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        return artifacts
    root = folder / Path(artifacts or "artifacts").expanduser()
    require_holdable(root, "tracking.artifacts" if artifacts else "paths.root")
    return root.as_uri()
