"""Why a request is not answered: each reason with its status."""

from __future__ import annotations

from starlette.responses import JSONResponse

from srexp.errors import RequestError


class RefusedError(RequestError):
    """A request that isn't answered; by itself, because the image can't be used."""

    status = 422


class AmbiguousError(RefusedError):
    """A request whose end a proxy and this server could see at different places."""

    status = 400


class ForeignPageError(RefusedError):
    """A request that a page of another origin sent."""

    status = 403


class LateError(RefusedError):
    """A body that took too long to arrive."""

    status = 408


class TooLargeError(RefusedError):
    """An image with more bytes or pixels than the server restores."""

    status = 413


class WrongKindError(RefusedError):
    """A body that is no image of a kind that the server takes."""

    status = 415


class MisdirectedError(RefusedError):
    """A request to a name that isn't the server's."""

    status = 421


class BusyError(RefusedError):
    """A request for which there is no room or no time."""

    status = 503


def refusal(error: RequestError) -> JSONResponse:
    """Make the answer to a request that is refused.

    Args:
        error: Why.

    Returns:
        Its status, and what it says as JSON.
    """
    status = getattr(error, "status", RefusedError.status)
    headers = {"Retry-After": "10"} if status == BusyError.status else {}
    # The rest of a body that was refused unread can't be told from a next request.
    return JSONResponse({"error": str(error)}, status, {**headers, "Connection": "close"})
