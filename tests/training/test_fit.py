"""What a training does between its first step and its last, and which weights it ends with."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import keras
import numpy as np
import pytest

from srexp.errors import SrexpError
from srexp.training import numerics, optimizers, replicas
from srexp.training.checkpoint import Checkpoints
from srexp.training.courses.supervised import Supervised
from srexp.training.fit import Fitted, Fitting, Recipe, Validation
from srexp.training.losses import mse
from srexp.training.plan import Plan
from tests.training.trainings import NETWORKS, OPTIMIZERS, PLAN, STEPS, Training, batches, once


class Blending(Supervised):
    """A course with a variable of its own, which ends with a blend; notes what it is told."""

    def __init__(self):
        self.told, self.own = [], keras.Variable(0.0)

    def state(self):
        return [self.own]

    def resumed(self):
        self.told.append(("resumed", float(self.own)))

    def callbacks(self, plan, share):
        def count(*_, **__):
            self.own.assign_add(1.0)
            self.told.append((plan.epochs, round(share() * plan.total_steps)))

        return [keras.callbacks.LambdaCallback(on_train_batch_end=count)]

    def blend(self, best, last):
        return [(one + other) / 2 for one, other in zip(best, last, strict=True)]

    def summary(self, *, best, last):
        return [f"best {best} of {last}"]


def blended(checkpoints, interrupt=lambda _: None):
    """Two epochs, the first of which is the best, to the weights that each ended with and the training."""
    numerics.prepare(seed=3, deterministic=True)
    model, seen, when = NETWORKS["srcnn"](), [], []

    def validate():
        seen.append([weights.copy() for weights in model.get_weights()])
        interrupt("validation")
        return {"val_psnr": 40.0 - len(seen), "val_ssim": 0.25 * len(seen)}

    course = Blending()
    fitting = Fitting(
        model,
        Recipe(loss=mse(), optimizer=optimizers.adam(1e-3), schedule=lambda *_: 1.0),
        Plan(epochs=2, steps_per_epoch=STEPS),
        Validation(validate, bicubic_psnr=20.0),
        on_epoch=lambda epoch, numbers, at: when.append((epoch, numbers["val_psnr"], at)),
        checkpoints=checkpoints,
        course=course,
    )
    return fitting.run(batches), model, seen, when, fitting


def test_a_course_may_end_with_a_blend_which_is_scored_again():
    fitted, model, seen, when, fitting = blended(None)
    for ours, first, last in zip(model.get_weights(), *seen[:2], strict=True):
        np.testing.assert_array_equal(ours, (first + last) / 2)
    np.testing.assert_array_equal(seen[2][0], model.get_weights()[0])
    assert (fitted.best_epoch, fitted.invented, fitted.validation) == (2, True, {"val_psnr": 37.0, "val_ssim": 0.75})
    assert (fitted.warnings, fitted.bicubic_psnr, fitted.steps) == (["best 1 of 2"], 20.0, 2 * STEPS)
    assert fitting.course.told == [(2, step) for step in range(1, 2 * STEPS + 1)]
    assert when == [(1, 39.0, fitting.record.history.ended[0]), (2, 38.0, fitting.record.history.ended[1])]
    assert fitted.train_seconds == pytest.approx(fitted.seconds - fitting.validate.seconds, abs=1.0)
    assert 0 < fitted.train_seconds < fitted.seconds


def test_what_a_course_has_beside_goes_on_too_and_epochs_keep_their_time(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        blended(Checkpoints(tmp_path), once("validation", 1))
    history = Checkpoints(tmp_path).latest().history
    assert len(history.epochs) == 1
    _, _, _, when, fitting = blended(Checkpoints(tmp_path))
    assert fitting.course.told[0] == ("resumed", 2.0 * STEPS)
    assert when[0] == (1, 39.0, history.ended[0])
    assert when[1] == (2, 39.0, fitting.record.history.ended[1])


def test_a_course_of_a_network_alone_invents_nothing():
    fitted, _ = Training().run()
    assert (fitted.invented, fitted.validation, fitted.bicubic_psnr) == (False, None, 30.0)


def test_where_nothing_was_trained_there_is_nothing_to_tell():
    nothing = dict.fromkeys(("best_epoch", "seconds", "train_seconds", "steps", "earlier_seconds"), 0)
    unknown = {"bicubic_psnr": None, "validation": None}
    assert dataclasses.asdict(Fitted()) == {**nothing, **unknown, "history": [], "warnings": [], "invented": False}


def test_a_plan_has_no_limits_where_none_are_given():
    plan = Plan(epochs=2, steps_per_epoch=3)
    limits = {"max_minutes": None, "patience": None, "checkpoint_minutes": None}
    assert dataclasses.asdict(plan) == {"epochs": 2, "steps_per_epoch": 3, "patches": 1, **limits}
    assert (plan.total_steps, plan.max_seconds) == (6, None)
    assert dataclasses.replace(plan, max_minutes=2.5).max_seconds == 150


def test_keras_says_nothing_and_several_devices_bound_the_whole_gradient(capsys, monkeypatch):
    bounded = []
    monkeypatch.setattr(replicas, "bound_whole_gradient", bounded.append)
    _, model = Training().run()
    assert bounded == [model.optimizer]
    assert capsys.readouterr().out == ""


def test_validation_sees_running_means_and_training_never_does():
    """By hand, from the weights after each step of a training that keeps no means."""
    steps, validated = [], []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append([each.numpy() for each in self.model.trainable_variables])

    def fitted(optimizer, *callbacks):
        numerics.prepare(seed=3, deterministic=True)
        network = NETWORKS["srcnn"]()
        recipe = Recipe(loss=mse(), optimizer=optimizer, schedule=lambda *_: 1.0)

        def validate():
            validated.append([each.numpy() for each in network.trainable_variables])
            return {"val_psnr": 30.0 + len(validated), "val_ssim": 0.9}

        fitting = Fitting(network, recipe, PLAN, Validation(validate, bicubic_psnr=20.0), on_epoch=lambda *_: None)
        fitting.callbacks.extend(callbacks)
        fitting.run(batches)
        return network

    fitted(optimizers.adam(1e-2), Record())
    validated.clear()
    model = fitted(optimizers.adam(1e-2, ema=0.7))
    mean, expected = steps[0], []
    for number, weights in enumerate(steps, 1):
        if number > 1:
            mean = [0.7 * old + 0.3 * new for old, new in zip(mean, weights, strict=True)]
        if number % STEPS == 0:
            expected.append(mean)
    for ours, theirs in zip(validated, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    for one, other in zip(model.trainable_variables, expected[-1], strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-5, atol=1e-7)


def test_an_exploding_loss_leaves_the_state_before_it(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(SrexpError, match=r"exploded at step \d+ with learning rate .* kept in ") as failed:
        Training(optimizer="sgd").run(checkpoints, minutes=0, spoil=math.inf)
    kept = checkpoints.latest()
    assert str(checkpoints.newest) in str(failed.value)
    assert kept.finite()
    assert kept.step <= 6


def test_files_of_a_run_lie_where_they_should(tmp_path):
    checkpoints = Checkpoints(Path(tmp_path, "checkpoints", "run"))
    Training().run(checkpoints)
    assert len(checkpoints.files()) == 2
    checkpoints.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("optimizer", "best"), [("adam", 1), ("adam", 2), ("adam", 3), ("averages", 2)])
def test_a_training_ends_with_the_weights_of_its_best_epoch(optimizer, best):
    """Validation sees the weights of every epoch; those of the best one come back, wherever it lies."""
    numerics.prepare(seed=3, deterministic=True)
    model, seen = NETWORKS["srcnn"](), []

    def validate():
        seen.append([weights.copy() for weights in model.get_weights()])
        return {"val_psnr": 40.0 if len(seen) == best else 30.0 - len(seen), "val_ssim": 0.9}

    recipe = Recipe(loss=mse(), optimizer=OPTIMIZERS[optimizer](), schedule=lambda *_: 1.0)
    fitting = Fitting(model, recipe, PLAN, Validation(validate, bicubic_psnr=20.0), on_epoch=lambda *_: None)
    fitted = fitting.run(batches)
    assert fitted.best_epoch == best
    same = [
        all(np.array_equal(ours, then) for ours, then in zip(model.get_weights(), weights, strict=True))
        for weights in seen
    ]
    assert same == [epoch == best for epoch in (1, 2, 3)]
