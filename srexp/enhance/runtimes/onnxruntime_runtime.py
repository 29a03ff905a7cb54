"""ONNX Runtime, on the processor, and ONNX as a file."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np

from srexp.enhance.predict import Restore
from srexp.enhance.runtimes.onnx_graph import INPUT, OUTPUT, onnx_model
from srexp.enhance.runtimes.runtime import FileRuntime
from srexp.errors import RequestError
from srexp.lazy_imports import onnx
from srexp.system.processor import cores
from srexp.types import Batch, Network

_ERRORS_ONLY = 3


class OnnxRuntime(FileRuntime):
    """ONNX Runtime; int8 is for the convolutions but the first and the last, and learns their range from images."""

    NAME, FILE, EXTRA, PRECISIONS = "onnxruntime", "model.onnx", "onnx", ("float32", "int8")
    PACKAGES: ClassVar[Mapping[str, str]] = {"onnx": "onnx", "onnxruntime": "onnxruntime"}

    def _converted(self, model: Network, precision: str, calibration: Sequence[Batch]) -> bytes:
        graph = onnx_model(model)
        content: bytes = (graph if precision == "float32" else _quantized(graph, calibration)).SerializeToString()
        return content

    def _opened(self, program: bytes, precision: str) -> Restore:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = cores(), _ERRORS_ONLY
        session = onnxruntime.InferenceSession(program, options, providers=["CPUExecutionProvider"])

        def restore(batch: Batch) -> Batch:
            return np.asarray(session.run([OUTPUT], {INPUT: np.ascontiguousarray(batch, np.float32)})[0])

        return restore


@contextmanager
def _without_advice() -> Iterator[None]:
    """Leave out that a graph should be simplified before it is quantised: this one is made without detours."""

    def wanted(record: logging.LogRecord) -> bool:
        return record.module != "quantize"

    logging.getLogger().addFilter(wanted)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(wanted)


def _quantized(whole: onnx.ModelProto, calibration: Sequence[Batch]) -> onnx.ModelProto:
    """Let the inner convolutions compute with 8 bits; a first or last one would round the image itself."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    convolutions = [node.name for node in whole.graph.node if node.op_type == "Conv"]
    if not calibration or len(convolutions) < 3:  # noqa: PLR2004 - a first, a last and one between
        raise RequestError(
            "the model can't compute in int8",
            got=f"{len(convolutions)} convolutions and {len(calibration)} images to calibrate with",
            expected="three convolutions or more, and an image",
            fix="precision=float32",
        )

    class Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.left = iter(calibration)

        def get_next(self) -> dict[str, Batch] | None:
            batch = next(self.left, None)
            return None if batch is None else {INPUT: np.ascontiguousarray(batch, np.float32)}

    with tempfile.TemporaryDirectory(prefix="srexp-") as scratch:
        source, target = Path(scratch, "float32.onnx"), Path(scratch, "int8.onnx")
        onnx.save(whole, source)
        with _without_advice():
            quantize_static(
                source,
                target,
                Images(),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=convolutions[1:-1],
            )
        return onnx.load(target)
