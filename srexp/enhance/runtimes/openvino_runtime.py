"""OpenVINO, on the processor, and its IR as a file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from srexp.enhance.predict import Restore
from srexp.enhance.runtimes.onnx_graph import onnx_model
from srexp.errors import RequestError
from srexp.system.processor import cores
from srexp.types import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

FILE = "model.xml"
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def start(model: keras.Model, precision: str, calibration: Sequence[Batch] = ()) -> Restore:
    """Make a model a function of batches.

    Args:
        model: Built Keras model.
        precision: `float32`, or `bfloat16` where the processor has it.
        calibration: Not needed.

    Returns:
        Function from (n, h, w, c) to (n, h * scale, w * scale, c), float32; calls from several threads take turns.

    Raises:
        RequestError: This processor doesn't compute in bfloat16, which OpenVINO would replace by float32 in silence.
    """
    import openvino

    core = openvino.Core()
    if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise RequestError(
            "OpenVINO computes in bfloat16 only on processors that do so themselves",
            expected="AVX-512 BF16 or AMX",
            fix="precision=float32",
        )
    return _compiled(core, core.read_model(onnx_model(model).SerializeToString()), precision)


def write(model: keras.Model, path: Path) -> None:
    """Write OpenVINO's IR, the weights beside it as `.bin`; input `low`, output `restored`, all sizes open.

    Args:
        model: Built Keras model.
        path: The `.xml` file to write.
    """
    import openvino

    # Read as ONNX: openvino.convert_model would report its use over the network.
    openvino.save_model(openvino.Core().read_model(onnx_model(model).SerializeToString()), path, compress_to_fp16=False)


def read(path: Path) -> Restore:
    """Open an IR file.

    Args:
        path: The `.xml` file.

    Returns:
        Function from (n, h, w, c) to (n, h * scale, w * scale, c), float32.
    """
    import openvino

    core = openvino.Core()
    return _compiled(core, core.read_model(path), "float32")


def _compiled(core: Any, model: Any, precision: str) -> Restore:
    options = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": cores(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(model, "CPU", options)
    turn = threading.Lock()  # one request at a time, which takes all cores anyway

    def restore(batch: Batch) -> Batch:
        with turn:
            restored: Batch = compiled(np.ascontiguousarray(batch, np.float32))[0]
        return restored

    return restore
