"""The application behind HTTP: an image in the body of a POST, its restoration in the answer.

It knows neither images nor models: a function that looks at a file is passed in. Nothing of a request is ever run,
stored under a name that it chose, or logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from srexp.enhance.serving.access import Access
from srexp.enhance.serving.connections import Limits
from srexp.enhance.serving.refusals import BusyError, LateError, TooLargeError, refusal
from srexp.enhance.serving.spool import Spool, Visit
from srexp.enhance.serving.turns import Image, Turns
from srexp.errors import RequestError
from srexp.system.confinement import HurriedError, hurried, in_background

#: Largest restoration, in pixels, of an image that doesn't wait for larger ones.
SMALL_PIXELS = 2**20
#: Time to read one, on the processor, with what a fresh process imports for it; one that takes longer waits, too.
SMALL_SECONDS = 1.0
#: Bodies up to this size are read before others: what takes long to read for its pixels has more bytes, as a rule.
LIGHT_BYTES = 2**16
#: Small images read, restored and written at a time; they take turns in the network.
SMALL_AT_A_TIME = 4

_Result = TypeVar("_Result")
_PATIENCE = 8
_PART = 2**16


class Looked(NamedTuple):
    """An image that can be restored.

    Args:
        pixels: Of its restoration.
        restore: Writes the restoration to a file and returns its type, such as `image/png`.
    """

    pixels: int
    restore: Callable[[Path], str]


#: Looks at a file that was sent; raises the `RequestError` that is to be answered.
Look = Callable[[Path], Looked]


def application(
    look: Look,
    *,
    facts: Mapping[str, object],
    limits: Limits,
    turns: Turns,
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
) -> Starlette:
    """Make the application: `POST /restore`, `GET /health`, `GET /version`.

    Args:
        look: Reads of a file what must be known before it is restored; runs in a thread, as what it returns does.
        facts: What `/version` tells.
        limits: What clients may take.
        turns: Those that the network takes which `look` leads to.
        hosts: Names by which the server may be called, see `Access`.
        origins: Origins whose pages may post.

    Returns:
        An ASGI application.
    """
    app = Starlette(
        routes=[
            Route("/restore", _Restorations(look, limits, turns), methods=["POST"]),
            Route("/health", JSONResponse({"status": "ok"}), methods=["GET"]),
            Route("/version", JSONResponse(dict(facts)), methods=["GET"]),
        ],
        middleware=[
            Middleware(Access, hosts=hosts, origins=origins),
            Middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["POST"]),
        ],
    )
    app.router.redirect_slashes = False
    return app


class _Restorations:
    """Receives images onto disk, has them restored in threads, and sends what comes of it."""

    def __init__(self, look: Look, limits: Limits, turns: Turns) -> None:
        self._look, self._limits, self._turns = look, limits, turns
        self._spool = Spool(limits.spool_bytes)
        self._light, self._small = (_Lane(SMALL_AT_A_TIME, limits.waiting) for _ in range(2))
        self._large = _Lane(limits.workers, limits.waiting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with self._spool.visit(scope["state"]["break_off"]) as visit:
            work = _Work(self._turns)
            try:
                with self._spool.moving(visit):
                    await self._receive(request, visit)
                media_type = await self._in_time(request, work, self._restore(work, visit))
                with self._spool.moving(visit):
                    await self._answer(visit, media_type)(scope, receive, send)
            except ClientDisconnect:
                pass  # nobody reads an answer
            except RequestError as error:
                await refusal(error)(scope, receive, send)
            finally:
                await work.ended()

    async def _receive(self, request: Request, visit: Visit) -> None:
        """Write a body to disk, no further than allowed."""
        most, size = self._limits.max_bytes, 0
        too_large = TooLargeError("the body is too large", expected=f"at most {most} bytes")
        claimed = request.headers.get("content-length", "")
        hopeless = claimed.isdigit() and int(claimed) > most
        # Many a client reads no answer before all is sent, so what isn't far too much is taken and thrown away; a
        # client that asked whether to send it need not.
        if hopeless and (int(claimed) > _PATIENCE * most or "expect" in request.headers):
            raise too_large
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                with visit.sent.open("wb") as file:
                    async for part in request.stream():
                        size += len(part)
                        if size > _PATIENCE * most:
                            raise too_large
                        if size <= most and not hopeless:
                            if not self._spool.has_room(visit, size):
                                raise BusyError("too many bytes wait")
                            file.write(part)
        except TimeoutError:
            raise LateError(f"the image did not arrive within {self._limits.body_seconds:g} seconds") from None
        if size > most:
            raise too_large
        if not size:
            raise RequestError("the body is empty", expected="an image file", fix="curl --data-binary @FILE")

    async def _restore(self, work: _Work, visit: Visit) -> str:
        """Look at an image, and restore it at once if it is small."""
        light = visit.sent.stat().st_size <= LIGHT_BYTES

        def small_at_once() -> str | None:
            with suppress(HurriedError), hurried(SMALL_SECONDS), nullcontext() if light else in_background():
                pixels, restore = self._look(visit.sent)
                if pixels <= SMALL_PIXELS:
                    return restore(visit.restored)
            return None

        def large_or_costly() -> str:
            with in_background():
                return self._look(visit.sent).restore(visit.restored)

        with self._turns.small():
            done = await (self._light if light else self._small).run(work, small_at_once)
        if done is not None:
            return done
        work.image.small = False
        return await self._large.run(work, large_or_costly)

    async def _in_time(self, request: Request, work: _Work, restoring: Coroutine[Any, Any, str]) -> str:
        """Wait for an image, as long as it may take and its client is there."""
        restored, left = asyncio.ensure_future(restoring), asyncio.ensure_future(_leaving(request))
        try:
            seconds = self._limits.image_seconds
            await asyncio.wait({restored, left}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if restored.done():
                return restored.result()
            if left.done():
                raise ClientDisconnect
            raise BusyError(f"the image was not restored within {seconds:g} seconds")
        finally:
            restored.cancel()
            left.cancel()

    def _answer(self, visit: Visit, media_type: str) -> StreamingResponse:
        visit.sent.unlink()
        size = visit.restored.stat().st_size
        self._spool.has_room(visit, size)  # what is there is sent, if only alone
        return StreamingResponse(_parts(visit.restored), media_type=media_type, headers={"Content-Length": str(size)})


class _Work:
    """What is done for one request in a thread."""

    def __init__(self, turns: Turns) -> None:
        self.image, self.turns = Image(), turns
        self.job: Future[Any] | None = None

    async def ended(self) -> None:
        """Drop what has not begun; end what has, before the files go that it works on."""
        if self.job and not self.job.cancel():
            self.turns.abandon(self.image)
            await asyncio.gather(asyncio.wrap_future(self.job), return_exceptions=True)


class _Lane:
    """Threads, and those who may wait for one."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads)
        self._places = threads + waiting

    async def run(self, work: _Work, function: Callable[[], _Result]) -> _Result:
        """Run a function in a thread, in its turn."""
        if not self._places:
            raise BusyError("too many requests at a time")
        self._places -= 1
        try:
            work.job = job = self._threads.submit(work.turns.run, work.image, function)
            return await asyncio.wrap_future(job)
        finally:
            self._places += 1


async def _leaving(request: Request) -> None:
    """Return when the client is gone; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_PART):
            yield part
