"""Walking through the layers of a Keras model."""

from __future__ import annotations

import keras
import pytest

from srexp.network_graph import carry, layer_graph, steps


def double() -> keras.Model:
    image = keras.Input((None, None, 2))
    shared = keras.layers.Conv2D(2, 3, padding="same", name="shared")
    inner = keras.Sequential([keras.Input((None, None, 2)), keras.layers.ReLU(name="inside")], name="inner")
    padded = keras.ops.pad(shared(shared(image)), ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=2)
    return keras.Model(image, [inner(padded), image])


def test_each_call_comes_after_those_that_it_needs() -> None:
    graph, seen = double(), []
    known = {id(tensor) for tensor in graph.inputs}
    for step in steps(graph):
        assert {id(tensor) for tensor in step.inputs} <= known
        known |= {id(tensor) for tensor in step.outputs}
        seen.append(step.layer.name)
    assert [name for name in seen if name in ("shared", "inner")] == ["shared", "shared", "inner"]
    assert {id(tensor) for tensor in graph.outputs} <= known


def test_operations_and_layers_are_told_apart() -> None:
    class Own(keras.layers.ReLU):  # type: ignore[misc]
        pass

    image = keras.Input((None, None, 2))
    first, second, third = steps(keras.Model(image, Own()(keras.layers.ReLU()(keras.ops.pad(image, 1)))))
    assert [step.is_operation("Pad") for step in (first, second, third)] == [True, False, False]
    assert [step.is_builtin_layer() for step in (first, second, third)] == [False, True, False]


def test_options_of_an_operation_are_known() -> None:
    pad = next(step for step in steps(double()) if step.is_operation("Pad"))
    assert pad.options["constant_values"] == 2


def test_a_call_tells_the_size_of_what_it_would_give() -> None:
    image = keras.Input((None, None, 1))
    (step,) = steps(keras.Model(image, keras.layers.UpSampling2D(3)(image)))
    assert [tensor.shape for tensor in step.called_with([keras.KerasTensor((1, 4, 5, 1))])] == [(1, 12, 15, 1)]
    both = keras.layers.Add()([image, image])
    (step,) = steps(keras.Model(image, both))
    sized = keras.KerasTensor((1, 4, 5, 1))
    assert [tensor.shape for tensor in step.called_with([sized, sized])] == [(1, 4, 5, 1)]


def test_values_are_carried_to_every_output() -> None:
    graph = double()
    assert carry(graph, ["low"], lambda step, before: [f"{step.layer.name}({before[0]})"])[1] == "low"
    calls = carry(graph, [0], lambda _, before: [max(before) + 1])
    assert calls == [4, 0]


def test_only_models_of_layers_have_a_graph() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
            return inputs

    sequential = keras.Sequential([keras.Input((None, None, 1)), keras.layers.ReLU()])
    graph = layer_graph(sequential)
    assert graph is not None
    assert [step.layer.name for step in steps(graph)] == [sequential.layers[0].name]
    assert layer_graph(Own()) is None
    assert layer_graph(keras.layers.ReLU()) is None


def test_each_input_needs_its_value() -> None:
    with pytest.raises(ValueError, match="zip"):
        carry(double(), [], lambda _, before: before)
