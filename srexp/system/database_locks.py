"""Databases that machines share: which driver speaks to them, and a lock that one of all machines holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from srexp.errors import RequestError
from srexp.lazy_imports import sqlalchemy

#: Drivers of a database, the one of our extra first.
DRIVERS = {"postgresql": ("psycopg", "psycopg2"), "mysql": ("pymysql", "mysqldb"), "mssql": ("pyodbc", "pymssql")}
#: Those that srexp is tried with and can lock.
EXTRAS = {"postgresql": "postgres", "mysql": "mysql"}


def with_driver(uri: str, key: str) -> str:
    """Name the driver in the address of a database: the one that is installed, not the one that SQLAlchemy prefers.

    Args:
        uri: `postgresql://...`, `mysql://...` or `mssql://...`, or the same with a driver, which is kept then.
        key: Configuration key that has it, for the message.

    Returns:
        The address with its driver.

    Raises:
        RequestError: The driver is not installed, or none is.

    Example:
        >>> with_driver("postgresql+psycopg://ann@host/runs", "tracking.uri")
        'postgresql+psycopg://ann@host/runs'
    """
    scheme, _, rest = uri.partition("://")
    dialect, _, named = scheme.lower().partition("+")
    for driver in (named,) if named else DRIVERS[dialect]:
        if _is_installed(f"{dialect}+{driver}"):
            return f"{dialect}+{driver}://{rest}"
    package = f'"srexp[{EXTRAS[dialect]}]"' if dialect in EXTRAS else DRIVERS[dialect][0]
    raise RequestError(
        f"{key}: no driver of {scheme} is installed",
        expected=named or " or ".join(DRIVERS[dialect]),
        fix=f"pip install {package}, and an address that begins with {dialect}://",
    )


def _is_installed(drivername: str) -> bool:
    try:
        sqlalchemy.make_url(f"{drivername}://").get_dialect().import_dbapi()
    except (ImportError, sqlalchemy.exc.NoSuchModuleError):
        return False
    return True


@contextmanager
def locked(url: sqlalchemy.URL, name: str, seconds: int) -> Iterator[None]:
    """Hold a lock that the database gives to one of all machines; it ends with the connection of its holder.

    Args:
        url: Of a PostgreSQL or MySQL, with its driver.
        name: What is locked.
        seconds: How long to wait for it.

    Raises:
        SQLAlchemyError: The database can't be reached, or PostgreSQL gave no lock in time.
        TimeoutError: MySQL gave none.
    """
    digest = hashlib.sha256(f"srexp {name}".encode()).hexdigest()
    with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect() as connection:
        if url.get_backend_name() == "postgresql":
            connection.execute(sqlalchemy.text(f"SET lock_timeout = '{seconds}s'"))
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": int(digest[:15], 16)})
        else:
            asked = {"key": digest[:60], "seconds": seconds}
            if connection.execute(sqlalchemy.text("SELECT GET_LOCK(:key, :seconds)"), asked).scalar() != 1:
                raise TimeoutError(f"no lock within {seconds} s")
        yield
