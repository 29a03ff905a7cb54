"""`ui`: the MLflow UI over the project's store."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from srexp.config.build import build
from srexp.config.schema import UiConfig
from srexp.errors import SrexpError
from srexp.tracking.store import connect


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
        print(f"the store is a server already: {store.uri}")
        return {"address": store.uri}
    task = connect(store).get_experiment_by_name(config.experiment_name)
    # Without the last part MLflow opens what it has for language models, and hides the runs behind a menu.
    page = f"experiments/{task.experiment_id}/runs" if task else "experiments"
    print(f"MLflow UI: {address}/#/{page}?workflowType=machine_learning  (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store.uri, "--host", config.host]
    command += ["--port", str(config.port), "--workers", "1"]
    if store.artifacts:
        command += ["--default-artifact-root", store.artifacts]
    ended = subprocess.run(command, check=False)
    if ended.returncode:
        raise SrexpError(f"the MLflow UI ended with {ended.returncode}", fix=f"port={config.port + 1}, if it is taken")
    return {"address": address}
