"""MLflow's server as `ui` starts it: without its assistant, which would run programs for whoever reaches the port."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

#: Its name among MLflow's applications (`mlflow server --app-name`), in pyproject.toml.
NAME = "srexp"
# MLflow's page opens the assistant at the first visit, over the columns of a list, and keeps a button for it.
_OPENED_BEFORE = "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1"
_QUIET = (
    f'<script>localStorage.setItem({json.dumps(_OPENED_BEFORE)}, "true")</script>'
    "<style>[data-assistant-ui] { display: none !important }</style>"
)


def is_installed() -> bool:
    """Whether MLflow finds it; what was installed in place knows of it from the next installation on."""
    return bool(entry_points(group="mlflow.app", name=NAME))


def create() -> Starlette:
    """Build the application: MLflow's own, without the assistant's answers, and with a page that has no panel."""
    from mlflow.server import app as pages
    from mlflow.server import fastapi_app
    from mlflow.server.assistant.api import assistant_router
    from starlette.requests import Request
    from starlette.responses import HTMLResponse
    from starlette.routing import Mount, Route

    page = Path(str(pages.static_folder), "index.html").read_text(encoding="utf-8")
    quiet = page.replace("<head>", f"<head>{_QUIET}", 1)

    def front(_: Request) -> HTMLResponse:
        # Its scripts are named by their content, so a newer MLflow's page must not be an older one's from a cache.
        return HTMLResponse(quiet, headers={"Cache-Control": "no-cache"})

    # What is asked first answers: under the assistant's addresses nothing.
    app: Starlette = fastapi_app.app
    app.router.routes[:0] = [Mount(assistant_router.prefix, routes=[]), Route("/", front)]
    return app
