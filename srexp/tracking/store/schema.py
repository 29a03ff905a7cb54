"""Databases that another version of MLflow made: upgraded after a backup, or refused with the way out."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from srexp.errors import RequestError, SrexpError
from srexp.system.masking.redaction import mask

if TYPE_CHECKING:
    from sqlalchemy import URL

log = logging.getLogger(__name__)


def bring_up_to_date(uri: str, *, alone: bool | None = None) -> None:
    """See that this MLflow can work with a database; upgrade one that only this machine uses.

    MLflow upgrades some old databases by itself, without a backup, and refuses others. Whoever calls this holds the
    lock under which a store is opened.

    Args:
        uri: Of a database store; nothing needs to be there yet.
        alone: Whether nobody else has a say in its version; None: when it is an SQLite file.

    Raises:
        RequestError: A newer MLflow made it, or an older one and others use it, too.
        SrexpError: The upgrade failed; the database is as it was.
        OSError: There is none, and none can be made.
    """
    from sqlalchemy import make_url

    url = make_url(uri)
    file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    if file and not file.exists():
        # Where it can't be made, behind a link that leads nowhere, too, MLflow would try again for minutes.
        if not os.access(Path(os.path.realpath(file)).parent, os.W_OK):
            raise OSError(errno.EACCES, "unable to open database file", str(file))
        return
    # What can't be opened fails here at once, where MLflow would try again for minutes.
    found, known = _revision(url), _known()
    if found is None or found == known[0]:
        return
    if found not in known:
        import mlflow

        raise RequestError(
            "a newer MLflow made the tracking store",
            got=f"{mask(str(url))} at schema {found}",
            expected=f"a schema that MLflow {mlflow.__version__} knows",
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


def _revision(url: URL) -> str | None:
    """Read the schema's version; None of a database without one."""
    from alembic.migration import MigrationContext
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def _known() -> list[str]:
    """Give the versions that this MLflow knows, its own first."""
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    script = ScriptDirectory.from_config(_get_alembic_config(db_url=""))
    return [each.revision for each in script.walk_revisions()]


def _upgrade(url: URL, file: Path, found: str) -> None:
    from mlflow.store.db.utils import _upgrade_db
    from sqlalchemy import NullPool, create_engine

    backup = file.with_name(f"{file.name}.before-{found}")
    copy(file, backup)
    try:
        _upgrade_db(create_engine(url, poolclass=NullPool))
    except BaseException as error:
        copy(backup, file)
        if not isinstance(error, Exception):
            raise
        raise SrexpError(
            f"the tracking store of an older MLflow could not be upgraded: {mask(str(error)).splitlines()[0]}",
            got=f"{file} at schema {found}",
            expected="a database that nothing but MLflow changed; it is as it was",
            fix="another tracking.uri, or the MLflow that made it",
        ) from error
    log.warning("%s was made by an older MLflow and is upgraded; %s is what it was", file, backup)


def copy(source: Path, target: Path) -> None:
    """Copy a database as a whole, what others have just written included; the copy appears when it is complete."""
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(partial)) as new:
        old.backup(new)
    partial.replace(target)
