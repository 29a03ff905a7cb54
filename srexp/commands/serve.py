"""`serve`: a model behind HTTP; images in, restored images of the same kind out."""

from __future__ import annotations

import importlib.metadata
import socket
from dataclasses import replace
from typing import Any

from srexp.config.schema import ServeConfig
from srexp.enhance.serving.application import application
from srexp.enhance.serving.connections import Limits, server
from srexp.enhance.serving.turns import Turns
from srexp.errors import RequestError
from srexp.experiment.loaded_model import opened
from srexp.experiment.restoration.file_restoration import Restorer, chosen_runtime
from srexp.experiment.restoration.request_restoration import request_restoration
from srexp.system.stdio import say

#: Pixels of the restoration in a tile: small images come between two. For the halos VDSR computes a quarter more than
#: in tiles that fill the memory.
TILE_PIXELS = 2**17


def run(config: ServeConfig) -> dict[str, Any]:
    """Serve until interrupted.

    Args:
        config: Checked configuration, with the keys of `conf/serve.yaml`.

    Returns:
        The address served.

    Raises:
        RequestError: There is no such model, the runtime is not installed, or the port is taken.
    """
    listening = _listen(config.host, config.port)
    with listening:
        model = opened(config, config.model_uri)
        chosen, turns = chosen_runtime(config, model), Turns(config.workers)
        restorer = Restorer(
            model,
            model.intensity,
            self_ensemble=False,
            memory_mb=config.memory_mb,
            chosen=replace(chosen, restore=turns.taking(chosen.restore)),
            tile_pixels=TILE_PIXELS,
        )
        uri, scale, digest, limits = model.loaded.found.readable, model.scale, model.loaded.digest, _limits(config)
        facts = {"srexp": importlib.metadata.version("srexp"), "model": uri, "digest": digest, "scale": scale}
        app = application(
            request_restoration(restorer, config.max_pixels),
            facts={**facts, "runtime": chosen.runtime, "precision": chosen.precision},
            limits=limits,
            turns=turns,
            hosts=[config.host, *config.hosts],
            origins=config.origins,
        )
        address = f"http://{config.host}:{listening.getsockname()[1]}"
        say(f"model    {uri}, x{scale}")
        say(f"digest   {digest}")
        say(f"runtime  {chosen.told()}")
        say(f"serving  {address}/restore  (Ctrl-C ends it)")
        server(app, limits).run(sockets=[listening])
    return {"address": address}


def _limits(config: ServeConfig) -> Limits:
    return Limits(
        head_seconds=config.head_seconds,
        body_seconds=config.body_seconds,
        image_seconds=config.image_seconds,
        max_bytes=config.max_mb * 2**20,
        spool_bytes=max(config.spool_mb, config.max_mb) * 2**20,
        workers=config.workers,
        waiting=config.waiting,
        connections=config.connections,
        connections_per_client=config.connections_per_client,
    )


def _listen(host: str, port: int) -> socket.socket:
    """Take the port, before a model is loaded in vain."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise RequestError(
            f"can't listen on {host}:{port}: {error.strerror}", fix=f"port={port + 1}, or host=127.0.0.1"
        ) from error
