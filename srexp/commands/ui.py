"""`ui`: the MLflow UI over the project's store, or Optuna's dashboard of a study."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from srexp.config.builders import build
from srexp.config.sections.verbs import UiConfig
from srexp.errors import RequestError, SrexpError, did_you_mean
from srexp.experiment.search.search_job import studies_in
from srexp.metrics.table import counted
from srexp.search.optuna.dashboard import open_study, require_dashboard, server
from srexp.system.child_process import run_server
from srexp.system.masking.redaction import mask
from srexp.system.signals import interruptible
from srexp.system.stdio import say
from srexp.tracking import mlflow_app, pages
from srexp.tracking.runs import queries
from srexp.tracking.store.locations import strayed
from srexp.tracking.store.store import Store, connect

NEWEST = "newest"


def run(config: UiConfig) -> dict[str, Any]:
    """Serve until interrupted.

    Args:
        config: Checked configuration, with `host`, `port`, and perhaps the name of a `study`.

    Returns:
        The address served.

    Raises:
        RequestError: There is no such study, what would show it is not installed, or the port is taken.
        SrexpError: The server ended by itself.
    """
    if config.study is not None:
        return _dashboard(config, config.study)
    store = build(config.tracking, folder=config.paths.root).store
    remote = store.uri.startswith("http")
    address = mask(store.uri).rstrip("/") if remote else f"http://{config.host}:{config.port}"
    page = _page(store, address, config.experiment_name)
    if remote:
        say(f"the store is a server already: {page}")
        return {"address": mask(store.uri)}
    if moved := strayed(store.uri, store.artifacts):
        fix = "`python -m srexp runs relocate=true` lets MLflow find them"
        say(f"srexp: the store names {counted(moved, 'folder')} that its artifacts were in; {fix}", stderr=True)
    _require_free(config.host, config.port)
    say(f"MLflow UI: {page}  (Ctrl-C ends it)")
    command = [sys.executable, "-m", "mlflow", "ui", "--workers=1", f"--host={config.host}", f"--port={config.port}"]
    if store.artifacts:
        command.append(f"--default-artifact-root={store.artifacts}")
    if mlflow_app.is_installed():
        command.append(f"--app-name={mlflow_app.NAME}")
    else:
        say("srexp: MLflow's assistant stays on until srexp is installed once more: `make setup`", stderr=True)
    # Not as an option: every user of the machine sees a command line, and the address may have a password. Nothing of
    # srexp's is a job of MLflow's, for which it would keep processes of its own.
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    log = config.run_dir / "server.log"
    if code := run_server([*command, "--uvicorn-opts=--no-access-log"], environment, log):
        raise SrexpError(f"the MLflow UI ended with {code}; what it said is in {log}", fix=f"port={config.port + 1}")
    return {"address": address}


def _dashboard(config: UiConfig, study: str) -> dict[str, Any]:
    require_dashboard()
    known = studies_in(config.paths.studies)
    if config.storage is None and study not in known:
        raise RequestError(
            "there is no such study",
            got=f"study={study}",
            expected=f"one of {', '.join(sorted(known))}" if known else "a study that `search` began",
            fix=did_you_mean(study, known) or "storage=postgresql://..., if it is in a database",
        )
    about = known.get(study, {})
    if "keras_tuner" in about.get("engine", ""):
        raise RequestError(
            "Optuna's dashboard doesn't read a study of Keras Tuner",
            got=f"study={study}",
            fix="leave study out: MLflow's UI has its trials",
        )
    if about.get("storage") and config.storage is None:
        raise RequestError(f"the study {study} is in a database", fix="storage= what search.storage was")
    storage, number = open_study(study, config.paths.studies / study, config.storage)
    address = f"http://{config.host}:{config.port}/dashboard/studies/{number}"
    with server(storage, config.host, config.port) as serving, interruptible():
        say(f"Optuna Dashboard: {address}  (Ctrl-C ends it)")
        serving.serve_forever()
    return {"address": address}


def _require_free(host: str, port: int) -> None:
    """Refuse a port that is taken: MLflow would say so in its log alone, and wait there for good."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise RequestError(f"can't listen on {host}:{port}: {error.strerror}", fix=f"port={port + 1}") from error


def _page(store: Store, address: str, asked: str) -> str:
    """Give the address of a task's runs, or of all tasks where there is no such task yet."""
    client = connect(store)
    pages.keep_view(client)
    newest = queries.latest(store, limit=1) if asked == NEWEST else []
    task = client.get_experiment_by_name(newest[0].experiment if newest else asked)
    return pages.list_page(address, task.experiment_id) if task else pages.home_page(address)
