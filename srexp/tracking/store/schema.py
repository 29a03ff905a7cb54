"""Databases that MLflow can work with: made whole or not at all, upgraded after a backup, or refused."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from srexp.errors import RequestError, SrexpError
from srexp.lazy_imports import mlflow, sqlalchemy
from srexp.system.files.atomic_files import whole_file
from srexp.system.masking.redaction import mask

log = logging.getLogger(__name__)


def bring_up_to_date(uri: str, *, alone: bool | None = None) -> None:
    """See that this MLflow can work with a database; make an SQLite file, and upgrade one that only this machine uses.

    MLflow takes some forty steps to make a database, and one that was left halfway can't be opened again. It upgrades
    some old databases by itself, without a backup, and refuses others. Whoever calls this holds the lock under which a
    store is opened.

    Args:
        uri: Of a database store; nothing needs to be there yet.
        alone: Whether nobody else has a say in its version; None: when it is an SQLite file.

    Raises:
        RequestError: A newer MLflow made it, or an older one and others use it, too.
        SrexpError: The upgrade failed; the database is as it was.
        OSError: There is none, and none can be made.
        sqlite3.Error: There is no room for it.
    """
    url = sqlalchemy.make_url(uri)
    file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    if file and (not file.exists() or not file.stat().st_size):
        _create(url, Path(os.path.realpath(file)))
        return
    if file and _begun(file).exists():
        _take_back(file)
    # What can't be opened fails here at once, where MLflow would try again for minutes.
    found, known = _revision(url), _known()
    if found is None or found == known[0]:
        return
    if found not in known:
        raise RequestError(
            "a newer MLflow made the tracking store",
            got=f"{mask(str(url))} at schema {found}",
            expected=f"a schema that MLflow {mlflow.version.VERSION} knows",
            fix="install the MLflow that made it, or choose another tracking.uri",
        )
    if file is None or alone is False:
        raise RequestError(
            "an older MLflow made the tracking store",
            got=f"{mask(uri)} at schema {found}",
            expected=f"schema {known[0]}; whoever else uses the store needs this MLflow then, too",
            fix="back it up, then run `mlflow db upgrade URI`",
        )
    _upgrade(url, file, found)


def _revision(url: sqlalchemy.URL) -> str | None:
    """Read the schema's version; None of a database without one."""
    from alembic.migration import MigrationContext

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def _known() -> list[str]:
    """Give the versions that this MLflow knows, its own first."""
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    script = ScriptDirectory.from_config(_get_alembic_config(db_url=""))
    return [each.revision for each in script.walk_revisions()]


def _create(url: sqlalchemy.URL, file: Path) -> None:
    """Make a database without runs."""
    from mlflow.store.db.utils import _initialize_tables

    # Where it can't be made, behind a link that leads nowhere, too, MLflow would try again for minutes.
    if not os.access(file.parent, os.W_OK):
        raise OSError(errno.EACCES, "unable to open database file", str(file))
    with whole_file(file) as whole:
        _initialize_tables(sqlalchemy.create_engine(url.set(database=whole.name), poolclass=sqlalchemy.NullPool))


def _upgrade(url: sqlalchemy.URL, file: Path, found: str) -> None:
    from mlflow.store.db.utils import _upgrade_db

    backup = file.with_name(f"{file.name}.before-{found}")
    copy(file, _begun(file))
    try:
        _upgrade_db(sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool))
    except BaseException as error:
        _take_back(file)
        if not isinstance(error, Exception):
            raise
        raise SrexpError(
            f"the tracking store of an older MLflow could not be upgraded: {mask(str(error)).splitlines()[0]}",
            got=f"{file} at schema {found}",
            expected="a database that nothing but MLflow changed; it is as it was",
            fix="another tracking.uri, or the MLflow that made it",
        ) from error
    _begun(file).replace(backup)
    log.warning("%s was made by an older MLflow and is upgraded; %s is what it was", file, backup)


def _begun(file: Path) -> Path:
    """Name the copy of a database that is there as long as an upgrade of it isn't over."""
    return file.with_name(f"{file.name}.upgrading")


def _take_back(file: Path) -> None:
    """Give a database that was left halfway through an upgrade what it held before."""
    with closing(sqlite3.connect(_begun(file))) as old, closing(sqlite3.connect(file)) as new:
        old.backup(new)
    _begun(file).unlink()


def copy(source: Path, target: Path) -> None:
    """Copy a database as a whole, what others have just written included; the copy appears when it is complete."""
    with (
        whole_file(target) as file,
        closing(sqlite3.connect(source)) as old,
        closing(sqlite3.connect(file.name)) as new,
    ):
        old.backup(new)
