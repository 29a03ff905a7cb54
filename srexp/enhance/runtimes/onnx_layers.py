"""What each Keras layer is in ONNX, on images (n, c, h, w)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from srexp.enhance.runtimes.bicubic_taps import bicubic_taps
from srexp.enhance.runtimes.onnx_builder import Graph
from srexp.errors import RequestError
from srexp.network_graph import Step


def _gelu(graph: Graph, value: str) -> str:
    """Give x times the normal distribution at x, the exact form and no approximation by tanh."""
    erf = graph.add("Erf", graph.add("Mul", value, graph.weight(0.5**0.5)))
    return graph.add("Mul", value, graph.add("Mul", graph.add("Add", erf, graph.weight(1)), graph.weight(0.5)))


_ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "linear": lambda _, x: x,
    "relu": lambda graph, x: graph.add("Relu", x),
    "relu6": lambda graph, x: graph.add("Clip", x, graph.weight(0), graph.weight(6)),
    "sigmoid": lambda graph, x: graph.add("Sigmoid", x),
    "tanh": lambda graph, x: graph.add("Tanh", x),
    "elu": lambda graph, x: graph.add("Elu", x),
    "softplus": lambda graph, x: graph.add("Softplus", x),
    "silu": lambda graph, x: graph.add("Mul", x, graph.add("Sigmoid", x)),
    "gelu": _gelu,
    "leaky_relu": lambda graph, x: graph.add("LeakyRelu", x, alpha=0.2),
}
_PADDING = {"constant": "constant", "edge": "edge", "reflect": "reflect"}
_MERGING = {"Add": "Sum", "Multiply": "Mul", "Subtract": "Sub", "Average": "Mean", "Maximum": "Max", "Minimum": "Min"}
#: Axis of (n, h, w, c) to that of (n, c, h, w).
_AXES = (0, 2, 3, 1)
#: What ONNX takes for the end of an axis.
_END = np.iinfo(np.int64).max
_NOTHING = ("Identity", "Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise")


def translated(graph: Graph, step: Step, inputs: Sequence[str]) -> str:
    """Add what one call of a layer computes.

    Args:
        graph: Grows.
        step: The call.
        inputs: Names of the layer's inputs in the graph.

    Returns:
        Name of its output.

    Raises:
        RequestError: The layer has no translation.
    """
    layer, name = step.layer, type(step.layer).__name__
    if name in _OPERATIONS and step.is_operation(name):
        return _OPERATIONS[name](graph, step, inputs[0])
    if not step.is_builtin_layer() or getattr(layer, "data_format", None) == "channels_first":
        raise untranslated(layer.name, name)
    if name in _MERGING:
        return graph.add(_MERGING[name], *inputs)
    if name in _NOTHING:
        return inputs[0]
    if name == "Concatenate":
        return graph.add("Concat", *inputs, axis=_AXES[layer.axis % 4])
    if name in _LAYERS and getattr(layer, "axis", -1) not in (-1, 3, [-1], [3]):
        raise untranslated(layer.name, f"{name} with axis={layer.axis}")
    try:
        return _LAYERS[name](graph, layer, *inputs)
    except _UntranslatedError as error:
        raise untranslated(layer.name, f"{name} with {error}") from error
    except KeyError as error:
        raise untranslated(layer.name, f"{name}, {error.args[0]}") from error


class _UntranslatedError(Exception):
    """An option that has no translation; the message names it."""


def untranslated(layer: str, what: str) -> RequestError:
    """Make the error that names a layer without a translation, and what of it has none."""
    return RequestError(
        f"layer {layer} has no translation to ONNX",
        got=what,
        expected="convolutions, upsampling, padding, activations and sums, as in srexp/models",
        fix="format=savedmodel, or runtime=keras",
    )


def _activated(graph: Graph, layer: Any, value: str) -> str:
    activation = layer.activation
    name = getattr(activation, "__name__", type(activation).__name__)
    if not getattr(activation, "__module__", "").startswith("keras."):
        raise _UntranslatedError(f"the activation {name}")
    return _ACTIVATIONS[name](graph, value)


def _biased(graph: Graph, layer: Any) -> list[str]:
    return [graph.weight(layer.bias)] if layer.use_bias else []


def _conv(graph: Graph, layer: Any, value: str) -> str:
    kernel = np.transpose(np.asarray(layer.kernel, np.float32), (3, 2, 0, 1))
    out = graph.add("Conv", value, graph.weight(kernel), *_biased(graph, layer), **_geometry(layer, layer.groups))
    return _activated(graph, layer, out)


def _depthwise(graph: Graph, layer: Any, value: str) -> str:
    return _activated(graph, layer, _per_channel(graph, layer, value, layer.kernel, biased=True))


def _separable(graph: Graph, layer: Any, value: str) -> str:
    middle = _per_channel(graph, layer, value, layer.depthwise_kernel, biased=False)
    mixing = graph.weight(np.transpose(np.asarray(layer.pointwise_kernel), (3, 2, 0, 1)))
    return _activated(graph, layer, graph.add("Conv", middle, mixing, *_biased(graph, layer)))


def _per_channel(graph: Graph, layer: Any, value: str, kernel: Any, *, biased: bool) -> str:
    """Convolve each channel by itself, with weights (h, w, c, m) that become (c * m, 1, h, w)."""
    values = np.asarray(kernel, np.float32)
    height, width, channels, multiple = values.shape
    moved = np.transpose(values, (2, 3, 0, 1)).reshape(channels * multiple, 1, height, width)
    weights = [graph.weight(moved), *(_biased(graph, layer) if biased else [])]
    return graph.add("Conv", value, *weights, **_geometry(layer, channels))


def _geometry(layer: Any, groups: int) -> dict[str, Any]:
    """Attributes of a convolution: groups, strides, dilation, padding."""
    if layer.padding not in ("same", "valid"):
        raise _UntranslatedError(f"padding={layer.padding}")
    attributes = {
        "group": groups,
        "kernel_shape": list(layer.kernel_size),
        "strides": list(layer.strides),
        "dilations": list(layer.dilation_rate),
    }
    if set(layer.strides) == {1}:
        spans = zip(layer.kernel_size, layer.dilation_rate, strict=True)
        return {**attributes, "pads": _around([(layer.padding == "same") * (size - 1) * step for size, step in spans])}
    return {**attributes, "auto_pad": "SAME_UPPER" if layer.padding == "same" else "VALID"}


def _around(total: Sequence[int]) -> list[int]:
    """Share out what is padded, or cut, in all along each axis: before the image, then behind it."""
    return [span // 2 for span in total] + [span - span // 2 for span in total]


def _transposed(graph: Graph, layer: Any, value: str) -> str:
    sizes, strides = layer.kernel_size, layer.strides
    plain = layer.output_padding is None and set(layer.dilation_rate) == {1}
    if not plain or any(size < stride for size, stride in zip(sizes, strides, strict=True)):
        raise _UntranslatedError("an output padding, a dilation, or a kernel smaller than its stride")
    same = layer.padding == "same"
    pads = _around([same * (size - stride) for size, stride in zip(sizes, strides, strict=True)])
    kernel = np.transpose(np.asarray(layer.kernel, np.float32), (3, 2, 0, 1))  # (h, w, out, in) to (in, out, h, w)
    out = graph.add(
        "ConvTranspose", value, graph.weight(kernel), *_biased(graph, layer), strides=list(strides), pads=pads
    )
    return _activated(graph, layer, out)


def _upsampled(graph: Graph, layer: Any, value: str) -> str:
    if layer.size == (1, 1):
        return value
    if layer.interpolation == "bicubic":
        return _bicubic(graph, layer, value)
    options = {
        "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    }[layer.interpolation]
    scales = graph.weight([1, 1, *layer.size])
    return graph.add("Resize", value, "", scales, **options)


def _bicubic(graph: Graph, layer: Any, value: str) -> str:
    """Bicubic interpolation as a transposed convolution, divided by what it makes of ones.

    TensorFlow leaves out what lies outside the image and divides by the remaining weights; the division does that, and
    the weights are TensorFlow's own, which ONNX's Resize would miss by 3e-4 where the scale is no power of two.
    """
    channels = int(layer.input.shape[-1])
    taps = [bicubic_taps(size) for size in layer.size]
    kernel = np.outer(*taps).astype(np.float32)[np.newaxis, np.newaxis]
    total = [len(line) - size for line, size in zip(taps, layer.size, strict=True)]
    options: dict[str, Any] = {"strides": list(layer.size), "pads": [span // 2 for span in total] * 2}
    enlarged = graph.add(
        "ConvTranspose", value, graph.weight(np.repeat(kernel, channels, 0)), group=channels, **options
    )
    size = graph.add("Shape", value, start=2)
    one = graph.weight(np.ones((1, 1, 1, 1)))
    ones = graph.add("Expand", one, graph.add("Concat", graph.weight([1, 1], np.int64), size, axis=0))
    return graph.add("Div", enlarged, graph.add("ConvTranspose", ones, graph.weight(kernel), **options))


def _pad(graph: Graph, step: Step, value: str) -> str:
    """Padding; several repetitions of the outermost pixels in a row become one."""
    operation: Any = step.layer
    if step.options.get("constant_values"):
        raise untranslated(operation.name, "padding with other values than zero")
    batch, rows, columns, channels = operation.pad_width
    widths = np.array([batch, channels, rows, columns], np.int64).T.ravel()
    # "symmetric" repeats the outermost pixel for a width of 1.
    mode = "edge" if operation.mode == "symmetric" and widths.max() == 1 else operation.mode
    if mode not in _PADDING:
        raise untranslated(operation.name, f"padding {operation.mode} of {operation.pad_width}")
    before, already = graph.extended.get(value, (value, np.zeros_like(widths)))
    if mode != "edge":
        before, already = value, np.zeros_like(widths)
    out = graph.add("Pad", before, graph.weight(widths + already, np.int64), mode=mode)
    if mode == "edge":
        graph.extended[out] = (before, widths + already)
    return out


def _part(graph: Graph, step: Step, value: str) -> str:
    """Cut out rows, columns or channels, as `features[:, :, :, 16:]` does."""
    key = step.arguments.args[1]
    if not isinstance(key, tuple | list) or any(not isinstance(each, slice) for each in key):
        raise untranslated(step.layer.name, f"the part {key}")
    ranges = {_AXES[axis]: each for axis, each in enumerate(key) if each != slice(None)}
    starts = [each.start or 0 for each in ranges.values()]
    stops = [_END if each.stop is None else each.stop for each in ranges.values()]
    lists = [starts, stops, list(ranges), [each.step or 1 for each in ranges.values()]]
    return graph.add("Slice", value, *(graph.weight(each, np.int64) for each in lists))


def resized(graph: Graph, small: str, like: str) -> str:
    """Add bilinear interpolation of an image to the height and width of another.

    Args:
        graph: Grows.
        small: Name of the image.
        like: Name of the other.

    Returns:
        Name of the result.
    """
    kept, wanted = graph.add("Shape", small, end=2), graph.add("Shape", like, start=2)
    size = graph.add("Concat", kept, wanted, axis=0)
    return graph.add("Resize", small, "", "", size, mode="linear", coordinate_transformation_mode="half_pixel")


def _largest(graph: Graph, layer: Any, value: str) -> str:
    if layer.padding != "valid":
        raise _UntranslatedError(f"padding={layer.padding}")
    return graph.add("MaxPool", value, kernel_shape=list(layer.pool_size), strides=list(layer.strides))


def _cropped(graph: Graph, layer: Any, value: str) -> str:
    """Padding by less than nothing."""
    widths = np.array([(0, 0), (0, 0), *layer.cropping], np.int64).T.ravel()
    return graph.add("Pad", value, graph.weight(-widths, np.int64), mode="constant")


def _rectified(graph: Graph, layer: Any, value: str) -> str:
    if layer.threshold:
        raise _UntranslatedError(f"threshold={layer.threshold}")
    if layer.negative_slope:
        value = graph.add("LeakyRelu", value, alpha=float(layer.negative_slope))
    elif layer.max_value is None:
        return graph.add("Relu", value)
    if layer.max_value is None:
        return value
    limits = ["" if layer.negative_slope else graph.weight(0), graph.weight(layer.max_value)]
    return graph.add("Clip", value, *limits)


def _averaged(graph: Graph, layer: Any, value: str) -> str:
    """Mean over squares of pixels that don't leave the image."""
    if layer.padding != "same" or set(layer.strides) != {1}:
        raise _UntranslatedError("a stride, or a padding other than same")
    pads = _around([size - 1 for size in layer.pool_size])
    return graph.add("AveragePool", value, kernel_shape=list(layer.pool_size), pads=pads, count_include_pad=0)


