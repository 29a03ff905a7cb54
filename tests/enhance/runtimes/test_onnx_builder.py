"""A graph that grows node by node."""

import numpy as np
from onnx import numpy_helper

from srexp.enhance.runtimes.onnx_builder import Graph


def test_every_node_and_weight_has_a_name_of_its_own():
    graph = Graph()
    names = [graph.add("Relu", "x"), graph.add("Relu", "x"), graph.weight([1, 2]), graph.weight([1, 2])]
    assert len(set(names)) == 4
    assert graph.add("Add", *names[:2], into="sum") == "sum"
    assert len({node.name for node in graph.nodes}) == 3


def test_weights_are_float32_unless_told():
    graph = Graph()
    graph.weight(np.arange(4.0).reshape(2, 2).T)
    graph.weight([1, 2], np.int64)
    first, second = (numpy_helper.to_array(weight) for weight in graph.weights)
    assert first.dtype == np.float32
    assert first.tolist() == [[0, 2], [1, 3]]
    assert second.dtype == np.int64


def test_only_what_the_output_depends_on_is_needed():
    graph = Graph()
    used = graph.add("Relu", "x")
    graph.add("Sigmoid", "x")
    graph.add("Neg", used, into="y")
    assert [node.op_type for node in graph.needed("y")] == ["Relu", "Neg"]
