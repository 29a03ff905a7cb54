"""A small HTTP server: an image in the body of a POST, its restoration in the answer.

It knows neither images nor models: a function from bytes to bytes is passed in. Nothing of a request is ever run,
stored under a name that it chose, or logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from srexp.errors import RequestError

OK, TIMEOUT, TOO_LARGE, WRONG_KIND, UNUSABLE, BUSY = 200, 408, 413, 415, 422, 503
BODY_SECONDS = 60.0
_PATIENCE = 8


class Answer(NamedTuple):
    """A restored image as a file.

    Args:
        content: The file.
        media_type: Its type, such as `image/png`.
    """

    content: bytes
    media_type: str


class TooLargeError(RequestError):
    """An image with more pixels than the server restores."""

    status = TOO_LARGE


class WrongKindError(RequestError):
    """A body that is no image of a kind that the server takes."""

    status = WRONG_KIND


def application(
    restore: Callable[[bytes], Answer],
    *,
    facts: Mapping[str, object],
    max_bytes: int,
    workers: int,
    waiting: int,
    body_seconds: float = BODY_SECONDS,
) -> Starlette:
    """Make the application: `POST /restore`, `GET /health`, `GET /version`.

    Args:
        restore: From the file that was sent to the file to answer; runs in a thread. What it raises decides the answer:
            `TooLargeError` 413, `WrongKindError` 415, `RequestError` 422.
        facts: What `/version` tells.
        max_bytes: Largest body; a larger one is refused before it is read, or as soon as it is known to be.
        workers: Requests restored at a time.
        waiting: Requests that may wait besides; beyond, the answer is 503.
        body_seconds: Longest time that a body may take to arrive.

    Returns:
        An ASGI application.
    """
    free, inside = asyncio.Semaphore(workers), [0]

    def refused(status: int, message: str) -> Response:
        headers = {"Retry-After": "10"} if status == BUSY else {}
        # The rest of a body that was refused unread can't be told from a next request.
        return JSONResponse({"error": message}, status, {**headers, "Connection": "close"})

    async def answer(request: Request) -> Response:
        if inside[0] >= workers + waiting:
            return refused(BUSY, "too many requests at a time")
        inside[0] += 1
        try:
            async with asyncio.timeout(body_seconds):
                body = await _body(request, max_bytes)
            async with free:
                restored = await asyncio.to_thread(restore, body)
        except ClientDisconnect:
            return Response(status_code=UNUSABLE)  # nobody reads it
        except TimeoutError:
            return refused(TIMEOUT, f"the image did not arrive within {body_seconds:g} seconds")
        except RequestError as error:
            return refused(getattr(error, "status", UNUSABLE), str(error))
        finally:
            inside[0] -= 1
        return Response(restored.content, OK, media_type=restored.media_type)

    return Starlette(
        routes=[
            Route("/restore", answer, methods=["POST"]),
            Route("/health", JSONResponse({"status": "ok"}), methods=["GET"]),
            Route("/version", JSONResponse(dict(facts)), methods=["GET"]),
        ]
    )


async def _body(request: Request, most: int) -> bytes:
    """Read a body, no further than allowed."""
    too_large = TooLargeError("the body is too large", expected=f"at most {most} bytes")
    claimed = request.headers.get("content-length", "")
    hopeless = claimed.isdigit() and int(claimed) > most
    # Many a client reads no answer before all is sent, so what isn't far too much is taken and thrown away; a client
    # that asked whether to send it need not.
    if hopeless and (int(claimed) > _PATIENCE * most or "expect" in request.headers):
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _PATIENCE * most:
            raise too_large
        parts.append(part)
        if size > most:
            parts.clear()
    if size > most:
        raise too_large
    if not size:
        raise RequestError("the body is empty", expected="an image file", fix="curl --data-binary @FILE")
    return b"".join(parts)
