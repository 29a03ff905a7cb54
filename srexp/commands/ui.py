"""`ui`: the MLflow UI over the project's store."""

from __future__ import annotations

import os
import sys
from typing import Any

from srexp.config.builders import build
from srexp.config.schema import UiConfig
from srexp.errors import SrexpError
from srexp.system.child_process import run_server
from srexp.system.masking.redaction import mask
from srexp.system.stdio import say
from srexp.tracking.store.locations import strayed
from srexp.tracking.store.store import connect


def run(config: UiConfig) -> dict[str, Any]:
    """Serve until interrupted.

    Args:
        config: Checked configuration, with `host` and `port`.

    Returns:
        The address served.

    Raises:
        SrexpError: The server ended by itself.
    """
    store = build(config.tracking, folder=config.paths.root).store
    address = f"http://{config.host}:{config.port}"
    if store.uri.startswith("http"):
        say(f"the store is a server already: {store.uri}")
        return {"address": mask(store.uri)}
    task = connect(store).get_experiment_by_name(config.experiment_name)
    if moved := strayed(store.uri, store.artifacts):
        fix = "`python -m srexp runs relocate=true` lets MLflow find them"
        say(f"srexp: {moved} addresses in the store lead to where its artifacts were; {fix}", stderr=True)
    # Without the last part MLflow opens what it has for language models, and hides the runs behind a menu.
    page = f"experiments/{task.experiment_id}/runs" if task else "experiments"
    say(f"MLflow UI: {address}/#/{page}?workflowType=machine_learning  (Ctrl-C ends it)")
    command = [sys.executable, "-m", "mlflow", "ui", "--workers=1", f"--host={config.host}", f"--port={config.port}"]
    if store.artifacts:
        command.append(f"--default-artifact-root={store.artifacts}")
    # Not as an option: every user of the machine sees a command line, and the address may have a password.
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": store.uri}
    if code := run_server(command, environment):
        raise SrexpError(f"the MLflow UI ended with {code}", fix=f"port={config.port + 1}, if it is taken")
    return {"address": address}
