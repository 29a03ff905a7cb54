"""`serve`: models behind HTTP; images in, restored images of the same kind out, and a page to try them on."""

from __future__ import annotations

import importlib.metadata
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from srexp.config.sections.verbs import ServeConfig
from srexp.enhance.runtimes.choice import RuntimeName
from srexp.enhance.serving.application import application
from srexp.enhance.serving.connections import Limits, server
from srexp.enhance.serving.turns import Turns
from srexp.errors import RequestError
from srexp.experiment.restoration.file_restoration import Restorer, chosen_runtime
from srexp.experiment.restoration.relayed_restoration import relaying, require_relayable
from srexp.experiment.restoration.request_restoration import request_restoration
from srexp.experiment.restoration.request_score import request_score
from srexp.experiment.restoration.request_view import request_view
from srexp.experiment.trained.loaded_model import opened
from srexp.system.stdio import say
from srexp.zoo.catalogue import shipped

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
    require_relayable(config)
    listening = _listen(config.host, config.port)
    with listening, ExitStack() as relay:
        turns, limits = Turns(config.workers), _limits(config)
        restorers, facts = _served(config, turns)
        if config.dicom:
            (restorer,) = restorers.values()
            say(f"dicom    {relay.enter_context(relaying(config, restorer, turns))}")
        app = application(
            {
                "/restore": request_restoration(restorers, config.max_pixels),
                "/view": request_view(config.max_pixels),
                "/score": request_score(restorers, config.max_pixels),
            },
            {
                "/version": facts[0],
                "/models": {
                    "models": [{**each, "intensity": restorers[each["model"]].intensity} for each in facts],
                    "max_bytes": limits.max_bytes,
                    "max_pixels": config.max_pixels,
                },
            },
            limits=limits,
            turns=turns,
            hosts=[config.host, *config.hosts],
            origins=config.origins,
        )
        address = f"http://{config.host}:{listening.getsockname()[1]}"
        say(f"serving  {address}/restore  (Ctrl-C ends it)")
        say(f"page     {address}/")
        server(app, limits).run(sockets=[listening])
    return {"address": address}


def _served(config: ServeConfig, turns: Turns) -> tuple[dict[str, Restorer], list[dict[str, Any]]]:
    """Start the models; gives them by their names, and what is told of each."""
    restorers, facts = dict[str, Restorer](), list[dict[str, Any]]()
    asked = config.model_uri or [each.address for each in shipped().values()]
    # To race the runtimes with each of the zoo takes minutes; whoever names a network has the fastest.
    runtime: RuntimeName = "keras" if config.model_uri is None and config.runtime == "auto" else config.runtime
    for uri in [asked] if isinstance(asked, str) else asked:
        model = opened(config, uri)
        if (name := model.loaded.found.readable) in restorers:
            continue
        chosen = chosen_runtime(config, model, runtime)
        restorers[name] = Restorer(
            model,
            model.intensity,
            self_ensemble=False,
            memory_mb=config.memory_mb,
            chosen=replace(chosen, restore=turns.taking(chosen.restore)),
            tile_pixels=TILE_PIXELS,
            on_tiles=turns.expect,
        )
        told = {"srexp": importlib.metadata.version("srexp"), "model": name, "digest": model.loaded.digest}
        facts.append({**told, "scale": model.scale, "runtime": chosen.runtime, "precision": chosen.precision})
        say(f"model    {name}, x{model.scale}")
        say(f"digest   {model.loaded.digest}")
        say(f"runtime  {chosen.told()}")
    return restorers, facts


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
