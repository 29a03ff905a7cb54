"""What a network costs: its parameters, and multiply-adds for each megapixel that it restores."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

_SIDE = 2**15  # so large that borders, which networks extend, weigh nothing; shapes only, nothing is computed
_MEGAPIXEL = 10**6


@dataclass(frozen=True, slots=True)
class Cost:
    """Size of a network.

    Args:
        parameters: Number of weights, biases included.
        multiply_adds: Multiply-adds of its convolutions for each 10^6 pixels of the restored image; None when the
            network holds layers whose work isn't known.
    """

    parameters: int
    multiply_adds: float | None


def cost(model: keras.Model) -> Cost:
    """Count what a network is made of.

    Only convolutions are counted, as in the literature: interpolation, biases, activations and additions are left out.

    Args:
        model: Functional Keras model, (n, None, None, c) to (n, None, None, c).

    Returns:
        Its cost.

    Example:
        >>> from srexp.models import srcnn
        >>> cost(srcnn.build(2, 1, kernels=[9, 5, 5], filters=[64, 32])).parameters
        57281
    """
    parameters = int(model.count_params())
    try:
        shape = (1, _SIDE, _SIDE, int(model.input_shape[-1]))
        counted, pixels = _count(model, shape)
    except _UnknownLayerError:
        return Cost(parameters, None)
    return Cost(parameters, counted / pixels * _MEGAPIXEL)


class _UnknownLayerError(Exception):
    """A layer's work isn't known."""


def _count(model: keras.Model, shape: Sequence[int]) -> tuple[int, int]:
    """Multiply-adds for one input of a shape, and pixels of the output."""
    import keras

    if isinstance(model, keras.Sequential):
        model = model._functional
    if not hasattr(model, "_nodes_by_depth") or len(model.inputs) != 1:
        raise _UnknownLayerError
    sized = keras.models.clone_model(model, input_tensors=keras.Input(batch_shape=shape))
    total = 0
    for node in (node for nodes in sized._nodes_by_depth.values() for node in nodes):
        if node.is_input:
            continue
        if isinstance(node.operation, keras.Model):
            total += _count(node.operation, node.input_tensors[0].shape)[0]
        else:
            total += _through(node.operation, node.input_tensors[0].shape, node.outputs[0].shape)
    return total, prod(sized.outputs[0].shape[1:3])


def _through(layer: keras.Operation, before: Sequence[int], after: Sequence[int]) -> int:
    """Multiply-adds of one layer."""
    name = type(layer).__name__
    if name in ("Conv2D", "DepthwiseConv2D"):
        return int(prod(layer.kernel.shape) * prod(after[1:3]))
    if name == "Conv2DTranspose":
        return int(prod(layer.kernel.shape) * prod(before[1:3]))
    if name == "SeparableConv2D":
        return int((prod(layer.depthwise_kernel.shape) + prod(layer.pointwise_kernel.shape)) * prod(after[1:3]))
    if any(len(weight.shape) > 1 and name != "PReLU" for weight in getattr(layer, "weights", ())):
        raise _UnknownLayerError
    return 0
