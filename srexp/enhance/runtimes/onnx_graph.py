"""A Keras model as an ONNX graph, layer by layer.

Inside the graph images are (n, c, h, w), as the runtimes like them; its input and output are (n, h, w, c) with all of
n, h and w open, as in Keras. CONTRIBUTING.md says why this isn't left to a converter.
"""

from __future__ import annotations

from collections.abc import Sequence

from srexp.enhance.runtimes.onnx_builder import Graph
from srexp.enhance.runtimes.onnx_layers import resized, translated, untranslated
from srexp.lazy_imports import keras, onnx
from srexp.network_graph import RESIZE, Step, carry, layer_graph

#: What runtimes of 2022 and later read.
OPSET, IR_VERSION = 17, 8

INPUT, OUTPUT = "low", "restored"


def onnx_model(model: keras.Model) -> onnx.ModelProto:
    """Translate a functional or sequential Keras model; the weights become float32.

    Args:
        model: Built Keras model, (n, None, None, c) to (n, None, None, c), channels last.

    Returns:
        The checked graph with input `low` and output `restored`, (n, h, w, c) each.

    Raises:
        RequestError: A layer has no translation here.
    """
    graph = Graph()
    network = _followed(model)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise untranslated(model.name, "several inputs or outputs")
    arriving = graph.add("Transpose", INPUT, perm=[0, 3, 1, 2])
    (leaving,) = _translated(graph, network, [arriving])
    graph.add("Transpose", leaving, perm=[0, 2, 3, 1], into=OUTPUT)
    shape = ["n", "h", "w", network.inputs[0].shape[-1]]
    restored = ["n", "restored_h", "restored_w", network.outputs[0].shape[-1]]
    nodes = graph.needed(OUTPUT)
    used = {name for node in nodes for name in node.input}
    body = onnx.helper.make_graph(
        nodes,
        model.name,
        [onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, restored)],
        [tensor for tensor in graph.weights if tensor.name in used],
    )
    whole = onnx.helper.make_model(
        body, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="srexp"
    )
    onnx.checker.check_model(whole)
    return whole


def _translated(graph: Graph, network: keras.Model, arriving: Sequence[str]) -> list[str]:
    """Add a network's nodes for given inputs; gives the names of its outputs."""

    def through(step: Step, inputs: list[str]) -> list[str]:
        if isinstance(step.layer, keras.Model) and step.layer.name.endswith(RESIZE):
            return [resized(graph, *inputs)]
        if isinstance(step.layer, keras.Model):
            return _translated(graph, _followed(step.layer), inputs)
        return [translated(graph, step, inputs)]

    return carry(network, arriving, through)


def _followed(model: keras.Model) -> keras.Model:
    """Give the graph of layers in a model, or refuse a subclassed model, whose code can't be followed."""
    if (graph := layer_graph(model)) is None:
        raise untranslated(model.name, "its own code")
    return graph
