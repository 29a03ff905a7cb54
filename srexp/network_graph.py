"""The graph of layers in a Keras model: the only module that looks into Keras's private nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from srexp.lazy_imports import keras, tf

#: End of the name of a model within a model that resizes its first input to the size of its second, bilinearly.
RESIZE = "_bilinear_resize"

#: What a walk knows of a tensor: its shape, the receptive field behind it, its name in another graph.
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a layer; a shared layer has several.

    Args:
        layer: Layer, operation such as `keras.ops.pad`, or model within the model.
        inputs: Symbolic tensors that it is given.
        outputs: Symbolic tensors that it gives.
        arguments: Of the call, as Keras keeps them.
    """

    layer: keras.Operation
    inputs: Sequence[keras.KerasTensor]
    outputs: Sequence[keras.KerasTensor]
    arguments: Any

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of the call."""
        return dict(self.arguments.kwargs)

    def is_operation(self, name: str) -> bool:
        """Whether it is a function of `keras.ops` and no layer, such as `Pad`."""
        return type(self.layer).__name__ == name and type(self.layer).__module__ == "keras.src.ops.numpy"

    def is_builtin_layer(self) -> bool:
        """Whether it is a layer of Keras's own, and no subclass of one."""
        return type(self.layer) is getattr(keras.layers, type(self.layer).__name__, None)

    def called_with(self, inputs: Sequence[keras.KerasTensor]) -> list[keras.KerasTensor]:
        """Give what the call would give for other symbolic tensors, such as some of a known size."""
        others = {id(tensor): other for tensor, other in zip(self.inputs, inputs, strict=True)}
        positional, named = self.arguments.fill_in(others)
        return list(keras.tree.flatten(self.layer.compute_output_spec(*positional, **named)))


def layer_graph(model: keras.Operation) -> keras.Model | None:
    """Give the graph of layers in a model.

    Args:
        model: A model, or a layer of one, which may be a model itself.

    Returns:
        The functional model; None for a subclassed model, whose code can't be followed, and for a layer.
    """
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if hasattr(model, "_nodes_by_depth") else None


def steps(graph: keras.Model) -> Iterator[Step]:
    """List the calls of layers in an order in which each comes after those whose outputs it needs.

    Args:
        graph: From `layer_graph`.

    Yields:
        The calls, without the inputs of the graph; what is within a model in the model is left to `layer_graph`.
    """
    for depth in sorted(graph._nodes_by_depth, reverse=True):  # from the input to the output
        for node in graph._nodes_by_depth[depth]:
            if not node.is_input:
                yield Step(node.operation, node.input_tensors, node.outputs, node.arguments)


def carry(
    graph: keras.Model, arriving: Sequence[Value], through: Callable[[Step, list[Value]], Sequence[Value]]
) -> list[Value]:
    """Carry something known of the inputs of a graph through its layers.

    Args:
        graph: From `layer_graph`.
        arriving: A value for each input of the graph.
        through: From a call and the values of its inputs to the values of its outputs.

    Returns:
        A value for each output of the graph.

    Example:
        The longest way, in layers:

        >>> import keras
        >>> low = keras.Input((None, None, 1))
        >>> features = keras.layers.ReLU()(keras.layers.ReLU()(low))
        >>> graph = layer_graph(keras.Model(low, keras.layers.Add()([low, features])))
        >>> carry(graph, [0], lambda step, before: [max(before) + 1] * len(step.outputs))
        [3]
    """
    known = {id(tensor): value for tensor, value in zip(graph.inputs, arriving, strict=True)}
    for step in steps(graph):
        leaving = through(step, [known[id(tensor)] for tensor in step.inputs])
        known.update((id(tensor), value) for tensor, value in zip(step.outputs, leaving, strict=True))
    return [known[id(tensor)] for tensor in graph.outputs]


def image_readers(model: keras.Operation) -> list[keras.layers.Layer]:
    """List the layers that read the image itself: those with weights, and what lies between the image and them.

    Args:
        model: Any Keras model; nothing is known of one whose code can't be followed.

    Returns:
        Layers, also those of models within the model.
    """
    graph, found = layer_graph(model), list[keras.layers.Layer]()

    def through(step: Step, images: list[bool]) -> list[bool]:
        inner = layer_graph(step.layer)
        if inner is not None:
            return carry(inner, images, through)
        has_weights = isinstance(step.layer, keras.layers.Layer) and bool(step.layer.trainable_weights)
        if any(images) and isinstance(step.layer, keras.layers.Layer):
            found.append(step.layer)
        return [all(images) and not has_weights] * len(step.outputs)

    if graph is not None:
        carry(graph, [True] * len(graph.inputs), through)
    return found


def operations(model: keras.Model, shape: Sequence[int], *, training: bool = False) -> list[Any]:
    """List what TensorFlow would do for a batch, without doing it.

    Args:
        model: Any Keras model, also one whose code can't be followed layer by layer.
        shape: (n, h, w, c) of the batch.
        training: Whether as in training.

    Returns:
        Operations of TensorFlow, with their inputs and outputs.
    """
    called = tf.function(lambda batch: model(batch, training=training), autograph=False)
    traced = called.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    return list(traced.graph.get_operations())


def tensor_bytes(tensor: Any) -> int:
    """Give the memory that a tensor of TensorFlow takes; none where its shape isn't known."""
    return (tensor.shape.num_elements() or 0) * int(tensor.dtype.size)
