"""A receiver of images by C-STORE, with C-ECHO (PS3.4 A and B), through pynetdicom."""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socketserver import BaseServer
from tempfile import NamedTemporaryFile
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from srexp.enhance.pacs.guarded_socket import Allowance, GuardedSocket
from srexp.enhance.pacs.spool import Spool
from srexp.errors import RequestError

#: Answers to C-STORE (PS3.4 B.2.3).
SUCCESS, NO_ROOM, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000

_VERIFICATION = UID("1.2.840.10008.1.1")
_ENVELOPE_BYTES = 2**20  # of an association's beginning, and of commands
_LONGEST_COMMENT = 64

log = logging.getLogger(__name__)

#: Looks at a complete file: whether it is to be restored; raises the `RequestError` that is to be answered.
Look = Callable[[Path], bool]


@dataclass(frozen=True)
class Listening:
    """Where a receiver listens, and to whom.

    Args:
        host: Address.
        port: Port; 0 for any.
        title: AE title by which it must be called.
        callers: AE titles that may call.
        hosts: Addresses from which they may; none for any.
        classes: SOP class to the transfer syntaxes in which it is taken.
        max_bytes: Largest object.
        connections: Connections at a time.
        idle_seconds: Time without a byte on a connection.
        message_seconds: Time for an object to arrive.
    """

    host: str
    port: int
    title: str
    callers: Sequence[str]
    hosts: Sequence[str]
    classes: Mapping[UID, Sequence[UID]]
    max_bytes: int
    connections: int
    idle_seconds: float
    message_seconds: float


@contextmanager
def receiving(listening: Listening, spool: Spool, look: Look) -> Iterator[int]:
    """Receive images into a spool; each is on the disk before its sender is told so.

    Args:
        listening: Where, and from whom.
        spool: Where images wait.
        look: Looks at each.

    Yields:
        The port.

    Raises:
        RequestError: The port is taken.
    """
    from pynetdicom import evt
    from pynetdicom.ae import ApplicationEntity

    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # its lines quote what is received
    entity = ApplicationEntity(ae_title=listening.title)
    entity.require_called_aet, entity.require_calling_aet = True, list(listening.callers)
    entity.maximum_associations = listening.connections
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = listening.idle_seconds
    entity.add_supported_context(_VERIFICATION)
    for kind, syntaxes in listening.classes.items():
        entity.add_supported_context(kind, list(syntaxes))
    handlers: list[Any] = [
        (evt.EVT_C_STORE, partial(_answer, spool, look)),
        (evt.EVT_DIMSE_RECV, _begin_message),
        (evt.EVT_CONN_CLOSE, _clear),
    ]
    allowance = Allowance(
        listening.max_bytes + _ENVELOPE_BYTES, max(listening.message_seconds, 1.0), listening.idle_seconds
    )
    try:
        server = entity.make_server(
            (listening.host, listening.port),
            ae_title=listening.title,
            evt_handlers=handlers,
            server_class=_server_class(allowance, listening),
        )
    except OSError as error:
        raise RequestError(
            f"can't listen on {listening.host}:{listening.port}: {error.strerror}",
            fix=f"pacs.port={listening.port + 1}, or pacs.host=127.0.0.1",
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="srexp dicom", daemon=True)
    with _kept_in(spool.incoming):
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            for association in server.active_associations:
                association.abort()


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Let objects go to disk as they come, into the spool, where the next start clears what a kill leaves."""
    from pynetdicom import _config, dimse_messages

    chunked, temporary = _config.STORE_RECV_CHUNKED_DATASET, dimse_messages.NamedTemporaryFile  # type: ignore[attr-defined]
    _config.STORE_RECV_CHUNKED_DATASET = True
    dimse_messages.NamedTemporaryFile = partial(NamedTemporaryFile, dir=folder)  # type: ignore[assignment, attr-defined]
    try:
        yield
    finally:
        _config.STORE_RECV_CHUNKED_DATASET = chunked
        dimse_messages.NamedTemporaryFile = temporary  # type: ignore[attr-defined]


def _answer(spool: Spool, look: Look, event: Any) -> int | Dataset:
    """Take an object, or say why not; nothing that is said names it."""
    path = event.dataset_path
    try:
        if not look(path):
            return SUCCESS
        receipt = spool.receive(path, str(event.request.AffectedSOPInstanceUID))
    except RequestError as error:
        log.info("an object was refused: %s", error.what)
        return _refusal(NOT_UNDERSTOOD, error.what)
    except (OSError, sqlite3.Error) as error:
        log.warning(
            "an object could not be kept, and its sender was told: %s", getattr(error, "strerror", None) or error
        )
        return _refusal(NO_ROOM, "it can't be kept")
    if receipt == "full":
        log.warning("an object was turned away, and its sender was told: pacs.spool_mb is reached")
        return _refusal(NO_ROOM, "too many bytes wait")
    log.info("an object came: %s", receipt)
    return SUCCESS


def _refusal(status: int, reason: str) -> Dataset:
    answer = Dataset()
    answer.Status, answer.ErrorComment = status, reason.encode("ascii", "replace").decode()[:_LONGEST_COMMENT]
    return answer


def _begin_message(event: Any) -> None:
    connection = event.assoc.dul.socket
    if connection and isinstance(connection.socket, GuardedSocket):
        connection.socket.begin_message()


def _clear(event: Any) -> None:
    """Remove what came of an object whose sender broke off."""
    message = event.assoc.dimse.message
    if message and isinstance(path := message._data_set_path, Path):  # nobody else knows it
        with suppress(OSError):
            message._data_set_file.close()
            path.unlink()


def _server_class(allowance: Allowance, listening: Listening) -> Any:
    from pynetdicom.transport import ThreadedAssociationServer

    class Server(ThreadedAssociationServer):
        """Takes connections of known hosts, as many as there may be, and no more of each than allowed."""

        def verify_request(self, request: Any, client_address: Any) -> bool:
            known = not listening.hosts or client_address[0] in listening.hosts
            return known and len(self.active_associations) < listening.connections

        def get_request(self) -> tuple[socket.socket, Any]:
            plain, address = super().get_request()
            return GuardedSocket(plain, allowance), address

        def shutdown(self) -> None:
            """End; pynetdicom would look for it among those that it started itself."""
            BaseServer.shutdown(self)
            self.server_close()

    return Server
