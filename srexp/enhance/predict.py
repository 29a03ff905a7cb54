"""A trained model as a function from image to image."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from srexp.enhance.reach import reach
from srexp.enhance.tile import restore_in_tiles, tile_shape
from srexp.errors import RequestError
from srexp.types import Batch, Pixels

if TYPE_CHECKING:
    import keras

Restore: TypeAlias = Callable[[Batch], Batch]
"""A network: (n, h, w, c) to (n, h * scale, w * scale, c), float32, any sizes."""


def batch_predictor(model: "keras.Model") -> Restore:
    """Make a model a function of batches, without progress bars, callbacks or just-in-time compilation.

    One graph serves all shapes. Called without a graph, a model keeps the output of every layer until the last one is
    done: 20 times the memory for VDSR.

    Args:
        model: Built Keras model. Later changes of its weights are seen.

    Returns:
        Function from (n, h, w, c) to (n, h * scale, w * scale, c), float32; returns when the values are there.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)]
    graph = tf.function(
        lambda batch: model(batch, training=False), input_signature=signature, autograph=False, jit_compile=False
    )

    def predict_batch(batch: Batch) -> Batch:
        return np.asarray(graph(np.asarray(batch, dtype=np.float32)), dtype=np.float32)

    return predict_batch


def predictor(
    model: "keras.Model", scale: int, memory_mb: float = 1024, *, restore: Restore | None = None
) -> Callable[[Pixels], Pixels]:
    """Make a model a function of images of any size, in bounded memory.

    An image whose activations would take more than `memory_mb` is restored in tiles; the result is the same. A model
    that may look at the whole image (pooling, attention, layers that aren't Keras's own) is never tiled.

    Args:
        model: Built Keras model, (n, None, None, c) to (n, None, None, c).
        scale: Ratio of the high to the low resolution.
        memory_mb: MiB for the network's activations; the image itself and TensorFlow come on top. Below some 250 the
            allocator's reserve outweighs the activations, and less makes it no smaller.
        restore: The same network in another runtime, which then computes in place of Keras.

    Returns:
        Function from (h, w, c) float32 in [0, 1] to (h * scale, w * scale, c) float32, as the network gives it: not
        clipped, not rounded.

    Raises:
        RequestError: The model is known to have another scale. The function raises it for an image that
            hasn't the model's channels or three axes.
    """
    restore, sees = restore or batch_predictor(model), reach(model)
    if sees is not None and sees.scale != scale:
        raise RequestError(
            f"the model enlarges {sees.scale} times", got=f"scale={scale}", expected=f"scale={sees.scale}"
        )
    channels = model.input_shape[-1]

    def predict(low: Pixels) -> Pixels:
        if low.ndim != 3 or low.shape[-1] != channels or 0 in low.shape:  # noqa: PLR2004 - (h, w, c)
            raise RequestError(
                "the model can't take this image", got=f"shape {low.shape}", expected=f"(h, w, {channels}), not empty"
            )
        if sees is None:
            whole: Pixels = restore(low[np.newaxis])[0]
            return whole
        tile = tile_shape(low.shape[:2], halo=sees.radius, bytes_per_pixel=sees.bytes_per_pixel, memory_mb=memory_mb)
        return restore_in_tiles(restore, low, scale=scale, halo=sees.radius, tile=tile)

    return predict
