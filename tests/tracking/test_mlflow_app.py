"""MLflow's server without its assistant; in a browser: `tests/stories/test_ui.py`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from srexp.tracking import mlflow_app

pytestmark = pytest.mark.system

# In a process of its own, for MLflow's application is made when it is imported, and of the store that it finds then.
ASKED = """
import asyncio
from srexp.tracking.mlflow_app import create
app = create()

def ask(method, path):
    said = []
    async def receive():
        return {"type": "http.request", "body": b"{}"}
    async def send(message):
        said.append(message)
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "scheme": "http", "http_version": "1.1", "server": ("localhost", 5000), "client": ("127.0.0.1", 50000),
        "headers": [(b"host", b"localhost:5000"), (b"content-type", b"application/json")],
    }
    asyncio.run(app(scope, receive, send))
    return said[0]["status"], b"".join(each.get("body", b"") for each in said)

for method, path in (
    ("GET", "/"),
    ("GET", "/version"),
    ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
    ("GET", "/ajax-api/3.0/mlflow/assistant/providers"),
    ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
):
    status, body = ask(method, path)
    print(method, path, status, b"data-assistant-ui" in body)
"""


@pytest.mark.slow
def test_the_assistant_answers_nobody_and_the_rest_is_mlflows(tmp_path):
    done = subprocess.run([sys.executable, "-c", ASKED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "GET / 200 True",
        "GET /version 200 False",
        "GET /ajax-api/3.0/mlflow/assistant/config 404 False",
        "GET /ajax-api/3.0/mlflow/assistant/providers 404 False",
        "POST /ajax-api/3.0/mlflow/assistant/message 404 False",
    ], done.stderr


def test_mlflow_finds_it_by_its_name():
    from mlflow.server import _find_app, _is_factory

    assert _is_factory(_find_app(mlflow_app.NAME))
