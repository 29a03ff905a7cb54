"""Who may ask: by which name the server was called, and from which page."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from srexp.enhance.serving.refusals import AmbiguousError, ForeignPageError, MisdirectedError, refusal
from srexp.errors import RequestError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/\[\]]+)(:\d*)?")
_HARMLESS = ("GET", "HEAD", "OPTIONS")


class Access:
    """Answer only requests that were meant for this server.

    A page whose name was made to resolve to this machine still calls the server by that name, and a browser says which
    page made it post. Refused are also bodies with two lengths, which a proxy in front could end elsewhere.

    Args:
        app: What answers the others; an ASGI application.
        hosts: Names by which the server may be called, beside those of the loopback and the address that was reached.
        origins: Origins such as `https://viewer.example` whose pages may post.

    References:
        RFC 9110, sections 7.2 and 7.4; RFC 9112, section 6.3; https://www.w3.org/TR/fetch-metadata/.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._app = app
        self._hosts = {"localhost", *(host.lower().strip("[]") for host in hosts)}
        self._origins = {origin.lower() for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        try:
            self._check(Headers(scope=scope), scope)
        except RequestError as error:
            await refusal(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _check(self, headers: Headers, scope: Scope) -> None:
        host = headers.get("host", "").lower()
        if not self._knows(host, reached=scope["server"][0]):
            raise MisdirectedError(
                "the server doesn't go by this name",
                got=host,
                expected=", ".join(sorted(self._hosts)),
                fix="hosts=[NAME]",
            )
        if "transfer-encoding" in headers and "content-length" in headers:
            raise AmbiguousError("the body has two lengths", expected="Content-Length or Transfer-Encoding")
        if scope["method"] not in _HARMLESS:
            self._check_page(headers, host)

    def _knows(self, host: str, *, reached: str) -> bool:
        parts = _HOST.fullmatch(host)
        name = parts[1].strip("[]") if parts else ""
        try:
            return name in {*self._hosts, reached} or ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def _check_page(self, headers: Headers, host: str) -> None:
        origins = {origin.lower() for origin in headers.getlist("origin")}
        if origins and origins <= self._origins:
            return
        foreign = [origin for origin in origins if origin.partition("://")[2] != host]
        foreign += [site for site in headers.getlist("sec-fetch-site") if site not in ("none", "same-origin")]
        if foreign:
            raise ForeignPageError("a page of another origin asks", got=foreign[0], fix="origins=[https://NAME]")
