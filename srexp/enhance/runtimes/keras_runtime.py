"""Keras itself as a runtime, in float32 or bfloat16, and TensorFlow's SavedModel as a file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from srexp.enhance.predict import Restore, batch_predictor
from srexp.enhance.runtimes.runtime import Runtime
from srexp.errors import RequestError
from srexp.lazy_imports import keras, tf
from srexp.network_graph import image_readers, layer_graph
from srexp.types import Batch

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")


class KerasRuntime(Runtime["keras.Model"]):
    """Keras; bfloat16 is for the convolutions between the first and the last. Its file is TensorFlow's SavedModel."""

    NAME, FILE, EXTRA, PRECISIONS = "keras", "savedmodel", "", ("float32", "bfloat16")
    PACKAGES: ClassVar[Mapping[str, str]] = {"tensorflow": "tensorflow"}

    def _converted(self, model: keras.Model, precision: str, calibration: Sequence[Batch]) -> keras.Model:
        return in_precision(model, precision)

    def _opened(self, program: keras.Model, precision: str) -> Restore:
        return batch_predictor(program)

    def _save(self, program: keras.Model, path: Path) -> None:
        write_savedmodel(program, path)

    def read(self, path: Path) -> Restore:
        """Open a SavedModel without Keras."""
        loaded: Any = tf.saved_model.load(str(path))  # held by the function: a signature alone doesn't keep its weights

        def restore(batch: Batch) -> Batch:
            restored = loaded.signatures["serve"](low=tf.constant(batch, tf.float32))["restored"]
            return np.asarray(restored, np.float32)

        return restore


def in_precision(model: keras.Model, precision: str) -> keras.Model:
    """Give a model that computes in a precision, with the same weights.

    The convolutions that read the image, the last one and all that isn't one compute in float32: bfloat16 has 8
    significant bits, images up to 16.

    Args:
        model: Functional or sequential model.
        precision: `float32` or `bfloat16`.

    Returns:
        The model itself where it computes so already, else a copy.

    Raises:
        RequestError: bfloat16 is asked of a model that can't be copied layer by layer.
    """
    if precision == "float32" and all(layer.compute_dtype == "float32" for layer in model.layers):
        return model
    if layer_graph(model) is None:
        raise RequestError(f"model {model.name} can't compute in {precision}", expected="a functional Keras model")
    convolutions = [layer.name for layer in model.layers if type(layer).__name__ in _CONVOLUTIONS]
    within = {*convolutions[:-1]} - {layer.name for layer in image_readers(model)}

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if "dtype" in config:
            narrow = precision == "bfloat16" and layer.name in within
            config["dtype"] = "mixed_bfloat16" if narrow else "float32"
        return type(layer).from_config(config)

    return cloned(model, copied)


def cloned(model: keras.Model, copied: Callable[[keras.layers.Layer], keras.layers.Layer]) -> keras.Model:
    """Copy a model layer by layer, with its weights.

    Args:
        model: Functional or sequential Keras model.
        copied: Function from each layer to what takes its place, with weights of the same shapes.

    Returns:
        The copy.
    """
    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    return copy


def write_savedmodel(model: keras.Model, path: Path) -> None:
    """Write a SavedModel with the signature `serve`, (n, h, w, c) to (n, h * scale, w * scale, c), all sizes open.

    Args:
        model: Built Keras model.
        path: Folder to create.
    """
    float32 = in_precision(model, "float32")
    archive = keras.export.ExportArchive()
    archive.track(float32)
    archive.add_endpoint(
        "serve",
        lambda low: {"restored": float32(low, training=False)},
        input_signature=[tf.TensorSpec((None, None, None, float32.input_shape[-1]), tf.float32, name="low")],
    )
    with contextlib.redirect_stdout(None):
        archive.write_out(str(path), verbose=False)
