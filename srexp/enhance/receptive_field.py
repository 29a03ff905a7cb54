"""How far a Keras model sees around a pixel, and how much memory it takes for one."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from srexp.lazy_imports import keras
from srexp.network_graph import Step, carry, layer_graph

#: Pixels of the smaller image that an interpolated pixel reads, to each side; TensorFlow's Lanczos reads one more than
#: it weighs.
UPSAMPLING_SUPPORT = {"nearest": 1, "bilinear": 1, "bicubic": 2, "lanczos3": 4, "lanczos5": 6}

#: Keras layers that compute a pixel from that pixel alone (in inference), channels last.
POINTWISE = (
    *("Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Rescaling", "Identity"),
    *("BatchNormalization", "LayerNormalization"),
    *("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"),
)

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")

#: Modes that look no further into the image than they pad around it; `wrap` looks at the other side.
PADDING = ("constant", "edge", "reflect", "symmetric")


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What a model needs for one pixel of its low-resolution input.

    Args:
        radius: Low-resolution pixels to each side that the output over this pixel may depend on.
        scale: Output pixels per input pixel, along each axis.
        bytes_per_pixel: Memory for the widest layer's input and output per low-resolution pixel.
    """

    radius: int
    scale: int
    bytes_per_pixel: int


def receptive_field(model: "keras.Model") -> ReceptiveField | None:
    """Follow a functional or sequential Keras model from its input to its output.

    Only layers of Keras whose receptive field is known are followed. Anything else, a custom layer, a stride, pooling,
    attention, a normalisation over the image, might see everything, so it gets None: restore the whole image at once.

    Args:
        model: Built Keras model with one input (n, None, None, c) and one output.

    Returns:
        Receptive field of the model; None when it may depend on the whole image.
    """
    graph = layer_graph(model)
    if graph is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    if tuple(graph.inputs[0].shape[1:3]) != (None, None):
        return None
    widest = 0

    def through(step: Step, arriving: list[_Spread]) -> list[_Spread]:
        nonlocal widest
        inner = layer_graph(step.layer)
        leaving = [_through(step, arriving)] * len(step.outputs) if inner is None else carry(inner, arriving, through)
        around = zip([*step.inputs, *step.outputs], [*arriving, *leaving], strict=True)
        widest = max(widest, sum(_bytes(tensor, spread) for tensor, spread in around))
        return leaving

    try:
        (output,) = carry(graph, [_Spread(Fraction(0), 1)], through)
    except _SeesEverythingError:
        return None
    return None if any(output.margin) else ReceptiveField(math.ceil(output.radius), output.ratio, widest)


class _SeesEverythingError(Exception):
    """A layer may depend on the whole image."""


@dataclass(frozen=True, slots=True)
class _Spread:
    """One tensor: radius in input pixels, pixels per input pixel, pixels that padding put before the image and behind.

    What is padded at an inner edge of a tile lies outside the tile, where no kept pixel looks; at a true edge of the
    image it is what the whole image would get. So padding needs no wider halo, but it must be gone at the end.
    """

    radius: Fraction
    ratio: int
    margin: tuple[int, int] = (0, 0)


def _bytes(tensor: "keras.KerasTensor", spread: _Spread) -> int:
    return int(tensor.shape[-1]) * spread.ratio**2 * 4  # float32; bfloat16 is widened on processors without it


def _through(step: Step, arriving: list[_Spread]) -> _Spread:
    """Spread behind one layer or operation."""
    layer, name = step.layer, type(step.layer).__name__
    if len({(spread.ratio, spread.margin) for spread in arriving}) != 1:
        raise _SeesEverythingError
    before = _Spread(max(spread.radius for spread in arriving), arriving[0].ratio, arriving[0].margin)
    if step.is_operation("Pad"):
        return _padded(before, _padding(layer.pad_width, layer.mode))
    if not step.is_builtin_layer():
        raise _SeesEverythingError
    if name in POINTWISE and _works_along_channels(layer):
        return before
    if name == "UpSampling2D" and layer.size[0] == layer.size[1] and layer.data_format == "channels_last":
        support = Fraction(UPSAMPLING_SUPPORT[layer.interpolation], before.ratio)
        return _enlarged(before, support, layer.size[0])
    if name in CONVOLUTIONS and _is_plain(layer):
        return (_convolved if set(layer.strides) == {1} else _divided)(layer, before)
    if name == "Conv2DTranspose" and _is_plain(layer):
        return _transposed(layer, before)
    if name == "Cropping2D" and len(set(layer.cropping)) == 1 and layer.data_format == "channels_last":
        return _padded(before, tuple(-cut for cut in layer.cropping[0]))
    raise _SeesEverythingError


