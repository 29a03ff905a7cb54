"""The application behind HTTP: an image in the body of a POST, its restoration in the answer.

It knows neither images nor models: a function that looks at a file is passed in. Nothing of a request is ever run,
stored under a name that it chose, or logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
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
from srexp.enhance.serving.page import page_routes
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

#: Headers of a restored image: how far it is from what was sent once it is reduced again, in grey levels of 255, and at
#: the worst place in percent of the range that the image fills.
DISTANCE, PLACE = "Srexp-Distance", "Srexp-Worst-Place"

_Result = TypeVar("_Result")
_PATIENCE = 8
_PART = 2**16


class Made(NamedTuple):
    """What was written to be answered.

    Args:
        media_type: Such as `image/png`.
        headers: What else is told of it.
    """

    media_type: str
    headers: Mapping[str, str] = MappingProxyType({})


class Looked(NamedTuple):
    """An image that can be restored.

    Args:
        pixels: Of its restoration.
        restore: Writes the restoration to a file, and says what that is.
    """

    pixels: int
    restore: Callable[[Path], Made]


#: Looks at a file that was sent, with what the query asks for; raises the `RequestError` that is to be answered.
Look = Callable[[Path, Mapping[str, str]], Looked]


def application(
    looks: Mapping[str, Look],
    told: Mapping[str, object],
    *,
    limits: Limits,
    turns: Turns,
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
) -> Starlette:
    """Make the application: what answers images, `GET /health`, `GET /progress`, and the page that uses them.

    Args:
        looks: Path to post an image to, to what reads of it what must be known before it is answered; runs in a thread,
            as what it returns does.
        told: Path to what it tells of the server.
        limits: What clients may take, by whatever path.
        turns: Those that the networks take which `looks` lead to.
        hosts: Names by which the server may be called, see `Access`.
        origins: Origins whose pages may post.

    Returns:
        An ASGI application.
    """
    answers = _Answers(looks, limits, turns)
    app = Starlette(
        routes=[
            *(Route(path, answers, methods=["POST"]) for path in looks),
            *(Route(path, JSONResponse(facts), methods=["GET"]) for path, facts in told.items()),
            Route("/health", JSONResponse({"status": "ok"}), methods=["GET"]),
            Route("/progress", answers.progress, methods=["GET"]),
            *page_routes(),
        ],
        middleware=[
            Middleware(Access, hosts=hosts, origins=origins),
            Middleware(
                CORSMiddleware, allow_origins=list(origins), allow_methods=["POST"], expose_headers=[DISTANCE, PLACE]
            ),
        ],
    )
    app.router.redirect_slashes = False
    return app


class _Answers:
    """Receives images onto disk, has them answered in threads, and sends what comes of it."""

    def __init__(self, looks: Mapping[str, Look], limits: Limits, turns: Turns) -> None:
        self._looks, self._limits, self._turns = looks, limits, turns
        self._ticketed: dict[str, Image] = {}
        self._spool = Spool(limits.spool_bytes)
        self._light, self._small = (_Lane(SMALL_AT_A_TIME, limits.waiting) for _ in range(2))
        self._large = _Lane(limits.workers, limits.waiting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with self._spool.visit(scope["state"]["break_off"]) as visit:
            work, ticket = _Work(self._turns), request.query_params.get("ticket", "")
            look = self._looks[scope["path"]]
            if ticket:
                self._ticketed[ticket] = work.image
            try:
                with self._spool.moving(visit):
                    await self._receive(request, visit)
                answering = self._answering(partial(look, visit.sent, request.query_params), work, visit)
                made = await self._in_time(request, work, answering)
                with self._spool.moving(visit):
                    await self._answer(visit, made)(scope, receive, send)
            except ClientDisconnect:
                pass  # nobody reads an answer
            except RequestError as error:
                await refusal(error)(scope, receive, send)
            finally:
                if self._ticketed.get(ticket) is work.image:
                    del self._ticketed[ticket]
                await work.ended()

    async def progress(self, request: Request) -> JSONResponse:
        """Tell whoever knows the ticket that an image came with how many of its tiles are done."""
        image = self._ticketed.get(request.query_params.get("ticket", ""))
        return JSONResponse({"done": image.done, "tiles": image.tiles} if image else {})

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

    async def _answering(self, look: Callable[[], Looked], work: _Work, visit: Visit) -> Made:
        """Look at an image, and answer it at once if it is small."""
        light = visit.sent.stat().st_size <= LIGHT_BYTES

        def small_at_once() -> Made | None:
            with suppress(HurriedError), hurried(SMALL_SECONDS), nullcontext() if light else in_background():
                pixels, restore = look()
                if pixels <= SMALL_PIXELS:
                    return restore(visit.restored)
            return None

        def large_or_costly() -> Made:
            with in_background():
                return look().restore(visit.restored)

        with self._turns.small():
            done = await (self._light if light else self._small).run(work, small_at_once)
        if done is not None:
            return done
        work.image.small = False
        return await self._large.run(work, large_or_costly)

    async def _in_time(self, request: Request, work: _Work, restoring: Coroutine[Any, Any, Made]) -> Made:
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

    def _answer(self, visit: Visit, made: Made) -> StreamingResponse:
        visit.keep_restored()
        size = visit.restored.stat().st_size
        self._spool.has_room(visit, size)  # what is there is sent, if only alone
        headers = {**made.headers, "Content-Length": str(size)}
        return StreamingResponse(_parts(visit.restored), media_type=made.media_type, headers=headers)


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
            await asyncio.sleep(0)  # or nobody hears that the connection was lost before all is read and thrown away
