"""A training that is put back goes on as if nothing had been."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from srexp.errors import SrexpError
from srexp.models import vdsr
from srexp.training.best_epoch import History
from srexp.training.state import put, put_metrics, take

LOW, HIGH = np.random.default_rng(0).random((2, 4, 8, 8, 1), dtype=np.float32)


def compiled(depth: int = 3) -> keras.Model:
    model = vdsr.build(1, 1, depth=depth, width=4)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def taken(model: keras.Model):
    return take(model, history=History(), seconds=1.5, validation_seconds=0.5, first_loss=0.1)


def test_the_next_step_is_the_same_from_what_was_put_back():
    model, other = compiled(), compiled()
    for _ in range(3):
        model.train_on_batch(LOW, HIGH)
    checkpoint = taken(model)
    assert (checkpoint.step, checkpoint.seconds, checkpoint.first_loss) == (3, 1.5, 0.1)
    put(other, checkpoint)
    losses = [each.train_on_batch(LOW, HIGH) for each in (model, other)]
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert losses[0] != losses[1]  # Keras shows the mean of the epoch, which is put back apart
    put_metrics(other, checkpoint)
    put_metrics(model, checkpoint)
    assert model.train_on_batch(LOW, HIGH) == other.train_on_batch(LOW, HIGH)


def test_a_checkpoint_is_a_copy():
    model = compiled()
    model.train_on_batch(LOW, HIGH)
    checkpoint = taken(model)
    before = [array.copy() for array in checkpoint.model]
    model.train_on_batch(LOW, HIGH)
    for kept, first in zip(checkpoint.model, before, strict=True):
        np.testing.assert_array_equal(kept, first)


def test_what_the_course_has_beside_comes_back_too():
    model, beside = compiled(), [keras.Variable([1.0, 2.0]), keras.Variable([[3.0]])]
    checkpoint = take(model, beside, history=History())
    for variable in beside:
        variable.assign(variable * 0)
    put(model, checkpoint, beside)
    np.testing.assert_array_equal(np.ravel(beside[0]), [1, 2])
    np.testing.assert_array_equal(np.ravel(beside[1]), [3])
    with pytest.raises(SrexpError, match="the checkpoint is of another course"):
        put(model, checkpoint, beside[:1])
    with pytest.raises(SrexpError, match="the checkpoint is of another course"):
        put(model, checkpoint)


def test_a_running_loss_of_another_kind_is_refused():
    model = compiled()
    with pytest.raises(SrexpError, match="the checkpoint is of another loss"):
        put_metrics(model, dataclasses.replace(taken(model), metrics=()))


def test_a_checkpoint_of_another_network_is_refused():
    model = compiled()
    model.train_on_batch(LOW, HIGH)
    with pytest.raises(SrexpError, match="the checkpoint is of another network"):
        put(compiled(depth=4), taken(model))
    other = compiled()
    other.compile(optimizer=keras.optimizers.SGD(), loss="mse")
    other.optimizer.build(other.trainable_variables)
    with pytest.raises(SrexpError, match="the checkpoint is of another optimizer"):
        put(other, taken(model))
