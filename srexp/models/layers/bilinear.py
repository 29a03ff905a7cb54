"""Bilinear interpolation to the size of another image, which no layer of Keras does for open sizes."""

from srexp.lazy_imports import keras
from srexp.network_graph import RESIZE


def resize_to(small: "keras.KerasTensor", like: "keras.KerasTensor", *, name: str) -> "keras.KerasTensor":
    """Interpolate features to the height and width of others, pixels being squares as in PyTorch (half-pixel centres).

    Two products with matrices whose rows hold the weights of a pixel, since `keras.ops.image.resize` wants a size that
    is known beforehand. They are made of the lengths of `small` and `like` when the network runs. It is a model within
    the network, by whose name an export knows that it has an operation for it.

    Args:
        small: (n, h, w, a), symbolic, with at least one pixel.
        like: (n, H, W, b), symbolic.
        name: Of the step.

    Returns:
        (n, H, W, a), symbolic and float32: bfloat16 can't count pixels beyond 256.
    """
    given = keras.Input(small.shape[1:], dtype="float32")
    target = keras.Input(like.shape[1:], dtype="float32")
    rows = _weights(given[0, :, 0, 0], target[0, :, 0, 0])
    columns = _weights(given[0, 0, :, 0], target[0, 0, :, 0])
    tall = keras.ops.einsum("ij,njwc->niwc", rows, given)
    return keras.Model([given, target], keras.ops.einsum("ij,nwjc->nwic", columns, tall), name=f"{name}{RESIZE}")(
        [small, like]
    )


def _weights(before: "keras.KerasTensor", after: "keras.KerasTensor") -> "keras.KerasTensor":
    """Give the matrix (after, before) that interpolates a line; of the lines only the lengths matter."""

    def places(line: "keras.KerasTensor") -> "tuple[keras.KerasTensor, keras.KerasTensor]":
        ones = keras.ops.ones_like(line)
        return keras.ops.cumsum(ones) - 1, keras.ops.sum(ones)

    (at, length), (index, size) = places(before), places(after)
    centre = (index + 0.5) * (length / size) - 0.5
    inside = keras.ops.minimum(keras.ops.maximum(centre, 0.0), length - 1)
    return keras.ops.relu(1 - keras.ops.absolute(keras.ops.expand_dims(inside, 1) - keras.ops.expand_dims(at, 0)))
