"""A model that a command is given by its address, ready to restore images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from srexp.config.builders import build
from srexp.config.override_grammar import key_of
from srexp.config.sections.verbs import RestoreConfig
from srexp.data.image import Channel, Intensity
from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.experiment.kernels import network_of
from srexp.experiment.task import Task
from srexp.models.interpolation import METHODS
from srexp.models.interpolation import build as interpolation
from srexp.system.kernels import choice
from srexp.tracking.registry.models import Loaded, load, require_digest
from srexp.tracking.store.addresses import Found, find, require_files
from srexp.tracking.store.store import Store
from srexp.training.numerics import load_quietly
from srexp.types import Network

NO_FILE = "an interpolation, which is no file"
_PROBE = (24, 20)


@dataclass(frozen=True, slots=True)
class Opened:
    """A model with what decides how images are given to it.

    Args:
        loaded: The model and what the store knows of it.
        scale: Output pixels per input pixel, along each axis.
        channels: 1 or 3.
        intensity: How stored values became the range that it was trained on.
        channel: Which channel it was trained on.
    """

    loaded: Loaded
    scale: int
    channels: int
    intensity: Intensity
    channel: Channel

    @property
    def model(self) -> Any:
        """The Keras model."""
        return self.loaded.model


def opened(config: RestoreConfig, uri: str, *, channels: int = 1) -> Opened:
    """Load a model, or build an interpolation, and learn its scale from itself.

    Args:
        config: Checked configuration: `tracking` for the store, `scale` for an interpolation, `require_digest`.
        uri: See `srexp.tracking.registry.models.load`; or `bicubic`, `lanczos` or `nearest`.
        channels: Channels of the images, for an interpolation; other models have their own.

    Returns:
        The model.

    Raises:
        RequestError: There is no such model, it may run code, or it has another digest or scale than was asked for.
        SrexpError: The store can't be reached.
    """
    if uri in METHODS:
        require_digest(uri, NO_FILE, config.require_digest)
        load_quietly()
        network = interpolation(config.scale, channels, method=uri)
        loaded = Loaded(network, Found(uri, path=Path(uri)), sha256=f"{uri}-x{config.scale}")
    else:
        store = build(config.tracking, folder=config.paths.root).store
        found = awaited(store, uri, others=METHODS)
        load_quietly()
        loaded = load(store, found, digest=config.require_digest)
    scale = scale_of(loaded.model, loaded.found.uri)
    if "scale" in map(key_of, config.overrides) and config.scale != scale:
        raise RequestError(
            "the model has another scale", got=f"scale={config.scale}", expected=f"scale={scale}, or leave it out"
        )
    known = loaded.facts
    channels = int(loaded.model.input_shape[-1])
    channel: Channel = "rgb" if channels > 1 else "y" if known.get("protocol.channel") == "y" else "grey"
    intensity: Intensity = next(
        (each for each in get_args(Intensity) if each == known.get("dataset.intensity")), "bits"
    )
    return Opened(loaded, scale, channels, intensity, channel)


def awaited(store: Store, uri: str, *, others: Collection[str] = ()) -> Found:
    """Find a model that will be loaded, and let TensorFlow, if it isn't imported yet, take the kernels that suit it.

    Of several models in one process the first one decides.

    Args:
        store: Where models are kept.
        uri: See `srexp.tracking.store.addresses.find`.
        others: Words that the caller understands besides, for did-you-mean.

    Returns:
        Where the model is; its files are there.

    Raises:
        RequestError: There is no such model.
        SrexpError: The store can't be reached.
    """
    found = find(store, uri, others=others)
    require_files(store, found)
    choice.settle(network_of(store, found), "restoring")
    return found


def scale_of(model: Network, uri: str) -> int:
    """Ask a network's layers how many times it enlarges, or else what it makes of a small image.

    Args:
        model: Loaded model.
        uri: What messages call it.

    Raises:
        RequestError: It doesn't enlarge by a whole number.
    """
    if sees := receptive_field(model):
        return sees.scale
    _, *side, channels = model.input_shape
    low = tuple(given or probe for given, probe in zip(side, _PROBE, strict=True))
    restored = np.asarray(model(np.zeros((1, *low, channels), np.float32), training=False)).shape[1:3]
    scale = int(restored[0]) // low[0]
    if restored != (low[0] * scale, low[1] * scale):
        raise RequestError(
            f"{uri} doesn't enlarge by a whole number",
            got=f"{low} to {restored}",
            expected="a network (n, h, w, c) to (n, h * scale, w * scale, c)",
        )
    return scale


def loaded_for(task: Task, store: Store, found: Found, *, digest: str | None = None) -> Loaded:
    """Load a model that is to be scored on a task.

    Args:
        task: What it is scored on.
        store: Where models are kept.
        found: Where it is there.
        digest: `sha256:...` that its file must have; None for any.

    Raises:
        RequestError: It can't be trusted to be only a network, has another digest, or doesn't fit the task.
        SrexpError: Its files are damaged or gone.
    """
    loaded = load(store, found, digest=digest)
    require_fit(loaded.model, task, found.uri)
    return loaded


def require_fit(model: Network, task: Task, uri: str) -> None:
    """Hold a model's channels and scale against the configuration.

    Args:
        model: Loaded model.
        task: What it is to be scored on.
        uri: What messages call it.

    Raises:
        RequestError: It takes other images, or enlarges by another scale.
    """
    shape = model.input_shape
    if shape[1:3] != (None, None):
        raise RequestError(f"{uri} doesn't take images of any size", got=shape, expected="(None, None, None, channels)")
    if shape[-1] != task.channels:
        raise RequestError(
            f"{uri} takes images of {shape[-1]} channel{'s' * (shape[-1] != 1)}",
            got=f"protocol.channel={task.channel}, which gives {task.channels}",
            expected="as many channels as the model was trained with",
            fix="protocol.channel=grey"
            if shape[-1] == 1
            else "protocol.channel=rgb, or protocol=y protocol.colour=true",
        )
    scale = scale_of(model, uri)
    if scale != task.config.scale:
        raise RequestError(
            f"{uri} enlarges {scale} times",
            got=f"scale={task.config.scale}",
            expected="the scale that the model was trained for",
            fix=f"scale={scale}",
        )