def _convolved(layer: "keras.Operation", before: _Spread) -> _Spread:
    spans = [(size - 1) * step for size, step in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    radius = before.radius + Fraction(math.ceil(max(spans) / 2), before.ratio)
    if layer.padding == "same":
        return replace(before, radius=radius)
    if len(set(spans)) > 1 or spans[0] % 2:
        raise _SeesEverythingError
    return _padded(replace(before, radius=radius), (-(spans[0] // 2), -(spans[0] // 2)))


def _divided(layer: "keras.Operation", before: _Spread) -> _Spread:
    """Squares that don't overlap and make up what an enlargement has made of a pixel become a pixel each."""
    side = layer.strides[0]
    squares = {*layer.strides, *layer.kernel_size} == {side} and set(layer.dilation_rate) == {1}
    if not squares or before.ratio % side or before != _Spread(before.radius, before.ratio):  # a margin shifts them
        raise _SeesEverythingError
    return replace(before, ratio=before.ratio // side)


def _transposed(layer: "keras.Operation", before: _Spread) -> _Spread:
    stride, size = layer.strides[0], max(layer.kernel_size)
    if set(layer.strides) != {stride} or set(layer.dilation_rate) != {1} or layer.output_padding is not None:
        raise _SeesEverythingError
    # Tap t of low pixel i is output pixel i * stride + t - cut: Keras cuts the rest off with `same`; with `valid` all
    # is kept, and what lies before the kernel's centre is taken for a margin, as if PyTorch had to cut it off.
    rest = max(size - stride, 0)
    cut = rest // 2 if layer.padding == "same" else min(size // 2, rest)
    support = Fraction(max((stride - 1 + cut) // stride, (size - 1 - cut) // stride), before.ratio)
    enlarged = _enlarged(before, support, stride)
    return enlarged if layer.padding == "same" else _padded(enlarged, (cut, rest - cut))


def _enlarged(before: _Spread, support: Fraction, scale: int) -> _Spread:
    ahead, behind = before.margin
    return _Spread(before.radius + support, before.ratio * scale, (ahead * scale, behind * scale))


def _padded(before: _Spread, margin: tuple[int, int]) -> _Spread:
    """Put a margin around an image, or take one away, of which there must be as much."""
    ahead, behind = (one + other for one, other in zip(before.margin, margin, strict=True))
    if min(ahead, behind) < 0:
        raise _SeesEverythingError
    return replace(before, margin=(ahead, behind))


def _padding(widths: tuple[tuple[int, int], ...], mode: str) -> tuple[int, int]:
    """Pixels that `keras.ops.pad` adds before the image and behind it; other kinds of padding aren't followed."""
    batch, rows, columns, channels = widths
    if {*batch, *channels} != {0} or tuple(rows) != tuple(columns) or mode not in PADDING:
        raise _SeesEverythingError
    ahead, behind = rows
    return ahead, behind


def _is_plain(layer: "keras.Operation") -> bool:
    return layer.data_format == "channels_last" and _is_elementwise(layer)


def _works_along_channels(layer: "keras.Operation") -> bool:
    return getattr(layer, "axis", -1) in (-1, 3, [-1], [3]) and _is_elementwise(layer)


def _is_elementwise(layer: "keras.Operation") -> bool:
    """Whether the activation, if any, is one of Keras's: a function of the user's own could look anywhere."""
    activation = getattr(layer, "activation", None)
    modules = (getattr(activation, "__module__", ""), type(activation).__module__)
    return activation is None or any(module.startswith("keras.") for module in modules)
