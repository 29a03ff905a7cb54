"""Weights that were trained elsewhere, set layer by layer in a network of ours.

The layers of a network of the literature have the names of the modules of its authors' PyTorch code; a dot may be an
underscore. An array's name is that of its layer, then `.weight` or `.bias`, as in PyTorch's state dictionary.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from srexp.errors import RequestError, some
from srexp.lazy_imports import keras
from srexp.models.initializers import Weights
from srexp.models.layers.folding import BRANCHES

_NAMED = 6


def set_arrays(network: "keras.Model", arrays: "Mapping[str, Weights]", called: str) -> None:
    """Set every weight of a network, or none.

    Args:
        network: As built; its weights change in place.
        arrays: By name, in PyTorch's shapes: a kernel is (out, in, h, w), that of a transposed convolution (in, out, h,
            w), that of a depthwise one (c, 1, h, w).
        called: What messages call the file.

    Raises:
        RequestError: An array is missing, superfluous, or of another shape; all of them are named.
    """
    wanted = dict(_weights(network))
    given = {_key(name): (name, array) for name, array in arrays.items()}
    wrong = {
        "missing": [name for key, (name, *_) in wanted.items() if key not in given],
        "superfluous": [name for key, (name, _) in given.items() if key not in wanted],
        "of another shape": [
            f"{given[key][0]} {given[key][1].shape} for {shape}"
            for key, (_, _, shape) in wanted.items()
            if key in given and given[key][1].shape != shape
        ],
    }
    if any(wrong.values()):
        raise RequestError(
            f"{called} doesn't fit model={network.name}",
            lines=[f"{kind}: {some(names, _NAMED)}" for kind, names in wrong.items() if names],
            expected=f"the {len(wanted)} arrays of the network, by the names of its authors' code",
            fix="check scale, the options of the model, and the channels: protocol.channel=rgb, or protocol=y "
            "protocol.colour=true, for colour",
        )
    for key, (_, variable, _) in wanted.items():
        variable.assign(_ours(given[key][1], variable.shape))


def _weights(network: "keras.Model") -> "Iterator[tuple[str, tuple[str, keras.Variable, tuple[int, ...]]]]":
    """Give every trained weight by the key under which it is looked for: its name, itself, its shape in PyTorch."""
    for layer in network.layers:
        if isinstance(layer, keras.Model) and layer.name.endswith(BRANCHES):
            raise RequestError(
                f"model={network.name} takes weights in its folded form only",
                got="the form that is trained",
                expected="plain convolutions",
                fix="model.form=folded",
            )
        for number, variable in enumerate(layer.trainable_weights):
            name = f"{layer.name}.{('weight', 'bias')[number]}"
            yield _key(name), (name, variable, _shape(layer, variable))


def _key(name: str) -> str:
    return name.replace(".", "_")


def _shape(layer: "keras.Layer", variable: "keras.Variable") -> tuple[int, ...]:
    """Give the shape of a weight in PyTorch."""
    shape = tuple(variable.shape)
    if isinstance(layer, keras.layers.PReLU):
        return shape[-1:]
    if isinstance(layer, keras.layers.DepthwiseConv2D) and len(shape) > 1:
        height, width, channels, multiple = shape
        return channels * multiple, 1, height, width
    return tuple(shape[place] for place in (3, 2, 0, 1)) if len(shape) == 4 else shape[::-1]  # noqa: PLR2004 a kernel


def _ours(array: "Weights", shape: Any) -> "Weights":
    """Bring an array of PyTorch's shape to Keras's."""
    if array.ndim == 4:  # noqa: PLR2004 a kernel
        array = array.transpose(2, 3, 1, 0)
    return np.reshape(array.T if array.ndim == 2 else array, shape)  # noqa: PLR2004 a dense layer
