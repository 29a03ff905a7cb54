"""Packages that are imported when something of them is first asked for: Keras takes seconds, and `--help` none.

`from srexp.lazy_imports import keras` stands at the top of a file, as any import does, in place of `import keras` in
every function. What needs one at once, as a class that is a Keras layer, imports it itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import mlflow
    import mlflow.entities
    import mlflow.exceptions
    import onnx
    import openvino
    import psutil
    import sqlalchemy
    import tensorflow as tf
else:

    class _Lazy:
        """A module that is imported when one of its names is asked for."""

        def __init__(self, module: str) -> None:
            self._module = module

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):  # `inspect`, `copy` and doctests try what any object may have
                raise AttributeError(name)
            return getattr(importlib.import_module(self._module), name)

    keras, tf = _Lazy("keras"), _Lazy("tensorflow")
    mlflow, sqlalchemy, psutil = _Lazy("mlflow"), _Lazy("sqlalchemy"), _Lazy("psutil")
    onnx, openvino = _Lazy("onnx"), _Lazy("openvino")

__all__ = ["keras", "mlflow", "onnx", "openvino", "psutil", "sqlalchemy", "tf"]
