"""The page at `/`, on which models are tried by hand: files beside this one, which ask no other server for anything."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "page_files"

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: Nothing but these files runs or is shown, nothing is sent elsewhere, and no other page frames it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def page_routes() -> list[Route]:
    """Give `/` and what the page consists of, each under its own name."""
    return [
        Route(
            "/" if path.name == "index.html" else f"/page/{path.name}",
            Response(path.read_bytes(), media_type=_TYPES[path.suffix], headers=HEADERS),
            methods=["GET"],
        )
        for path in sorted(FOLDER.iterdir())
        if path.suffix in _TYPES
    ]
