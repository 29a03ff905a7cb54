"""Keras is the oracle: whatever the graph computes in ONNX Runtime, it must be what the model computes."""

import keras
import pytest

from srexp.enhance.runtimes.onnx_graph import onnx_model
from srexp.errors import RequestError
from srexp.models import bicubic, srcnn
from tests.enhance.runtimes.onnx_oracle import largest_difference
from tests.networks import built, cases, thin


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("model", "setting"), cases((2, 1), (1, 3), (3, 3), (4, 1)))
def test_networks_of_srexp(randomised, model, setting):
    scale, channels = setting
    network = randomised(built(model, scale, channels, **thin(model)))
    assert largest_difference(network, channels) < 5e-6  # AVX-512 adds in another order: 2.6e-6


@pytest.mark.parametrize("scale", [5, 6, 7, 8])
def test_bicubic_at_large_scales_and_at_the_border(scale):
    assert largest_difference(bicubic.build(scale, 1)) < 2e-6


def test_repeated_padding_is_one_node(randomised):
    graph = onnx_model(randomised(srcnn.build(2, 1, kernels=[9, 5, 5], filters=[8, 6]))).graph
    assert [node.op_type for node in graph.node].count("Pad") == 1
    assert [[d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]] == [["n", "h", "w", 1]]


def test_own_code_is_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(RequestError, match="its own code"):
        onnx_model(Subclassed())
