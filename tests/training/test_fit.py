"""A training that was interrupted and goes on ends where one that never stopped ends, to the last bit."""

from __future__ import annotations

import dataclasses
import math
import signal
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from srexp.errors import SrexpError
from srexp.models import srcnn, vdsr
from srexp.training import numerics, optimizers, replicas, schedules
from srexp.training.checkpoint import Checkpoints
from srexp.training.courses.supervised import Supervised
from srexp.training.fit import Fitted, Fitting, Recipe, Validation
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

    def __init__(self, network="srcnn", optimizer="adam", plan=PLAN):
        self.network, self.optimizer, self.plan = network, optimizer, plan
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


def test_a_course_of_a_network_alone_invents_nothing(never_stopped):
    fitted, _ = never_stopped[1]
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


PLACES = {
    "before the first step": partial(once, "step 0"),
    "within an epoch": partial(once, "step 6"),
    "at the first step of an epoch": partial(once, "step 4"),
    "at the last step of an epoch": partial(once, "step 7"),
    "while validating": partial(once, "validation", 1),
    "while telling of an epoch": partial(once, "told", 1),
    "while validating the last epoch": partial(once, "validation", 2),
    "after the last epoch": partial(once, "told", 2),
}


@pytest.fixture(scope="module")
def never_stopped():
    """The default training, and what it led to."""
    training = Training()
    return training, training.run()


@pytest.fixture(scope="module")
def averages():
    """A training whose optimizer keeps running means of the weights."""
    return Training(optimizer="averages").run()


@pytest.mark.parametrize("place", PLACES)
def test_an_interruption_anywhere_changes_nothing(place, never_stopped, tmp_path):
    whole, expected = never_stopped
    interrupted, checkpoints = Training(), Checkpoints(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        interrupted.run(checkpoints, PLACES[place]())
    steps = []
    resumed = Training()
    assert_same(resumed.run(Checkpoints(tmp_path), steps.append), expected)
    assert resumed.told == whole.told  # those before the interruption, too
    trained = [int(each.split()[1]) for each in steps if each.startswith("step")]
    assert len(set(trained)) == len(trained)
    assert trained == list(range(EPOCHS * STEPS))[EPOCHS * STEPS - len(trained) :]


@pytest.mark.parametrize(
    ("network", "optimizer"),
    [("vdsr", "sgd"), ("srcnn", "adamw"), ("srcnn", "accumulation")],
)
def test_every_optimizer_goes_on_exactly(network, optimizer, tmp_path):
    expected = Training(network, optimizer).run()
    with pytest.raises(KeyboardInterrupt):
        Training(network, optimizer).run(Checkpoints(tmp_path), once("step 5"))
    assert_same(Training(network, optimizer).run(Checkpoints(tmp_path)), expected)


@pytest.mark.parametrize("place", ["within an epoch", "while validating", "while validating the last epoch"])
def test_running_means_of_the_weights_go_on_exactly_wherever_it_stopped(place, averages, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Training(optimizer="averages").run(Checkpoints(tmp_path), PLACES[place]())
    assert_same(Training(optimizer="averages").run(Checkpoints(tmp_path)), averages)


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


def test_without_a_word_it_goes_on_from_the_last_file(tmp_path, never_stopped):
    class GoneError(Exception):
        """What SIGKILL leaves: nothing is done any more."""

    def die(reached):
        if reached == "step 7":
            raise GoneError

    with pytest.raises(GoneError):
        Training().run(Checkpoints(tmp_path), die, minutes=0)
    assert [path.name[:14] for path in Checkpoints(tmp_path).files()] == ["step-000000006", "step-000000007"]
    assert_same(Training().run(Checkpoints(tmp_path)), never_stopped[1])


def test_patience_and_time_count_from_the_beginning(tmp_path):
    plan = Plan(epochs=EPOCHS, steps_per_epoch=STEPS, patience=1)
    expected = Training(plan=plan).run()
    with pytest.raises(KeyboardInterrupt):
        Training(plan=plan).run(Checkpoints(tmp_path), once("step 5"))
    assert_same(Training(plan=plan).run(Checkpoints(tmp_path)), expected)

    timed = Plan(epochs=EPOCHS, steps_per_epoch=STEPS, max_minutes=1.0)
    with pytest.raises(KeyboardInterrupt):
        Training(plan=timed).run(checkpoints := Checkpoints(tmp_path / "timed"), once("step 5"))
    late = Checkpoints(tmp_path / "late")
    late.save(dataclasses.replace(checkpoints.latest(), seconds=59.999))
    fitted, _ = Training(plan=timed).run(late)
    assert len(fitted.history) == 2
    assert fitted.seconds >= 60
    assert fitted.earlier_seconds == 59.999


def test_an_exploding_loss_leaves_the_state_before_it(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(SrexpError, match=r"exploded at step \d+ with learning rate .* kept in ") as failed:
        Training(optimizer="sgd").run(checkpoints, minutes=0, spoil=math.inf)
    kept = checkpoints.latest()
    assert str(checkpoints.newest) in str(failed.value)
    assert kept.finite()
    assert kept.step <= 6


def test_a_full_disk_is_said_and_ends_nothing(tmp_path, never_stopped, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    _, expected = never_stopped
    monkeypatch.setattr("os.fsync", full)
    fitted, model = Training().run(Checkpoints(tmp_path), minutes=0)
    assert_same((fitted, model), expected)
    assert [warning for warning in fitted.warnings if "No space left" in warning]
    assert len(fitted.warnings) == len(expected[0].warnings) + 1
    assert list(tmp_path.iterdir()) == []


def test_the_checkpoint_of_another_network_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Training("srcnn").run(Checkpoints(tmp_path), once("step 5"))
    with pytest.raises(SrexpError, match="another network"):
        Training("vdsr").run(Checkpoints(tmp_path))


def test_files_of_a_run_lie_where_they_should(tmp_path):
    checkpoints = Checkpoints(Path(tmp_path, "checkpoints", "run"))
    Training().run(checkpoints)
    assert len(checkpoints.files()) == 2
    checkpoints.remove()
    assert list(tmp_path.iterdir()) == []


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
