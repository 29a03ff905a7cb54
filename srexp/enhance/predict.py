"""A trained model as a function from image to image."""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import TypeAlias

import numpy as np

from srexp.enhance.receptive_field import receptive_field
from srexp.enhance.tiling import joined, restore_in_strips, tile_shape, windows
from srexp.errors import RequestError
from srexp.lazy_imports import tf
from srexp.network_graph import operations, tensor_bytes
from srexp.types import Batch, Network, Pixels

#: A network: (n, h, w, c) to (n, h * scale, w * scale, c), float32, any sizes.
Restore: TypeAlias = Callable[[Batch], Batch]


def batch_predictor(model: Network) -> Restore:
    """Make a model a function of batches, without progress bars, callbacks or just-in-time compilation.

    One graph serves all shapes. Called without a graph, a model keeps the output of every layer until the last one is
    done: 20 times the memory for VDSR.

    Args:
        model: Built Keras model. Later changes of its weights are seen.

    Returns:
        Function from (n, h, w, c) to (n, h * scale, w * scale, c), float32; returns when the values are there.
    """
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)]
    graph = tf.function(
        lambda batch: model(batch, training=False), input_signature=signature, autograph=False, jit_compile=False
    )

    def predict_batch(batch: Batch) -> Batch:
        return np.asarray(graph(np.asarray(batch, dtype=np.float32)), dtype=np.float32)

    return predict_batch


def predictor(
    model: Network, scale: int, memory_mb: float = 1024, *, restore: Restore | None = None
) -> Callable[[Pixels], Pixels]:
    """Make a model a function of images of any size, in bounded memory.

    An image whose activations would take more than `memory_mb` is restored in tiles; the result is the same. A model
    that may look at the whole image (pooling, attention, layers that aren't Keras's own) is never tiled.

    Tiles are given one by one: in batches of four a pixel took as long (VDSR, tiles of 128 to 512 pixels, 2 cores), and
    in the memory of a batch there is room for one tile whose halo is a smaller part of it.

    Args:
        model: Built Keras model, (n, None, None, c) to (n, None, None, c).
        scale: Ratio of the high to the low resolution.
        memory_mb: MiB for the network's activations; the image itself and TensorFlow come on top.
        restore: The same network in another runtime, which then computes in place of Keras.

    Returns:
        Function from (h, w, c) float32 in [0, 1] to (h * scale, w * scale, c) float32, as the network gives it: not
        clipped, not rounded.

    Raises:
        RequestError: The model is known to have another scale. The function raises it for an image that hasn't the
            model's channels or three axes, or that can't be tiled and is too large for `memory_mb`.
    """
    strips = strip_predictor(model, scale, memory_mb, restore=restore)
    return lambda low: joined(strips(low), low.shape[0] * scale)


def strip_predictor(
    model: Network,
    scale: int,
    memory_mb: float = 1024,
    *,
    restore: Restore | None = None,
    tile_pixels: float = math.inf,
    on_tiles: Callable[[int], object] = lambda _: None,
) -> Callable[[Pixels], Iterator[Pixels]]:
    """Make a model a function that gives the restored image strip by strip, for images larger than memory should hold.

    Args:
        model: As for `predictor`, with all that is said there.
        scale: Ratio of the high to the low resolution.
        memory_mb: MiB for the network's activations.
        restore: As for `predictor`.
        tile_pixels: Pixels of the restoration that a tile may have.
        on_tiles: Called with the number of tiles of each image, before the first one is computed.

    Returns:
        Function from (h, w, c) to parts (rows, w * scale, c) from top to bottom; see `srexp.enhance.tiling.joined`.

    Raises:
        RequestError: As `predictor`.
    """
    restore, sees = restore or batch_predictor(model), receptive_field(model)
    needed = lru_cache(maxsize=64)(partial(whole_bytes, model))
    if sees is not None and sees.scale != scale:
        raise RequestError(
            f"the model enlarges {sees.scale} times", got=f"scale={scale}", expected=f"scale={sees.scale}"
        )
    channels = model.input_shape[-1]

    def predict(low: Pixels) -> Iterator[Pixels]:
        if low.ndim != 3 or low.shape[-1] != channels or 0 in low.shape:  # noqa: PLR2004 - (h, w, c)
            raise RequestError(
                "the model can't take this image", got=f"shape {low.shape}", expected=f"(h, w, {channels}), not empty"
            )
        if sees is None:
            _require_memory(needed(low.shape), low.shape, memory_mb)
            on_tiles(1)
            return iter([restore(low[np.newaxis])[0]])
        most_mb = min(memory_mb, tile_pixels / scale**2 * sees.bytes_per_pixel / 2**20)
        tile = tile_shape(low.shape[:2], halo=sees.radius, bytes_per_pixel=sees.bytes_per_pixel, memory_mb=most_mb)
        on_tiles(math.prod(len(windows(*each, sees.radius)) for each in zip(low.shape, tile, strict=False)))
        return restore_in_strips(restore, low, scale=scale, halo=sees.radius, tile=tile)

    return predict


def _require_memory(needed: int, shape: tuple[int, ...], memory_mb: float) -> None:
    """Refuse an image that can be restored only as a whole and would need more than there may be."""
    if needed > memory_mb * 2**20:
        raise RequestError(
            f"the model may look at the whole image, so it can't be restored in tiles, and {shape[0]} x {shape[1]} "
            f"pixels need {needed / 2**20:,.0f} MiB",
            expected=f"at most {memory_mb:,.0f} MiB",
            fix="a larger memory_mb, smaller images, or a model of convolutions alone",
        )


def whole_bytes(model: Network, shape: tuple[int, ...]) -> int:
    """Say how much memory the largest step of a model takes for a whole image, without taking it.

    Args:
        model: Any Keras model.
        shape: (h, w, c) of the image.

    Returns:
        Bytes of the inputs and outputs of the operation that has the largest.
    """
    return max(
        sum(tensor_bytes(tensor) for tensor in (*step.inputs, *step.outputs)) for step in operations(model, (1, *shape))
    )
