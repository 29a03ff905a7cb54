"""Connections that nobody can keep open for nothing: with deadlines, bounded in all and for each client."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What clients may take of the server.

    Args:
        head_seconds: Time for the head of a request, and between two requests.
        body_seconds: Time for a body to arrive, and for an answer to be taken.
        image_seconds: Time from the arrival of an image to its restoration.
        max_bytes: Largest body.
        spool_bytes: Bytes of all bodies and answers that are on disk at a time.
        workers: Large images restored at a time.
        waiting: Images that may wait besides.
        connections: Connections at a time.
        connections_per_client: Connections at a time of one address.
    """

    head_seconds: float
    body_seconds: float
    image_seconds: float
    max_bytes: int
    spool_bytes: int
    workers: int
    waiting: int
    connections: int
    connections_per_client: int


def server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """Make a server whose connections keep within limits.

    Args:
        app: What answers. In the `state` of a request it finds `break_off`, a function that ends the connection.
        limits: The limits.

    Returns:
        A server to run with `run(sockets=[...])`.
    """

    def connection(**given: Any) -> Connection:
        return Connection(limits, **given)

    config = uvicorn.Config(
        app,
        http=connection,  # type: ignore[arg-type] # it is called, and no more
        ws="none",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_level="error",
        headers=[("X-Content-Type-Options", "nosniff")],  # an answer is what it says, whatever its bytes look like
    )
    return uvicorn.Server(config)


class Connection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, within limits.

    Who sends a head, or takes an answer, has until a deadline. Where there are too many connections, the one that has
    been sending longest goes: an ordinary client sends in a moment, and so isn't kept out by any number of slow ones.

    Args:
        limits: The limits.
        **given: What uvicorn gives its protocols.
    """

    def __init__(self, limits: Limits, **given: Any) -> None:
        super().__init__(**given)
        self.app_state = {**self.app_state, "break_off": self.break_off}
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        self._since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Begin, where there is room."""
        super().connection_made(transport)
        self._begin(self._limits.head_seconds)
        everyone = cast("set[Connection]", self.connections)
        mine = {each for each in everyone if each.address == self.address}
        for crowd, most in ((mine, self._limits.connections_per_client), (everyone, self._limits.connections)):
            if len(crowd) > most:
                min((each for each in crowd if each.sends), key=attrgetter("_since")).break_off()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and its deadline."""
        super().connection_lost(exc)
        self._begin(None)

    def data_received(self, data: bytes) -> None:
        """Take what has come; a head that is complete has met its deadline."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._begin(None)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, with the headers of all answers."""
        self._begin(self._limits.head_seconds)
        told = msg.encode("ascii", "replace")
        headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
        every = self.server_state.default_headers
        answer = h11.Response(status_code=400, headers=[*every, *headers], reason=b"Bad Request")
        for event in (answer, h11.Data(data=told), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next head, which may be here already."""
        self._begin(self._limits.head_seconds)
        before = self.cycle
        super().on_response_complete()
        if self.cycle is not before:
            self._begin(None)

    def pause_writing(self) -> None:
        """Give a client that doesn't keep up with its answer a deadline for all of it."""
        super().pause_writing()
        if self._deadline is None:
            self._begin(None)

    def resume_writing(self) -> None:
        """Take the deadline away again where what was taken late is the answer before."""
        super().resume_writing()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle and not cycle.response_started:
            self._begin(None)

    def shutdown(self) -> None:
        """Wait at the server's end for answers, and not for requests."""
        if self.sends:
            self.break_off()
        else:
            super().shutdown()

    @property
    def address(self) -> str | None:
        """The client's address; None where it has gone already."""
        return self.client[0] if self.client else None

    @property
    def sends(self) -> bool:
        """Whether a request is still to come, or a part of it."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete or cycle.more_body

    def break_off(self) -> None:
        """End the connection, whatever is still to be sent."""
        self.connections.discard(self)
        self.transport.abort()

    def _begin(self, seconds: float | None) -> None:
        """Begin something that may take so long; None for an answer, which has a deadline where it isn't taken."""
        if self._deadline:
            self._deadline.cancel()
        if seconds is None and self.flow.write_paused:
            seconds = self._limits.body_seconds
        self._since = self.loop.time()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.break_off)
