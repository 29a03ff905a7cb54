"""What a store refuses or fails at, and what helps: each kind of failure has a way out of its own."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from srexp.errors import RequestError, SrexpError
from srexp.system.masking.redaction import mask
from srexp.tracking.store.locations import path_of
from srexp.tracking.store.parameters import shorten

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: MLflow's codes for what isn't there.
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")


class Advice(NamedTuple):
    """What helps against a failure.

    Args:
        expected: What would have worked.
        fix: What the user can do.
    """

    expected: str
    fix: str


_ELSEWHERE = "choose another paths.root or tracking.uri"
_DAMAGED = Advice("an SQLite database that is whole", "bring back a copy of it: other files beside it may be one")
#: What a failure says of itself, by libraries, databases and servers, to what helps; the first that is found counts.
_KINDS: dict[str, Advice] = {
    r"No space left|disk is full|[Qq]uota exceeded|ENOSPC": Advice(
        "room on the disk of the store", f"make room, or {_ELSEWHERE}"
    ),
    r"database (table )?is locked": Advice(
        "a database that no other process holds for long",
        "wait until the others have written, or end the one that hangs; on a network disk take a server: tracking.uri=",
    ),
    r"Permission denied|readonly database|Read-only file system|unable to open database|Operation not permitted"
    r"|Not a directory": Advice("a folder and a database that this user may write", f"permit it, or {_ELSEWHERE}"),
    r"malformed|file is not a database|file is encrypted": _DAMAGED,
    r"must be in the 'active' state": Advice(
        "a run or an experiment that is there", "`mlflow runs restore` or `mlflow experiments restore` brings it back"
    ),
    r"No such file or directory": Advice(
        "the files that the store speaks of",
        "bring the folder of artifacts back, or say where it is: tracking.artifacts=PATH",
    ),
    r"error code 407|Proxy Authentication|ProxyError|[Uu]nable to connect to proxy": Advice(
        "a way to the server", "correct HTTPS_PROXY and HTTP_PROXY, or name the server in NO_PROXY"
    ),
    r"CERTIFICATE_VERIFY_FAILED|SSLError": Advice(
        "a certificate that this machine trusts", "MLFLOW_TRACKING_SERVER_CERT_PATH=FILE, or the server's own name"
    ),
    r"error code 40[13]|UNAUTHENTICATED|PERMISSION_DENIED|CUSTOMER_UNAUTHORIZED|[Pp]ermission denied": Advice(
        "a user whom the server lets in",
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    ),
    r"error code (404|405|301|302)|not in a valid JSON format": Advice(
        "an MLflow server at this address", "correct tracking.uri or MLFLOW_TRACKING_URI, its path included"
    ),
    r"error code 429|REQUEST_LIMIT_EXCEEDED": Advice("fewer requests", "wait, and type the command again"),
    r"error code 4\d\d|BAD_REQUEST|INVALID_PARAMETER_VALUE": Advice(
        "a server and an MLflow of versions that understand each other", "compare the versions of both"
    ),
    r"error code 5\d\d|INTERNAL_ERROR:": Advice(
        "a server that works", "look at the server's own log; it was reached, and failed"
    ),
    r"password authentication failed|Access denied for user": Advice(
        "a user whom the database lets in", "correct user and password in tracking.uri or MLFLOW_TRACKING_URI"
    ),
}
UNOPENED = "the tracking store can't be opened"
_SYSTEM = ("builtins", "socket", "ssl")
_LONGEST_REASON = 200
#: MLflow's codes for what is named and isn't there.
_GONE = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
_LOST = Advice(
    "what the store speaks of, and that nobody removed it",
    "`python -m srexp runs` and `models` list what is there; train anew what `mlflow gc` removed",
)
_AWAY = Advice(
    "a store that can be reached", "start its server or database, or correct tracking.uri or MLFLOW_TRACKING_URI"
)


def advice(error: BaseException) -> Advice:
    """Say what helps against a failure of a store.

    Args:
        error: What MLflow, SQLAlchemy or the operating system raised.

    Returns:
        What helps; of what is of no known kind, what helps against a store that is away.

    Example:
        >>> advice(OSError(28, "No space left on device")).fix
        'make room, or choose another paths.root or tracking.uri'
    """
    told = "\n".join(map(str, _causes(error)))
    absent = any(getattr(each, "error_code", "") in _GONE for each in _causes(error))
    return next((each for pattern, each in _KINDS.items() if re.search(pattern, told)), _LOST if absent else _AWAY)


def reason(error: BaseException) -> str:
    """Say in one line why a store doesn't take something: what database, network or disk said, where one did.

    Example:
        >>> reason(OSError(28, "No space left on device"))
        '[Errno 28] No space left on device'
    """
    causes = list(_causes(error))
    systems = [each for each in causes if isinstance(each, OSError) and type(each).__module__ in _SYSTEM]
    databases = [orig for each in causes if (orig := getattr(each, "orig", None))]
    told = [error, *([] if isinstance(error, SrexpError) else systems[-1:]), *databases][-1]
    text = "no answer in time" if isinstance(told, TimeoutError) else re.sub(r"\((\w+\.)+\w+\) ", "", str(told).strip())
    lines = mask(text or type(told).__name__).splitlines()
    # MLflow names the files behind a heading, the cause of the last one last.
    return shorten(lines[-1] if lines[0].endswith(":") else lines[0], _LONGEST_REASON)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what led to it; MLflow hides some causes behind words of its own."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


@contextmanager
def required(absent: RequestError) -> Iterator[None]:
    """Refuse a request for what the store hasn't got, or can't have under such a name.

    Args:
        absent: What to say then.

    Yields:
        Nothing.

    Raises:
        RequestError: It isn't there.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        raise absent from error


