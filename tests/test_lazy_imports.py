"""A package comes with the first name that is asked for, and is the module itself from then on."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from srexp.lazy_imports import keras, tf


def test_what_is_asked_for_is_the_module_s_own():
    assert keras.layers.Conv2D is importlib.import_module("keras").layers.Conv2D
    assert tf.Tensor is importlib.import_module("tensorflow").Tensor


@pytest.mark.parametrize("first", ["keras.Model", "tf.Tensor"])
def test_the_first_name_imports(first):
    program = (
        "import copy, inspect, sys\n"
        "from srexp.lazy_imports import keras, tf\n"
        "inspect.unwrap(keras), copy.copy(tf)\n"
        "print('keras' in sys.modules or 'tensorflow' in sys.modules)\n"
        f"{first}\n"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]


def test_a_name_that_is_not_there_is_refused_as_by_the_module():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = keras.nothing
