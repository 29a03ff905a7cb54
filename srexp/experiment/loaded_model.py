"""A model that a command is given by its address, ready to restore images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from srexp.config.builders import build
from srexp.config.schema import Config
from srexp.data.image import Channel, Intensity
from srexp.errors import RequestError

if TYPE_CHECKING:
    from srexp.tracking.registry.models import Loaded

BICUBIC = "bicubic"
_PROBE = 32


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


def opened(config: Config, uri: str, *, channels: int = 1) -> Opened:
    """Load a model, or build bicubic interpolation, and learn its scale from itself.

    Args:
        config: Checked configuration: `tracking` for the store, `scale` for bicubic interpolation.
        uri: See `srexp.tracking.registry.models.load`; or `bicubic`.
        channels: Channels of the images, for bicubic interpolation; other models have their own.

    Returns:
        The model.

    Raises:
        RequestError: There is no such model, it may run code, or `scale=` asks for another one than it has.
        SrexpError: The store can't be reached.
    """
    from srexp.tracking.registry.models import load
    from srexp.training.numerics import load_quietly

    load_quietly()
    if uri == BICUBIC:
        loaded = _bicubic(config.scale, channels)
    else:
        loaded = load(build(config.tracking, folder=config.paths.root).store, uri, others=[BICUBIC])
    scale = scale_of(loaded)
    if any(override.lstrip("+").startswith("scale=") for override in config.overrides) and config.scale != scale:
        raise RequestError(
            "the model has another scale", got=f"scale={config.scale}", expected=f"scale={scale}, or leave it out"
        )
    facts = loaded.facts
    channels = int(loaded.model.input_shape[-1])
    channel: Channel = "rgb" if channels > 1 else "y" if facts.get("protocol.channel") == "y" else "grey"
    intensity: Intensity = next(
        (each for each in get_args(Intensity) if each == facts.get("dataset.intensity")), "bits"
    )
    return Opened(loaded, scale, channels, intensity, channel)


def _bicubic(scale: int, channels: int) -> Loaded:
    from srexp.models import bicubic
    from srexp.tracking.registry.models import Loaded
    from srexp.tracking.store.addresses import Found

    network = bicubic.build(scale, channels, name=BICUBIC)
    return Loaded(network, Found(BICUBIC, path=Path(BICUBIC)), sha256=f"{BICUBIC}-x{scale}")


def scale_of(loaded: Loaded) -> int:
    """Find how many times a model enlarges: from its layers, or else from what it makes of a small image.

    Raises:
        RequestError: It gives no whole multiple of its input.
    """
    from srexp.enhance.receptive_field import receptive_field

    if sees := receptive_field(loaded.model):
        return sees.scale
    shape = (1, *((_PROBE if length is None else length) for length in loaded.model.input_shape[1:]))
    height = int(np.asarray(loaded.model(np.zeros(shape, np.float32), training=False)).shape[1])
    if height % shape[1]:
        raise RequestError(
            "the model gives no whole multiple of its input",
            got=f"{loaded.found.uri}: {shape[1]} pixels became {height}",
            expected="a network (n, h, w, c) to (n, h * scale, w * scale, c)",
        )
    return height // shape[1]
