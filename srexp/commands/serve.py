"""`serve`: a model behind HTTP; images in, restored images of the same kind out."""

from __future__ import annotations

import importlib.metadata
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from srexp.config.schema import ServeConfig
from srexp.data.formats.registry import frames_in, kind_of, shape_of
from srexp.data.image import Kind, TooManyPixelsError, UnreadableImageError
from srexp.data.restored_image import Origin
from srexp.enhance.http_server import Answer, TooLargeError, WrongKindError, application
from srexp.errors import RequestError
from srexp.experiment.file_restoration import Restorer
from srexp.experiment.loaded_model import chosen_runtime, opened

#: Kinds of images that are taken, and answered as they came, with their media types.
MEDIA_TYPES: dict[Kind, str] = {
    "png": "image/png",
    "tiff": "image/tiff",
    "jpeg": "image/jpeg",
    "bmp": "image/bmp",
    "dicom": "application/dicom",
}


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
        chosen = chosen_runtime(config, model, config.runtime, config.precision)
        restorer = Restorer(model, model.intensity, self_ensemble=False, memory_mb=config.memory_mb, chosen=chosen)
        restore = _restoration(restorer, config)
        uri, scale = model.loaded.found.readable, model.scale
        facts = {"srexp": importlib.metadata.version("srexp"), "model": uri, "scale": scale, "runtime": chosen.runtime}
        app = application(
            restore,
            facts={**facts, "precision": chosen.precision},
            max_bytes=config.max_mb * 2**20,
            workers=config.workers,
            waiting=config.waiting,
        )
        address = f"http://{config.host}:{listening.getsockname()[1]}"
        print(f"model    {uri}, x{scale}")
        print(f"runtime  {chosen.told()}")
        print(f"serving  {address}/restore  (Ctrl-C ends it)", flush=True)
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


def _restoration(restorer: Restorer, config: ServeConfig) -> Callable[[bytes], Answer]:
    """Join reading, restoring and writing: bytes in, bytes out."""

    def restore(body: bytes) -> Answer:
        with tempfile.TemporaryDirectory(prefix="srexp-") as scratch:
            path, target = Path(scratch, "sent"), Path(scratch, "restored")
            path.write_bytes(body)
            kind = _kind(path)
            _check(path, restorer.opened.scale, config.max_pixels)
            restorer.restore_file(Origin(path, kind, (0,), restorer.intensity), kind, target)
            return Answer(target.read_bytes(), MEDIA_TYPES[kind])

    return restore


def _kind(path: Path) -> Kind:
    try:
        kind = kind_of(path)
    except UnreadableImageError as error:
        raise WrongKindError("the body is no image", expected=f"one of {', '.join(MEDIA_TYPES)}") from error
    if kind not in MEDIA_TYPES:
        raise WrongKindError("the server doesn't take this kind of image", got=kind, expected=", ".join(MEDIA_TYPES))
    return kind


def _check(path: Path, scale: int, most: int) -> None:
    """Look at the header: nothing is decoded that is too large, or more than one image."""
    try:
        height, width = shape_of(path)
    except TooManyPixelsError as error:
        raise TooLargeError(error.told()) from error
    if height * width * scale**2 > most:
        raise TooLargeError(
            "the image is too large", got=f"{height} x {width}", expected=f"a restoration of at most {most} pixels"
        )
    if len(frames_in(path)) != 1:
        raise RequestError("the file has several images", expected="one image in a request")
