"""Where Optuna keeps a study: a journal beside its lock, or a database that machines share; both outlive any kill."""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from srexp.errors import RequestError, SrexpError
from srexp.lazy_imports import sqlalchemy
from srexp.search.heartbeat import GRACE_SECONDS, HEARTBEAT_SECONDS
from srexp.system import database_locks
from srexp.system.masking.credentials import hidden, revealed
from srexp.system.masking.redaction import mask

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

log = logging.getLogger(__name__)

_LOCK_SECONDS = 60


class JournalLock:
    """Optuna's lock of a journal, held by the kernel: it ends with its process, where Optuna's own stay for 30 s.

    Whoever gets it first cuts off a line that a killed writer or a full disk left unfinished; the next line would
    otherwise be appended to it, and the journal could not be read any more.

    Args:
        journal: The file.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = FileLock(f"{journal}.lock")

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        self._cut()
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()

    def _cut(self) -> None:
        if not self._journal.exists():
            return
        with self._journal.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            if not size or (file.seek(size - 1), file.read(1))[1] == b"\n":
                return
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
        log.warning("%s: cut off %d bytes of a line that was not written to its end", self._journal, size - whole)


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out Optuna's notes that parts we use may change, and that it sends no heartbeat itself unless it trains."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        for what in ("heartbeat_interval", "fail_stale_trials", "WilcoxonPruner", "QMCSampler", "group"):
            warnings.filterwarnings("ignore", rf"\W*(Argument )?\W*([\w.]+\.)?{what}\W", ExperimentalWarning)
        warnings.filterwarnings("ignore", "Heartbeat of storage is supposed to be used with", UserWarning)
        yield


def open_journal(folder: Path) -> BaseStorage:
    """Open the journal of a study in a folder, `optuna.log`.

    Raises:
        SrexpError: It can't be read and written, or a line of it is none that Optuna wrote.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    journal = folder / "optuna.log"
    lock = JournalLock(journal)
    try:
        lock.acquire()
        _require_records(journal)
    except OSError as error:
        raise SrexpError(
            f"{journal} can't be read: {error.strerror or error}",
            expected="a file that this user may read and write, with a lock beside it",
            fix="permit it, or bring a copy of it back; or begin anew: search.name=NAME",
        ) from error
    finally:
        lock.release()
    return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))  # type: ignore[arg-type]  # same methods


def _require_records(journal: Path) -> None:
    """See that each line is a record; behind another one Optuna reads nothing, or fails."""
    for number, line in enumerate(journal.read_bytes().splitlines() if journal.exists() else (), start=1):
        try:
            known = {"op_code", "worker_id"} <= json.loads(line).keys()
        except (ValueError, AttributeError):
            known = False
        if not known:
            raise SrexpError(
                f"{journal} can't be read: line {number} is no record of a study",
                got=line[:60].decode(errors="replace"),
                expected="lines that Optuna wrote",
                fix=f"keep a copy and delete line {number}, whose record is lost; or begin anew: search.name=NAME",
            )


def parse_url(storage: str, key: str = "search.storage") -> sqlalchemy.URL:
    """Read the address of a database and see that its driver is there.

    Args:
        storage: `postgresql://USER:PASSWORD@HOST/DATABASE` or the same with `mysql://`.
        key: Which key it was typed for.

    Returns:
        The URL, with the driver named.

    Raises:
        RequestError: It is no such URL, or its driver is not installed. Passwords are not shown.
    """
    expected = "postgresql://USER:PASSWORD@HOST/DATABASE, mysql://..., or null for files of this machine"
    storage = revealed(storage, key)
    if storage.startswith("postgres:"):  # as some hosts write it
        storage = storage.replace("postgres", "postgresql", 1)
    try:
        url = sqlalchemy.make_url(storage)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise RequestError(f"{key} is not the URL of a database", expected=expected) from None
    # Of a password with an @ a parser may take a part for the host, which is shown.
    told = hidden(storage)
    if url.host and not re.search(rf"[@/]\[?{re.escape(url.host)}(?![^\]:/?#])", told):
        raise RequestError(
            f"{key} doesn't tell where its password ends", got=told, fix="write %40 for an @ in it, and %2F for a /"
        )
    if url.get_backend_name() not in database_locks.EXTRAS:
        raise RequestError(f"{key} names an unknown database", got=url.drivername, expected=expected)
    return sqlalchemy.make_url(database_locks.with_driver(storage, key))


def shown(url: sqlalchemy.URL) -> str:
    """Write a URL without what is secret in it."""
    return url.set(query={}).render_as_string(hide_password=True)


def open_database(url: sqlalchemy.URL, when_stale: Callable[[Any, Any], None]) -> BaseStorage:
    """Open a database; call with its lock held, since the first one creates the tables.

    Args:
        url: Of `parse_url`.
        when_stale: Called with study and trial when a trial's worker hasn't been heard of for `GRACE_SECONDS`.

    Raises:
        SrexpError: It can't be reached.
    """
    from optuna.storages import RDBStorage

    with quiet(), translated(url):
        return RDBStorage(
            url.render_as_string(hide_password=False),
            engine_kwargs={"pool_pre_ping": True},
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=when_stale,
        )


@contextmanager
def translated(url: sqlalchemy.URL, key: str = "search.storage") -> Iterator[None]:
    """Turn the database's own words into ours, without the password.

    Args:
        url: Of `parse_url`.
        key: Which key it was typed for.

    Raises:
        SrexpError: The database failed.
    """
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, TimeoutError) as error:
        cause = mask(str(getattr(error, "orig", None) or error).strip())
        held = isinstance(error, TimeoutError)
        raise SrexpError(
            f"{key} {shown(url)} failed: {cause}",
            fix="again, once the other one has begun"
            if held
            else "check that it runs and that this user may create tables",
        ) from None


@contextmanager
def database_lock(url: sqlalchemy.URL, name: str) -> Iterator[None]:
    """Hold a lock that the database gives to one of all machines; it ends with the connection of its holder.

    Args:
        url: Of `parse_url`.
        name: What is locked.

    Raises:
        SrexpError: The database can't be reached, or gave no lock within a minute.
    """
    with ExitStack() as stack:
        with translated(url):
            stack.enter_context(database_locks.locked(url, name, _LOCK_SECONDS))
        yield
