"""The tf.data pipeline: order, shapes, resume, and errors that keep their own message."""

import numpy as np
import pytest

from srexp.data.batches.tf_dataset import training_batches
from srexp.errors import RequestError


class Counting:
    """Stands in for a PatchSampler: a batch is filled with its global step."""

    steps_per_epoch = 4

    def __init__(self, fails_at=None):
        self.fails_at = fails_at

    def shapes(self):
        return (2, 3, 3, 1), (2, 6, 6, 1)

    def batch(self, epoch, step):
        at = epoch * self.steps_per_epoch + step
        if at == self.fails_at:
            raise RequestError("1.png vanished while training", fix="put it back")
        return tuple(np.full(shape, at, np.float32) for shape in self.shapes())


def steps(sampler, **arguments):
    with training_batches(sampler, **arguments) as batches:
        return [(float(low[0, 0, 0, 0]), float(high[-1, -1, -1, -1])) for low, high in batches]


@pytest.mark.parametrize("workers", [1, 3])
def test_order_and_resume(workers):
    assert steps(Counting(), start_step=0, total_steps=11, workers=workers) == [(n, n) for n in range(11)]
    assert steps(Counting(), start_step=7, total_steps=11, workers=workers) == [(n, n) for n in range(7, 11)]


def test_static_shapes():
    with training_batches(Counting(), start_step=0, total_steps=5, workers=1) as batches:
        low, high = batches.element_spec
        assert (tuple(low.shape), tuple(high.shape)) == Counting().shapes()
        assert low.dtype == high.dtype == "float32"
        assert len(batches) == 5


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_keeps_its_message(workers):
    seen = []
    with (
        pytest.raises(RequestError, match=r"1\.png vanished"),
        training_batches(Counting(fails_at=2), start_step=0, total_steps=9, workers=workers) as batches,
    ):
        seen.extend(float(low[0, 0, 0, 0]) for low, _ in batches)
    assert seen in ([], [0.0, 1.0])


def test_an_error_of_training_is_left_alone():
    import tensorflow as tf

    with (
        pytest.raises(tf.errors.ResourceExhaustedError, match="no memory"),
        training_batches(Counting(), start_step=0, total_steps=9, workers=1),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")


def test_fit_over_several_epochs_and_an_error_in_the_middle():
    import keras

    model = keras.Sequential([keras.Input((3, 3, 1)), keras.layers.UpSampling2D(2), keras.layers.Conv2D(1, 1)])
    model.compile("sgd", "mse")
    with training_batches(Counting(), start_step=4, total_steps=12, workers=2) as batches:
        history = model.fit(batches, epochs=3, initial_epoch=1, steps_per_epoch=4, shuffle=False, verbose=0)
    assert history.epoch == [1, 2]
    with (
        pytest.raises(RequestError, match=r"1\.png vanished"),
        training_batches(Counting(fails_at=6), start_step=0, total_steps=8, workers=2) as batches,
    ):
        model.fit(batches, epochs=2, steps_per_epoch=4, shuffle=False, verbose=0)
