"""A Keras model as an ONNX graph, layer by layer.

Inside the graph images are (n, c, h, w), as the runtimes like them; its input and output are (n, h, w, c) with all of
n, h and w open, as in Keras. CONTRIBUTING.md says why this isn't left to a converter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from srexp.enhance.runtimes.bicubic_taps import bicubic_taps
from srexp.errors import RequestError

if TYPE_CHECKING:
    import keras
    import onnx

OPSET, IR_VERSION = 17, 8
"""What runtimes of 2022 and later read."""

INPUT, OUTPUT = "low", "restored"

_ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "linear": lambda _, x: x,
    "relu": lambda graph, x: graph.add("Relu", x),
    "relu6": lambda graph, x: graph.add("Clip", x, graph.weight(0), graph.weight(6)),
    "sigmoid": lambda graph, x: graph.add("Sigmoid", x),
    "tanh": lambda graph, x: graph.add("Tanh", x),
    "elu": lambda graph, x: graph.add("Elu", x),
    "softplus": lambda graph, x: graph.add("Softplus", x),
    "silu": lambda graph, x: graph.add("Mul", x, graph.add("Sigmoid", x)),
    "leaky_relu": lambda graph, x: graph.add("LeakyRelu", x, alpha=0.2),
}
_PADDING = {"constant": "constant", "edge": "edge", "reflect": "reflect"}
_MERGING = {"Add": "Sum", "Multiply": "Mul", "Subtract": "Sub", "Average": "Mean", "Maximum": "Max", "Minimum": "Min"}
_NOTHING = ("Identity", "Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise")


def onnx_model(model: keras.Model) -> onnx.ModelProto:
    """Translate a functional or sequential Keras model; the weights become float32.

    Args:
        model: Built Keras model, (n, None, None, c) to (n, None, None, c), channels last.

    Returns:
        The checked graph with input `low` and output `restored`, (n, h, w, c) each.

    Raises:
        RequestError: A layer has no translation here.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = Graph()
    network = functional(model)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise _untranslated(model.name, "several inputs or outputs")
    arriving = graph.add("Transpose", INPUT, perm=[0, 3, 1, 2])
    (leaving,) = _translate(graph, network, [arriving])
    graph.add("Transpose", leaving, perm=[0, 2, 3, 1], into=OUTPUT)
    shape = ["n", "h", "w", network.inputs[0].shape[-1]]
    restored = ["n", "restored_h", "restored_w", network.outputs[0].shape[-1]]
    nodes = graph.needed(OUTPUT)
    used = {name for node in nodes for name in node.input}
    body = helper.make_graph(
        nodes,
        model.name,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, restored)],
        [tensor for tensor in graph.weights if tensor.name in used],
    )
    whole = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="srexp"
    )
    onnx.checker.check_model(whole)
    return whole


def functional(model: keras.Model) -> keras.Model:
    """Give the graph of layers in a model.

    Args:
        model: Functional or sequential model.

    Returns:
        The functional model.

    Raises:
        RequestError: A subclassed model, whose code can't be followed.
    """
    import keras

    graph = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(graph, "_nodes_by_depth"):
        raise _untranslated(model.name, "its own code")
    return graph


class Graph:
    """Nodes and weights of an ONNX graph that grows."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.extended: dict[str, tuple[str, npt.NDArray[np.int64]]] = {}

    def add(self, kind: str, *inputs: str, into: str = "", **attributes: Any) -> str:
        """Add a node; gives the name of its output."""
        from onnx import helper

        name = into or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"node_{len(self.nodes)}", **attributes))
        return name

    def weight(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant; gives its name."""
        from onnx import numpy_helper

        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(values, dtype)), name))
        return name

    def needed(self, output: str) -> list[Any]:
        """Give the nodes that the output depends on, in order."""
        wanted, kept = {output}, []
        for node in reversed(self.nodes):
            if wanted & set(node.output):
                wanted |= set(node.input)
                kept.append(node)
        return kept[::-1]


