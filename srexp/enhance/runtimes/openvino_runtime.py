"""OpenVINO, on the processor, and its IR as a file."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from srexp.enhance.predict import Restore
from srexp.enhance.runtimes.onnx_graph import onnx_model
from srexp.enhance.runtimes.runtime import Runtime
from srexp.errors import RequestError
from srexp.lazy_imports import openvino
from srexp.system.processor import cores
from srexp.types import Batch, Network

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVino(Runtime[Any]):
    """OpenVINO; bfloat16 where the processor has it. Its file is the IR, with the weights beside it as `.bin`."""

    NAME, FILE, EXTRA, PRECISIONS = "openvino", "model.xml", "openvino", ("float32", "bfloat16")
    PACKAGES: ClassVar[Mapping[str, str]] = {"onnx": "onnx", "openvino": "openvino"}

    def _converted(self, model: Network, precision: str, calibration: Sequence[Batch]) -> Any:
        core = openvino.Core()
        # OpenVINO would replace it by float32 in silence.
        if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RequestError(
                "OpenVINO computes in bfloat16 only on processors that do so themselves",
                expected="AVX-512 BF16 or AMX",
                fix="precision=float32",
            )
        # Read as ONNX: openvino.convert_model would report its use over the network.
        return core.read_model(onnx_model(model).SerializeToString())

    def _opened(self, program: Any, precision: str) -> Restore:
        options = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": cores(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = openvino.Core().compile_model(program, "CPU", options)
        turn = threading.Lock()  # one request at a time, which takes all cores anyway

        def restore(batch: Batch) -> Batch:
            with turn:
                return np.asarray(compiled(np.ascontiguousarray(batch, np.float32))[0])

        return restore

    def _save(self, program: Any, path: Path) -> None:
        openvino.save_model(program, path, compress_to_fp16=False)

    def read(self, path: Path) -> Restore:
        """Open an IR."""
        return self._opened(openvino.Core().read_model(path), "float32")
