"""Optuna's dashboard of a study, in this process: the address of a database is on no command line."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from srexp.errors import RequestError
from srexp.search.optuna import storage as kept

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from optuna.storages import BaseStorage

_PACKAGE = "optuna_dashboard"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - where everyone is let in, by whatever name
_HARMLESS = ("GET", "HEAD", "OPTIONS")


def require_dashboard() -> None:
    """Refuse to show a study where the dashboard is not installed."""
    if find_spec(_PACKAGE) is None:
        raise RequestError("study needs optuna-dashboard, which is not installed", fix='pip install "srexp[dashboard]"')


def open_study(name: str, folder: Path, database: str | None) -> tuple[BaseStorage, int]:
    """Open what keeps a study, to look at it.

    Args:
        name: Of the study.
        folder: Where its journal is, if it is on this machine.
        database: Address of the database that has it; None where it has a journal.

    Returns:
        What keeps it, and its number there.

    Raises:
        RequestError: There is no such study, or the address is none of a database.
        SrexpError: The database can't be reached, or the journal can't be read.
    """
    from optuna.storages import RDBStorage

    storage: BaseStorage
    if database is None:
        storage = kept.open_journal(folder)
        known = _numbers(storage)
    else:
        url = kept.parse_url(database, "storage")
        with kept.quiet(), kept.translated(url, "storage"):
            storage = RDBStorage(url.render_as_string(hide_password=False), engine_kwargs={"pool_pre_ping": True})
            known = _numbers(storage)
    if name not in known:
        where = "the database" if database else str(folder)
        raise RequestError(f"{where} has no study {name}", expected=f"one of {', '.join(known)}" * bool(known))
    return storage, known[name]


def _numbers(storage: BaseStorage) -> dict[str, int]:
    return {each.study_name: each._study_id for each in storage.get_all_studies()}


def server(storage: BaseStorage, host: str, port: int) -> WSGIServer:
    """Make a server of the dashboard.

    Args:
        storage: Of `open_study`.
        host: Address to listen on. Unless that is every address, only who calls the server by this one or as localhost
            is answered: a page whose own name was made to resolve to it does not.
        port: Port to listen on.

    Returns:
        The server, to be run with `serve_forever()`.

    Raises:
        RequestError: The port is taken.
    """
    import optuna_dashboard

    with kept.quiet():
        application = optuna_dashboard.wsgi(storage)
    try:
        return make_server(host, port, guarded(application, host), _server_of(host), _Quiet)
    except OSError as error:
        raise RequestError(f"can't listen on {host}:{port}: {error.strerror}", fix=f"port={port + 1}") from error


def guarded(application: WSGIApplication, host: str) -> WSGIApplication:
    """Answer only what was meant for this server, and let no page of another origin change a study.

    Args:
        application: What answers.
        host: What it listens on.
    """
    names = {"localhost", "127.0.0.1", "::1", host}

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        called = environment.get("HTTP_HOST", "").lower()
        name = re.sub(r":\d*$", "", called).strip("[]")
        # Browsers tell the site only to addresses that they trust, as this machine's own; an origin to all.
        origin = environment.get("HTTP_ORIGIN", f"http://{called}").lower().partition("://")[2]
        site = environment.get("HTTP_SEC_FETCH_SITE", "none")
        changes = environment["REQUEST_METHOD"] not in _HARMLESS
        foreign = changes and (origin != called or site not in ("none", "same-origin"))
        if foreign or (host not in _EVERYWHERE and name not in names):
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This server doesn't go by this name, or a page of another origin asks.\n"]
        return application(environment, start)

    return answer


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _server_of(host: str) -> type[WSGIServer]:
    class Server(ThreadingMixIn, WSGIServer):
        """Answers several requests at a time: one picture of many trials may take seconds."""

        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Server
