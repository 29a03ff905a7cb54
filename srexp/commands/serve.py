"""`serve`: a model behind HTTP; images in, restored images of the same kind out."""

from __future__ import annotations

import importlib.metadata
import socket
from typing import Any

from srexp.config.schema import ServeConfig
from srexp.enhance.http_server import application
from srexp.errors import RequestError
from srexp.experiment.loaded_model import opened
from srexp.experiment.restoration.file_restoration import Restorer, chosen_runtime
from srexp.experiment.restoration.request_restoration import request_restoration
from srexp.system.stdio import say


def run(config: ServeConfig) -> dict[str, Any]:
    """Serve until interrupted.

    Args:
        config: Checked configuration, with the keys of `conf/serve.yaml`.

    Returns:
        The address served.

    Raises:
        RequestError: There is no such model, the runtime is not installed, or the port is taken.
    """
    import uvicorn

    listening = _listen(config.host, config.port)
    with listening:
        model = opened(config, config.model_uri)
        chosen = chosen_runtime(config, model)
        restorer = Restorer(model, model.intensity, self_ensemble=False, memory_mb=config.memory_mb, chosen=chosen)
        uri, scale, digest = model.loaded.found.readable, model.scale, model.loaded.digest
        facts = {"srexp": importlib.metadata.version("srexp"), "model": uri, "digest": digest, "scale": scale}
        app = application(
            request_restoration(restorer, config.max_pixels),
            facts={**facts, "runtime": chosen.runtime, "precision": chosen.precision},
            max_bytes=config.max_mb * 2**20,
            workers=config.workers,
            waiting=config.waiting,
        )
        address = f"http://{config.host}:{listening.getsockname()[1]}"
        say(f"model    {uri}, x{scale}")
        say(f"digest   {digest}")
        say(f"runtime  {chosen.told()}")
        say(f"serving  {address}/restore  (Ctrl-C ends it)")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
        server.run(sockets=[listening])
    return {"address": address}


def _listen(host: str, port: int) -> socket.socket:
    """Take the port, before a model is loaded in vain."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise RequestError(
            f"can't listen on {host}:{port}: {error.strerror}", fix=f"port={port + 1}, or host=127.0.0.1"
        ) from error