def _averaged_over_all(graph: Graph, layer: Any, value: str) -> str:
    if not layer.keepdims:
        raise _UntranslatedError("keepdims=False")
    return graph.add("GlobalAveragePool", value)


def _normalized(graph: Graph, layer: Any, value: str) -> str:
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    factor = 1 / np.sqrt(variance + layer.epsilon)
    factor = factor * np.asarray(layer.gamma) if layer.scale else factor
    offset = (np.asarray(layer.beta) if layer.center else 0) - mean * factor
    return _scaled(graph, value, factor, offset)


def _normalized_pixels(graph: Graph, layer: Any, value: str) -> str:
    """Normalize the channels of every pixel; ONNX's own operation does the last axes, which here are the image's."""
    if layer.rms_scaling:
        raise _UntranslatedError("rms_scaling")
    centred = graph.add("Sub", value, graph.add("ReduceMean", value, axes=[1]))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=[1])
    deviation = graph.add("Sqrt", graph.add("Add", variance, graph.weight(layer.epsilon)))
    factor, offset = np.asarray(layer.gamma if layer.scale else 1), np.asarray(layer.beta if layer.center else 0)
    return _scaled(graph, graph.add("Div", centred, deviation), factor, offset)


def _scaled(graph: Graph, value: str, *numbers: Any) -> str:
    """Multiply each channel by a factor, and add an offset."""
    factor, offset = (np.reshape(number, (-1, 1, 1)) for number in numbers)
    return graph.add("Add", graph.add("Mul", value, graph.weight(factor)), graph.weight(offset))


_LAYERS: dict[str, Callable[..., str]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed,
    "UpSampling2D": _upsampled,
    "Cropping2D": _cropped,
    "Activation": _activated,
    "ReLU": _rectified,
    "LeakyReLU": lambda graph, layer, value: graph.add("LeakyRelu", value, alpha=float(layer.negative_slope)),
    "ELU": lambda graph, layer, value: graph.add("Elu", value, alpha=float(layer.alpha)),
    "PReLU": lambda graph, layer, value: graph.add("PRelu", value, graph.weight(np.reshape(layer.alpha, (-1, 1, 1)))),
    "AveragePooling2D": _averaged,
    "GlobalAveragePooling2D": _averaged_over_all,
    "MaxPooling2D": _largest,
    "BatchNormalization": _normalized,
    "LayerNormalization": _normalized_pixels,
    "Rescaling": lambda graph, layer, value: _scaled(graph, value, layer.scale, layer.offset),
}

_OPERATIONS: dict[str, Callable[[Graph, Step, str], str]] = {
    "GetItem": _part,
    "Pad": _pad,
    "Sqrt": lambda graph, _, value: graph.add("Sqrt", value),
}
