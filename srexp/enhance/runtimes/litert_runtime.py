"""LiteRT (formerly TensorFlow Lite), for phones and small boards, and its file."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from srexp.enhance.predict import Restore
from srexp.enhance.runtimes.bicubic_taps import bicubic_taps
from srexp.enhance.runtimes.keras_runtime import cloned, in_precision, write_savedmodel
from srexp.enhance.runtimes.runtime import FileRuntime
from srexp.errors import RequestError
from srexp.lazy_imports import keras, tf
from srexp.system.processor import cores
from srexp.system.stdio import no_native_stderr
from srexp.types import Batch


class LiteRt(FileRuntime):
    """LiteRT; int8 is for the weights of large layers, and their input is rounded for each call.

    Whoever else opens its file calls `resize_tensor_input` for each size of image.
    """

    NAME, FILE, EXTRA, PRECISIONS = "litert", "model.tflite", "litert", ("float32", "int8")
    PACKAGES: ClassVar[Mapping[str, str]] = {"ai_edge_litert": "ai-edge-litert"}

    def _converted(self, model: keras.Model, precision: str, calibration: Sequence[Batch]) -> bytes:
        whole = _without_bicubic(in_precision(model, "float32"))
        # By way of a SavedModel: converted straight from a Keras 3 model, the weights stay behind.
        with tempfile.TemporaryDirectory(prefix="srexp-") as scratch:
            saved = Path(scratch, "savedmodel")
            write_savedmodel(whole, saved)
            converter = tf.lite.TFLiteConverter.from_saved_model(str(saved), signature_keys=["serve"])
            return _convert(converter, model.name, precision)

    def _opened(self, program: bytes, precision: str) -> Restore:
        from ai_edge_litert.interpreter import Interpreter

        with no_native_stderr():
            interpreter = Interpreter(model_content=program, num_threads=cores())
            interpreter.allocate_tensors()
        (entry,), (leaving,) = interpreter.get_input_details(), interpreter.get_output_details()
        turn, seen = threading.Lock(), [tuple[int, ...]()]

        def restore(batch: Batch) -> Batch:
            with turn:
                if seen[0] != batch.shape:
                    interpreter.resize_tensor_input(entry["index"], batch.shape)
                    interpreter.allocate_tensors()
                    seen[0] = batch.shape
                interpreter.set_tensor(entry["index"], np.ascontiguousarray(batch, np.float32))
                interpreter.invoke()
                return np.asarray(interpreter.get_tensor(leaving["index"]))

        return restore


def _convert(converter: Any, name: str, precision: str) -> bytes:
    if precision == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        with no_native_stderr():
            content: bytes = converter.convert()
    except Exception as error:
        if type(error).__name__ != "ConverterError":
            raise
        raise RequestError(
            f"model {name} has a layer that LiteRT lacks",
            got=str(error).strip().splitlines()[0],
            expected="layers as in srexp/models",
            fix="format=savedmodel, or runtime=keras",
        ) from error
    return content


def _without_bicubic(model: keras.Model) -> keras.Model:
    """Copy a model with bicubic interpolation as a transposed convolution, since LiteRT has no such operation."""

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        if type(layer) is keras.layers.UpSampling2D and layer.interpolation == "bicubic":
            return _bicubic(layer)
        return type(layer).from_config(layer.get_config())

    return cloned(model, copied)


def _bicubic(layer: keras.layers.UpSampling2D) -> keras.layers.Layer:
    """Make the layer; divided by what the convolution makes of ones, it leaves out what lies outside the image."""
    tall, wide = layer.size
    kernel = np.outer(bicubic_taps(tall), bicubic_taps(wide)).astype(np.float32)[..., np.newaxis, np.newaxis]

    class Bicubic(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        def call(self, image: Any) -> Any:
            channels = [self.enlarged(image[..., channel : channel + 1]) for channel in range(image.shape[-1])]
            weights = self.enlarged(tf.ones_like(image[:1, ..., :1]))
            return tf.concat(channels, -1) / weights

        def enlarged(self, plane: Any) -> Any:
            n, h, w, _ = tf.unstack(tf.shape(plane))
            shape = tf.stack([n, h * tall, w * wide, 1])
            return tf.nn.conv2d_transpose(plane, kernel, shape, [tall, wide], "SAME")

        def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            return shape[0], None, None, shape[-1]

    return Bicubic(name=layer.name)