def _translate(graph: Graph, network: keras.Model, arriving: Sequence[str]) -> list[str]:
    """Add a network's nodes for given inputs; gives the names of its outputs."""
    names = {id(tensor): name for tensor, name in zip(network.inputs, arriving, strict=True)}
    for depth in sorted(network._nodes_by_depth, reverse=True):  # from the input to the output
        for node in network._nodes_by_depth[depth]:
            if not node.is_input:
                inputs = [names[id(tensor)] for tensor in node.input_tensors]
                leaving = _step(graph, node, inputs)
                names.update((id(tensor), name) for tensor, name in zip(node.outputs, leaving, strict=True))
    return [names[id(tensor)] for tensor in network.outputs]


def _step(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Add what one layer or operation computes."""
    import keras

    layer = node.operation
    name = type(layer).__name__
    if isinstance(layer, keras.Model):
        return _translate(graph, functional(layer), inputs)
    if name == "Pad" and type(layer).__module__ == "keras.src.ops.numpy":
        if node.arguments.kwargs.get("constant_values"):
            raise _untranslated(layer.name, "padding with other values than zero")
        return [_pad(graph, layer, inputs[0])]
    if type(layer) is not getattr(keras.layers, name, None) or getattr(layer, "data_format", None) == "channels_first":
        raise _untranslated(layer.name, name)
    if name in _MERGING:
        return [graph.add(_MERGING[name], *inputs)]
    if name in _NOTHING:
        return [inputs[0]]
    with _named(layer):
        return [_LAYERS[name](graph, layer, *inputs)]


@contextmanager
def _named(layer: keras.layers.Layer) -> Iterator[None]:
    """Say which layer it was that has no translation."""
    try:
        yield
    except _UntranslatedError as error:
        raise _untranslated(layer.name, f"{type(layer).__name__} with {error}") from error
    except KeyError as error:
        raise _untranslated(layer.name, f"{type(layer).__name__}, {error.args[0]}") from error


class _UntranslatedError(Exception):
    """An option that has no translation; the message names it."""


def _untranslated(layer: str, what: str) -> RequestError:
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
    out = graph.add("Conv", value, graph.weight(kernel), *_biased(graph, layer), group=layer.groups, **_geometry(layer))
    return _activated(graph, layer, out)


def _depthwise(graph: Graph, layer: Any, value: str) -> str:
    out = graph.add("Conv", value, *_per_channel(graph, layer.kernel), *_biased(graph, layer), **_geometry(layer, True))
    return _activated(graph, layer, out)


def _separable(graph: Graph, layer: Any, value: str) -> str:
    middle = graph.add("Conv", value, *_per_channel(graph, layer.depthwise_kernel), **_geometry(layer, True))
    mixing = graph.weight(np.transpose(np.asarray(layer.pointwise_kernel), (3, 2, 0, 1)))
    return _activated(graph, layer, graph.add("Conv", middle, mixing, *_biased(graph, layer)))


def _per_channel(graph: Graph, kernel: Any) -> list[str]:
    """Weights of a depthwise convolution: (h, w, c, m) to (c * m, 1, h, w)."""
    values = np.asarray(kernel, np.float32)
    height, width, channels, multiple = values.shape
    moved = np.transpose(values, (2, 3, 0, 1)).reshape(channels * multiple, 1, height, width)
    return [graph.weight(moved)]


def _geometry(layer: Any, depthwise: bool = False) -> dict[str, Any]:
    """Attributes of a convolution: strides, dilation, padding."""
    if layer.padding not in ("same", "valid"):
        raise _UntranslatedError(f"padding={layer.padding}")
    attributes = {
        "kernel_shape": list(layer.kernel_size),
        "strides": list(layer.strides),
        "dilations": list(layer.dilation_rate),
    }
    if depthwise:
        attributes["group"] = (layer.depthwise_kernel if hasattr(layer, "depthwise_kernel") else layer.kernel).shape[2]
    if set(layer.strides) == {1}:
        total = [(layer.padding == "same") * (size - 1) * step for size, step in zip(*_spans(layer), strict=True)]
        attributes["pads"] = [span // 2 for span in total] + [span - span // 2 for span in total]
        return attributes
    return {**attributes, "auto_pad": "SAME_UPPER" if layer.padding == "same" else "VALID"}


def _spans(layer: Any) -> tuple[Sequence[int], Sequence[int]]:
    return layer.kernel_size, layer.dilation_rate


def _transposed(graph: Graph, layer: Any, value: str) -> str:
    sizes, strides = layer.kernel_size, layer.strides
    plain = layer.padding == "same" and layer.output_padding is None and set(layer.dilation_rate) == {1}
    if not plain or any(size < stride for size, stride in zip(sizes, strides, strict=True)):
        raise _UntranslatedError("a padding other than same, a dilation, or a kernel smaller than its stride")
    total = [size - stride for size, stride in zip(sizes, strides, strict=True)]
    pads = [span // 2 for span in total] + [span - span // 2 for span in total]
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


def _pad(graph: Graph, operation: Any, value: str) -> str:
    """Padding; several repetitions of the outermost pixels in a row become one."""
    batch, rows, columns, channels = operation.pad_width
    widths = np.array([batch, channels, rows, columns], np.int64).T.ravel()
    # "symmetric" repeats the outermost pixel for a width of 1.
    mode = "edge" if operation.mode == "symmetric" and widths.max() == 1 else operation.mode
    if mode not in _PADDING:
        raise _untranslated(operation.name, f"padding {operation.mode} of {operation.pad_width}")
    before, already = graph.extended.get(value, (value, np.zeros_like(widths)))
    if mode != "edge":
        before, already = value, np.zeros_like(widths)
    out = graph.add("Pad", before, graph.weight(widths + already, np.int64), mode=mode)
    if mode == "edge":
        graph.extended[out] = (before, widths + already)
    return out


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


def _prelu(graph: Graph, layer: Any, value: str) -> str:
    return graph.add("PRelu", value, graph.weight(np.asarray(layer.alpha).reshape(-1, 1, 1)))


def _normalized(graph: Graph, layer: Any, value: str) -> str:
    if layer.axis not in (-1, 3):
        raise _UntranslatedError(f"axis={layer.axis}")
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    factor = 1 / np.sqrt(variance + layer.epsilon)
    factor = factor * np.asarray(layer.gamma) if layer.scale else factor
    offset = (np.asarray(layer.beta) if layer.center else 0) - mean * factor
    scaled = graph.add("Mul", value, graph.weight(factor.reshape(-1, 1, 1)))
    return graph.add("Add", scaled, graph.weight(offset.reshape(-1, 1, 1)))


def _rescaled(graph: Graph, layer: Any, value: str) -> str:
    factor, offset = (np.reshape(number, (-1, 1, 1)) for number in (layer.scale, layer.offset))
    return graph.add("Add", graph.add("Mul", value, graph.weight(factor)), graph.weight(offset))


def _concatenated(graph: Graph, layer: Any, *values: str) -> str:
    if layer.axis not in (-1, 3):
        raise _UntranslatedError(f"axis={layer.axis}")
    return graph.add("Concat", *values, axis=1)


_LAYERS: dict[str, Callable[..., str]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed,
    "UpSampling2D": _upsampled,
    "Activation": _activated,
    "ReLU": _rectified,
    "LeakyReLU": lambda graph, layer, value: graph.add("LeakyRelu", value, alpha=float(layer.negative_slope)),
    "ELU": lambda graph, layer, value: graph.add("Elu", value, alpha=float(layer.alpha)),
    "PReLU": _prelu,
    "BatchNormalization": _normalized,
    "Rescaling": _rescaled,
    "Concatenate": _concatenated,
}
