"""Small trainings from a fixed start, which may be interrupted wherever a signal may come."""

from __future__ import annotations

import dataclasses
import signal
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from srexp.models import srcnn, vdsr
from srexp.training import numerics, optimizers, schedules
from srexp.training.fit import Fitting, Recipe, Validation
from srexp.training.losses import mse
from srexp.training.plan import Plan

STEPS, EPOCHS = 4, 3
PLAN = Plan(epochs=EPOCHS, steps_per_epoch=STEPS)
NETWORKS = {
    "srcnn": lambda: srcnn.build(2, 1, kernels=[5, 3, 3], filters=[6, 4]),
    "vdsr": lambda: vdsr.build(2, 1, depth=3, width=8),
}
OPTIMIZERS = {
    "adam": lambda: optimizers.adam(1e-3, clip_norm=0.1),
    "adamw": lambda: optimizers.adamw(1e-3),
    "sgd": lambda: optimizers.sgd(0.1, theta=1e-4),
    "averages": lambda: optimizers.adam(1e-2, ema=0.7),
    "accumulation": lambda: keras.optimizers.Adam(1e-3, gradient_accumulation_steps=3),
}


@contextmanager
def batches(step: int):
    def make(number):
        rng = np.random.default_rng([7, int(number)])
        return rng.random((2, 8, 8, 1), dtype=np.float32), rng.random((2, 16, 16, 1), dtype=np.float32)

    def prepare(number):
        low, high = tf.numpy_function(make, [number], (tf.float32, tf.float32))
        return tf.ensure_shape(low, (2, 8, 8, 1)), tf.ensure_shape(high, (2, 16, 16, 1))

    yield tf.data.Dataset.range(step, EPOCHS * STEPS).map(prepare)


class Training:
    """One training from a fixed start; `interrupt` is called wherever a signal may come."""

    def __init__(self, network="srcnn", optimizer="adam", plan=PLAN, team=None):
        self.network, self.optimizer, self.plan, self.team = network, optimizer, plan, team
        self.told: dict[int, dict[str, float]] = {}

    def run(self, checkpoints=None, interrupt=lambda _place: None, minutes=None, spoil=1.0):
        numerics.prepare(seed=3, deterministic=True)
        model = NETWORKS[self.network]()
        cosine = schedules.cosine(warmup_steps=2)
        image = np.random.default_rng(1).random((1, 8, 8, 1), dtype=np.float32)

        def follow(step, total):
            interrupt(f"step {step}")
            return cosine(step, total) * (spoil if step > 5 else 1.0)

        def validate():
            value = float(np.mean(np.asarray(model(image, training=False))))
            interrupt("validation")
            return {"val_psnr": 40 - abs(value), "val_ssim": value}

        def tell(epoch, numbers, _milliseconds):
            self.told[epoch] = timeless(numbers)
            interrupt("told")

        fitting = Fitting(
            model,
            Recipe(loss=mse(), optimizer=OPTIMIZERS[self.optimizer](), schedule=follow),
            dataclasses.replace(self.plan, checkpoint_minutes=minutes),
            Validation(validate, bicubic_psnr=30.0),
            on_epoch=tell,
            checkpoints=checkpoints,
            team=self.team,
        )
        return fitting.run(batches), model


def once(place, after=0):
    """Interrupt, as Ctrl-C does, when a place is reached for the nth time."""
    left = [after]

    def interrupt(reached):
        if reached == place:
            left[0] -= 1
            if left[0] == -1:
                signal.raise_signal(signal.SIGINT)

    return interrupt


def timeless(numbers):
    return {key: value for key, value in numbers.items() if key != "training_seconds"}


def assert_same(interrupted, whole):
    (fitted, model), (expected, expected_model) = interrupted, whole
    times = [numbers["training_seconds"] for numbers in fitted.history]
    assert times[0] > 0
    assert sorted(times) == times
    assert times[-1] <= fitted.seconds
    assert [timeless(numbers) for numbers in fitted.history] == [timeless(numbers) for numbers in expected.history]
    assert fitted.best_epoch == expected.best_epoch
    assert fitted.steps == expected.steps
    for ours, theirs in zip(model.get_weights(), expected_model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    ours, theirs = ([v.numpy() for v in each.optimizer.variables] for each in (model, expected_model))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
