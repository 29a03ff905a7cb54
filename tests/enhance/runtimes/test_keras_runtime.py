"""Keras as a runtime: its precisions and its SavedModel; what all runtimes keep is in test_runtime.py."""

import subprocess
import sys

import keras
import pytest

from srexp.enhance.runtimes.keras_runtime import KerasRuntime, in_precision
from srexp.errors import RequestError
from srexp.models import vdsr


def test_bfloat16_stays_out_of_what_reads_the_image_and_is_added_to_it(randomised):
    narrow = in_precision(randomised(vdsr.build(2, 1, depth=4, width=8)), "bfloat16")
    kinds = {layer.name: layer.compute_dtype for layer in narrow.layers}
    assert kinds["hidden_02"] == "bfloat16"
    assert {kinds[name] for name in ("bicubic", "hidden_01", "residual", "restored")} == {"float32"}


@pytest.mark.slow
def test_a_savedmodel_needs_neither_keras_nor_srexp(tmp_path):
    KerasRuntime().write(vdsr.build(2, 1, depth=2, width=2), tmp_path / "savedmodel")
    code = f"""
import sys
sys.modules["srexp"] = sys.modules["keras"] = None
import tensorflow as tf
model = tf.saved_model.load({str(tmp_path / "savedmodel")!r})
print(model.signatures["serve"](low=tf.zeros((2, 5, 7, 1)))["restored"].shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(2, 10, 14, 1)"


def test_a_model_that_computes_so_already_is_not_copied():
    model = vdsr.build(2, 1, depth=2, width=2)
    assert in_precision(model, "float32") is model


def test_a_model_of_its_own_code_has_no_bfloat16():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(RequestError, match="can't compute in bfloat16"):
        in_precision(Own(), "bfloat16")
