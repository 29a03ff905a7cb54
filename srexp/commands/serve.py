"""`serve`: a model behind HTTP; images in, restored images of the same kind out."""

from __future__ import annotations

import importlib.metadata
import io
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from srexp.commands.export import scale_of
from srexp.commands.probes import pairs
from srexp.config.build import build
from srexp.config.schema import ServeConfig
from srexp.data.image import Stored, TooManyPixelsError, UnreadableImageError, quantised, stored
from srexp.data.read import Kind, frames_in, kind_of, read_image, shape_of
from srexp.enhance.server import Answer, TooLargeError, WrongKindError, application
from srexp.errors import RequestError
from srexp.tracking.models import load
from srexp.types import Pixels

if TYPE_CHECKING:
    import keras

    from srexp.enhance.runtimes import Chosen


class Writer(NamedTuple):
    """How a restored image is answered.

    Args:
        write: From the restored image and the file that was sent to the file to answer.
        media_type: Its type.
    """

    write: Callable[[Stored, Path], bytes]
    media_type: str


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
        model, uri = _load(config)
        chosen = _choose(model, config)
        scale = scale_of(model)
        restore = _restoration(model, scale, chosen, config)
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


def _load(config: ServeConfig) -> tuple[keras.Model, str]:
    from srexp.training.numerics import load_quietly

    load_quietly()
    loaded = load(build(config.tracking, folder=config.paths.root).store, config.model_uri)
    return loaded.model, loaded.found.readable


def _choose(model: keras.Model, config: ServeConfig) -> Chosen:
    from srexp.enhance.runtimes import choose

    probes = pairs(scale_of(model), model.input_shape[-1])
    return choose(model, runtime=config.runtime, precision=config.precision, probes=probes, cache=config.paths.cache)


def _restoration(model: keras.Model, scale: int, chosen: Chosen, config: ServeConfig) -> Callable[[bytes], Answer]:
    """Join reading, restoring and writing: bytes in, bytes out."""
    from srexp.enhance.predict import predictor

    predict = predictor(model, scale, config.memory_mb, restore=chosen.restore)
    channels = model.input_shape[-1]

    def restore(body: bytes) -> Answer:
        with tempfile.NamedTemporaryFile(prefix="srexp-") as file:
            file.write(body)
            file.flush()
            path = Path(file.name)
            kind = _kind(path)
            _check(path, scale, config.max_pixels)
            low = read_image(path)
            if low.pixels.shape[-1] != channels:
                raise RequestError(
                    "the model can't take this image",
                    got=f"{low.pixels.shape[-1]} channels",
                    expected=str(channels),
                )
            restored = as_stored(predict(low.to_float()), low.bits)
            return Answer(WRITERS[kind].write(restored, path), WRITERS[kind].media_type)

    return restore


def _kind(path: Path) -> Kind:
    try:
        kind = kind_of(path)
    except UnreadableImageError as error:
        raise WrongKindError("the body is no image", expected=f"one of {', '.join(WRITERS)}") from error
    if kind not in WRITERS:
        raise WrongKindError("the server doesn't take this kind of image", got=kind, expected=", ".join(WRITERS))
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


def as_stored(restored: Pixels, bits: int) -> Stored:
    """Round a restored image to the bit depth of its input.

    Args:
        restored: (h, w, c), as the network gives it.
        bits: Bit depth to round to.

    Returns:
        The image, clipped to its range.
    """
    return stored(quantised(np.clip(restored.astype(np.float64), 0, 1), bits), bits, lossy=False)


def _raster(form: str, **options: Any) -> Callable[[Stored, Path], bytes]:
    from PIL import Image

    def write(image: Stored, _: Path) -> bytes:
        out = io.BytesIO()
        pixels = image.pixels[..., 0] if image.pixels.shape[-1] == 1 else image.pixels
        if pixels.dtype == np.uint16 and (form not in ("PNG", "TIFF") or pixels.ndim > 2):  # noqa: PLR2004 - colour
            raise RequestError(
                "the restored image has more bits than can be written", got=image.bits, expected="8 bits"
            )
        Image.fromarray(pixels).save(out, form, **options)
        return out.getvalue()

    return write


#: Kinds of images that are taken and answered.
WRITERS: dict[str, Writer] = {
    "png": Writer(_raster("PNG"), "image/png"),
    "tiff": Writer(_raster("TIFF"), "image/tiff"),
    "jpeg": Writer(_raster("JPEG", quality=95), "image/jpeg"),
    "bmp": Writer(_raster("BMP"), "image/bmp"),
}
