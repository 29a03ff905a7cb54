"""What a network costs: its parameters, and multiply-adds for each megapixel that it restores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from srexp.lazy_imports import keras
from srexp.network_graph import Step, carry, layer_graph

_SIDE = 2**15  # so large that borders, which networks extend, weigh nothing; shapes only, nothing is computed
_MEGAPIXEL = 10**6


@dataclass(frozen=True, slots=True)
class Cost:
    """Size of a network.

    Args:
        parameters: Number of weights, biases included, that training changes.
        multiply_adds: Multiply-adds of these convolutions for each 10^6 pixels of the restored image; None when the
            network holds layers whose work isn't known.
    """

    parameters: int
    multiply_adds: float | None


def cost(model: keras.Model, *, side: int = _SIDE) -> Cost:
    """Count what a network is made of.

    Only convolutions that are trained are counted, as in the literature: interpolation, biases, activations, additions
    and the fixed numbers that shuffle pixels are left out.

    Args:
        model: Functional Keras model, (n, None, None, c) to (n, None, None, c).
        side: Of the square image that is restored, in pixels. Of a small one, such as a patch, the border that a
            network extends counts for much.

    Returns:
        Its cost.

    Example:
        >>> from srexp.models import srcnn
        >>> cost(srcnn.build(2, 1, kernels=[9, 5, 5], filters=[64, 32])).parameters
        57281
    """
    try:
        counted, pixels = _count(model, side)
    except _UnknownLayerError:
        return Cost(parameters(model), None)
    return Cost(parameters(model), counted / pixels * _MEGAPIXEL)


def parameters(model: keras.Model) -> int:
    """Count the weights, biases included, that training changes: not the fixed numbers that shuffle or split pixels."""
    return sum(prod(weight.shape) for weight in model.trainable_weights)


class _UnknownLayerError(Exception):
    """A layer's work isn't known."""


def _count(model: keras.Model, side: int) -> tuple[int, int]:
    """Multiply-adds for one image, and pixels of the output."""
    total = 0

    def through(step: Step, arriving: list[keras.KerasTensor]) -> list[keras.KerasTensor]:
        nonlocal total
        inner = layer_graph(step.layer)
        if inner is not None:
            return carry(inner, arriving, through)
        leaving = step.called_with(arriving)
        if getattr(step.layer, "trainable_weights", ()):
            total += _multiply_adds(step.layer, arriving[0].shape, leaving[0].shape)
        return leaving

    graph = layer_graph(model)
    if graph is None or len(graph.inputs) != 1:
        raise _UnknownLayerError
    image = keras.KerasTensor((1, side, side, graph.inputs[0].shape[-1]))
    restored = carry(graph, [image], through)[0]
    return total, prod(restored.shape[1:3])


def _multiply_adds(layer: keras.Operation, before: Sequence[int], after: Sequence[int]) -> int:
    """Multiply-adds of one layer, for the shapes of its input and output."""
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
