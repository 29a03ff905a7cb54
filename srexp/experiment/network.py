"""The network of a task, and any network as a function of images: precision, strategy, tiling, bicubic beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from srexp.config.builders import build
from srexp.config.sections.base import Config
from srexp.enhance import predict
from srexp.models import bicubic
from srexp.system.kernels import weight_gradients
from srexp.training import numerics, replicas
from srexp.training.cluster import team
from srexp.types import Network, Pixels

#: Degraded image (h, w, c) to restored image (h * scale, w * scale, c).
Predict: TypeAlias = Callable[[Pixels], Pixels]


def prepare(config: Config) -> None:
    """Load TensorFlow quietly, with the seed and the determinism that a configuration asks for.

    Args:
        config: Checked configuration.
    """
    numerics.load_quietly()
    numerics.prepare(seed=config.seed, deterministic=config.trainer.deterministic)


def joined(config: Config) -> team.Team | None:
    """Join the processes that train together, where that is asked for; each waits for all others, once.

    Args:
        config: Checked configuration.

    Returns:
        All of them; None where this process trains alone.

    Raises:
        SrexpError: The environment doesn't say which they are, or they don't come.
    """
    if config.trainer.strategy != "multi_worker":
        return None
    prepare(config)
    return team.join()


def float32_network(config: Config, channels: int, *, scale: int | None = None) -> Network:
    """Build the network that restores images, whatever precision it is trained in.

    Args:
        config: Checked configuration.
        channels: Of the images.
        scale: What it enlarges; None for the scale of the configuration.

    Returns:
        A float32 network with initial weights.
    """
    with numerics.policy("float32"):
        network: Network = build(config.model, scale=scale or config.scale, channels=channels)
    return network


@contextmanager
def trained_network(config: Config, channels: int, *, precision: str, one_device: bool = False) -> Iterator[Network]:
    """Build the network whose steps are taken, and hold the devices that they are taken on.

    Args:
        config: Checked configuration.
        channels: Of the images.
        precision: Keras dtype policy, from `precision_of`.
        one_device: Whether several GPUs can't share its steps.

    Yields:
        A network with initial weights; it is compiled and trained while the context is open.
    """
    with replicas.scope("single" if one_device else config.trainer.strategy):
        network = numerics.built(precision, lambda: build(config.model, scale=config.inner_scale, channels=channels))
        weight_gradients.take_products(network)
        yield network


def precision_of(config: Config, network: Network) -> str:
    """Choose the Keras dtype policy in which a network is trained, see `numerics.resolve_precision`."""
    return numerics.resolve_precision(config.trainer.precision, network)


def predictor(model: Network, config: Config, *, scale: int | None = None) -> Predict:
    """Make a network a function of images of any size, in tiles where one needs more than `trainer.memory_mb`.

    Args:
        model: Built network.
        config: Has the memory, and the scale.
        scale: What the network enlarges; None for the scale of the configuration.

    Returns:
        Function from an image to what the network makes of it.
    """
    return predict.predictor(model, scale or config.scale, config.trainer.memory_mb)


def bicubic_predictor(config: Config, channels: int, *, scale: int | None = None) -> Predict:
    """Give bicubic interpolation, the way the networks do it inside: what every network is scored beside.

    Args:
        config: Has the memory, and the scale.
        channels: Of the images.
        scale: What is enlarged; None for the scale of the configuration.

    Returns:
        Function from an image to its enlargement.
    """
    return predictor(bicubic.build(scale or config.scale, channels), config, scale=scale)


def timed_image(config: Config, channels: int, *, scale: int | None = None) -> Pixels:
    """Give the image on which networks are timed: noise, enlarged to `trainer.validation_size`.

    Args:
        config: Has the size and the scale.
        channels: Of the image.
        scale: Another scale than that of the configuration.

    Returns:
        (h, w, channels), float32 in [0, 1].
    """
    side = config.trainer.validation_size // (scale or config.scale)
    return np.random.default_rng(0).random((side, side, channels), dtype=np.float32)
