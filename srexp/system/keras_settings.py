"""Keras's settings of a whole process, which a file in the home folder or the environment may have changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srexp.errors import RequestError

#: What every figure of srexp rests on: Keras's own defaults, on TensorFlow.
WANTED: dict[str, Any] = {
    "backend": "tensorflow",
    "floatx": "float32",
    "image_data_format": "channels_last",
    "epsilon": 1e-7,
    "max_epochs": None,
    "max_steps_per_epoch": None,
}
#: Variables by which others would come in when Keras is imported.
_VARIABLES = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")


def settle(home: Path) -> None:
    """See to it that Keras has the settings that srexp needs, in this process and those that it starts.

    TensorFlow, imported later, says nothing of missing GPUs and of its own graphs, which helps nobody.

    Args:
        home: Folder for Keras in place of `~/.keras`, whose `keras.json` decides when Keras is imported.

    Raises:
        RequestError: Keras was imported before, and has others.
    """
    if "keras" in sys.modules:
        _require(sys.modules["keras"])
    there = applied(os.environ, home)
    for name in _VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(there)


def applied(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Give the environment of a process that has the settings of `settle`, perhaps forked from one with Keras imported.

    Args:
        environment: What it would have otherwise.
        home: As of `settle`.

    Example:
        >>> applied({"KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "1"}, Path("k"))
        {'TF_CPP_MIN_LOG_LEVEL': '3', 'KERAS_BACKEND': 'tensorflow', 'KERAS_HOME': 'k'}
    """
    others = {name: value for name, value in environment.items() if name not in _VARIABLES}
    return {"TF_CPP_MIN_LOG_LEVEL": "3", **others, "KERAS_BACKEND": WANTED["backend"], "KERAS_HOME": str(home)}


def _require(keras: Any) -> None:
    found = {name: getattr(keras.config, name)() for name in WANTED}
    others = {name: value for name, value in found.items() if value != WANTED[name]}
    if others:
        raise RequestError(
            "Keras was imported before srexp could set it, and its settings decide numbers",
            got=others,
            expected=", ".join(f"{name}={WANTED[name]}" for name in others),
            fix="run srexp in a process of its own, or before Keras is imported",
        )