def deleted_experiment(client: MlflowClient, name: str) -> RequestError | None:
    """Say that an experiment was deleted, and how it comes back; None when it wasn't."""
    found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != "deleted":
        return None
    return _still_named(client.tracking_uri, name, found.experiment_id)


def unopened(uri: str, what: str, error: Exception) -> SrexpError:
    """Say what can't be done with a store, and why.

    Args:
        uri: Of the store.
        what: What can't be done.
        error: What MLflow, SQLAlchemy or the operating system raised.
    """
    return SrexpError(f"{what}: {reason(error)}", got=mask(uri), **advice(error)._asdict())


def require_not_deleted(uri: str, name: str) -> None:
    """Refuse an experiment that was deleted, as far as that can be seen at once: in a file, and without MLflow.

    Args:
        uri: Of the store; what can't be looked at is said where it is opened.
        name: Of the experiment.

    Raises:
        RequestError: It was deleted, and its name can't be used until it is restored or purged.
        SrexpError: The file is no database, a damaged one, or one that this user may not read.
    """
    file = path_of(uri) if uri.startswith("sqlite") else None
    if file is None or not (os.path.isfile(file) or os.path.isdir(file)):  # noqa: PTH112, PTH113  # never raise
        return
    mode = "rw" if os.path.isdir(file) else "ro"  # noqa: PTH112  # then SQLite says what it says when it writes
    query = "SELECT experiment_id FROM experiments WHERE name = ? AND lifecycle_stage = 'deleted'"
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode={mode}", uri=True, timeout=1)) as database:
            found = database.execute(query, (name,)).fetchone()
    except sqlite3.Error as error:
        if advice(error) is _DAMAGED or "unable to open" in str(error):
            raise unopened(uri, UNOPENED, error) from error
        return
    if found:
        raise _still_named(uri, name, found[0])


def _still_named(uri: str, name: str, number: object) -> RequestError:
    return RequestError(
        "the MLflow experiment of this task was deleted and still holds its name",
        got=name,
        expected="an experiment that is there, or a new name",
        fix=f"{_restored(uri, 'experiment', number)} brings it back, `mlflow gc` removes it for good;"
        " or choose experiment_name=...",
    )


def deleted_run(client: MlflowClient, run_id: str) -> RequestError:
    """Say that a run was deleted, and how it comes back."""
    return RequestError(
        "the run was deleted",
        got=run_id,
        expected="a run that is there",
        fix=f"{_restored(client.tracking_uri, 'run', run_id)} brings it back, as long as `mlflow gc` didn't remove it",
    )


def _restored(uri: str, kind: str, number: object) -> str:
    return f"`MLFLOW_TRACKING_URI='{mask(uri)}' mlflow {kind}s restore --{kind}-id {number}`"
