"""Adversarial training: two phases in one loop, a discriminator that starts undecided, an end that is a blend."""

from __future__ import annotations

import math
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from srexp.errors import RequestError
from srexp.models import srcnn
from srexp.training import numerics, optimizers, schedules
from srexp.training.checkpoint import Checkpoints
from srexp.training.courses import adversarial, supervised
from srexp.training.courses.discriminator import discriminator
from srexp.training.courses.duel import Duel, Opponent
from srexp.training.fit import Fitting, Recipe, Validation
from srexp.training.losses import l1
from tests.training.trainings import EPOCHS, PLAN, STEPS, batches, once, timeless

IMAGE = np.random.default_rng(1).random((1, 8, 8, 1), dtype=np.float32)


def course(**options):
    given = {"width": 2, "weight": 100.0, "pixel_share": 0.3, "discriminator_lr": 1e-2, **options}
    return adversarial.build(2, 1, **given)


def averaging(lr):
    """Adam that ends with averages of the weights."""
    return keras.optimizers.Adam(lr, use_ema=True, ema_overwrite_frequency=None)


def train(how, checkpoints=None, interrupt=lambda _place: None, optimizer=optimizers.adam):
    """Train a small network by a course; give what it led to, the network and what was told of each epoch."""
    numerics.prepare(seed=3, deterministic=True)
    network = srcnn.build(2, 1, kernels=[5, 3, 3], filters=[6, 4])
    told = {}

    def follow(step, total):
        interrupt(f"step {step}")
        return schedules.cosine()(step, total)

    def validate():
        interrupt("validation")
        return {"val_psnr": 40 - float(np.abs(network(IMAGE, training=False)).mean()), "val_ssim": 0.5}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("srexp.training.courses.discriminator._LEVELS", 2)  # of four: its graph is soon made
        fitting = Fitting(
            network,
            Recipe(loss=l1(), optimizer=optimizer(1e-3), schedule=follow),
            PLAN,
            Validation(validate, bicubic_psnr=30.0),
            on_epoch=lambda epoch, numbers, _: told.update({epoch: timeless(numbers)}),
            checkpoints=checkpoints,
            course=how,
        )
    return fitting.run(batches), network, told


def assert_equal_weights(one, other):
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def remembered(how):
    """Let a course remember the network's weights after each epoch."""
    kept, own = [], how.callbacks

    def callbacks(plan, share):
        keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: kept.append(how.duel.network.get_weights()))
        return [*own(plan, share), keep]

    how.callbacks = callbacks
    return kept


@pytest.fixture(scope="module")
def never_stopped():
    how = course()
    how.kept = remembered(how)
    return how, *train(how)


@pytest.fixture(scope="module")
def alone():
    return train(supervised.build())


@pytest.mark.slow
def test_weight_0_trains_as_supervised_to_the_last_bit(alone):
    fitted, network, told = train(course(weight=0.0))
    plain, expected, told_plain = alone
    assert_equal_weights(network.get_weights(), expected.get_weights())
    assert fitted.best_epoch == plain.best_epoch
    assert not fitted.invented
    assert fitted.validation is None
    for epoch, numbers in told_plain.items():
        assert {key: told[epoch][key] for key in numbers} == numbers
    assert "discriminator_loss" in told[EPOCHS]  # it looked on


@pytest.mark.slow
def test_the_loss_alone_comes_first_and_the_discriminator_starts_undecided(never_stopped, alone):
    *_, told = never_stopped
    assert "discriminator_loss" not in told[1]
    assert "adversarial_loss" not in told[1]
    assert told[2]["discriminator_loss"] == pytest.approx(math.log(2), abs=0.3)
    assert told[2]["adversarial_loss"] == pytest.approx(math.log(2), abs=0.3)
    assert 0 <= told[3]["discriminator_accuracy"] <= 1
    plain = alone[2]
    assert told[1] == plain[1]
    assert told[3]["loss"] != plain[3]["loss"]


def test_the_end_is_a_blend_of_both_phases_and_says_so(never_stopped):
    how, fitted, network, _ = never_stopped
    first, *_, last = how.kept
    for blended, best, end in zip(network.get_weights(), first, last, strict=True):
        np.testing.assert_allclose(blended, 0.2 * best + 0.8 * end, rtol=1e-5, atol=1e-7)
    assert fitted.invented
    assert fitted.best_epoch == EPOCHS
    assert fitted.validation["val_psnr"] == 40 - float(np.abs(network(IMAGE, training=False)).mean())
    assert any("detail is invented" in warning and "20% of epoch 1" in warning for warning in fitted.warnings)


@pytest.mark.slow
def test_a_blend_of_1_ends_with_the_last_weights(never_stopped):
    how, *_ = never_stopped
    for ended, last in zip(train(course(blend=1.0))[1].get_weights(), how.kept[-1], strict=True):
        np.testing.assert_array_equal(ended, last)


PLACES = {
    "before the second phase": ("step 2",),
    "within its first epoch": (f"step {STEPS + 2}",),
    "while validating": ("validation", 1),
    "after the last epoch": ("validation", EPOCHS - 1),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "place", [pytest.param(each, marks=[] if "within" in each else pytest.mark.slow) for each in PLACES]
)
def test_an_interruption_anywhere_changes_nothing(place, never_stopped, tmp_path):
    whole, fitted, network, told = never_stopped
    with pytest.raises(KeyboardInterrupt):
        train(course(), Checkpoints(tmp_path), once(*PLACES[place]))
    resumed = course()
    again, network_again, told_again = train(resumed, Checkpoints(tmp_path))
    assert told_again == told
    assert again.best_epoch == fitted.best_epoch
    assert again.validation == fitted.validation
    assert again.warnings == fitted.warnings
    assert_equal_weights(network_again.get_weights(), network.get_weights())
    assert_equal_weights([each.numpy() for each in resumed.state()], [each.numpy() for each in whole.state()])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
@pytest.mark.parametrize("place", ["after the last epoch", "within its first epoch"])
def test_an_interruption_changes_nothing_where_the_optimizer_averages(place, tmp_path):
    network = train(course(), optimizer=averaging)[1]
    with pytest.raises(KeyboardInterrupt):
        train(course(), Checkpoints(tmp_path), once(*PLACES[place]), averaging)
    again = train(course(), Checkpoints(tmp_path), optimizer=averaging)[1]
    assert_equal_weights(again.get_weights(), network.get_weights())


@pytest.mark.slow
def test_what_is_left_to_do_after_the_last_step_is_done_in_its_phase(never_stopped, tmp_path):
    *_, told = never_stopped
    with pytest.raises(KeyboardInterrupt):
        train(course(), Checkpoints(tmp_path), once("validation", EPOCHS - 1))
    assert train(course(), Checkpoints(tmp_path))[2] == told


@pytest.mark.slow
def test_plain_and_relativistic_differ(never_stopped):
    *_, told = never_stopped
    plain = train(course(objective="plain"))[2]
    assert plain[1] == told[1]
    assert plain[2]["discriminator_loss"] == pytest.approx(math.log(2), abs=0.3)
    assert plain[3]["adversarial_loss"] != told[3]["adversarial_loss"]


def test_a_training_without_time_for_the_second_phase_says_so():
    fitted, _, told = train(course(pixel_share=0.99))
    assert not fitted.invented
    assert "discriminator_loss" not in told[EPOCHS]
    assert any("training ended before its adversarial phase" in warning for warning in fitted.warnings)


def duel(losses, accuracies):
    return [
        {"loss": 1.0, "discriminator_loss": loss, "discriminator_accuracy": accuracy}
        for loss, accuracy in zip(losses, accuracies, strict=True)
    ]


def test_a_winner_is_named_once_with_what_to_do():
    how = course()
    epochs = [{"loss": 2.0}, *duel([0.6, 0.01, 0.01, 0.01, 0.01, 0.5, 0.01, 0.01, 0.01], [0.9] * 9)]
    told = [how.warnings(epochs[:end]) for end in range(1, len(epochs) + 1)]
    assert [len(each) for each in told] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert "the discriminator wins: after epoch 5" in told[4][0]
    assert "training.discriminator_lr" in told[4][0]
    guessing = how.warnings(duel([math.log(2)] * 3, [0.5] * 3))
    assert len(guessing) == 1
    assert "the network wins: after epoch 3" in guessing[0]
    assert "50%" in guessing[0]
    assert how.warnings(duel([0.5] * 3, [0.7] * 3)) == []


@pytest.mark.parametrize(("channels", "weights"), [(1, 1_194_525), (3, 1_195_677)])
def test_the_discriminator_has_the_weights_that_are_written_down(channels, weights):
    network = discriminator(4, channels, 32)
    assert sum(math.prod(each.shape) for each in network.trainable_weights) == weights
    judged = network([np.zeros((2, 64, 64, channels), np.float32), np.zeros((2, 16, 16, channels), np.float32)])
    assert judged.shape == (2, 1)
    assert not np.any(judged)


@pytest.mark.parametrize(
    ("key", "value"),
    [("weight", -1.0), ("pixel_share", 1.0), ("blend", 0.0), ("width", 0), ("discriminator_lr", 0.0)],
)
def test_values_out_of_range_are_refused(key, value):
    with pytest.raises(RequestError, match=rf"training\.{key} is out of range"):
        adversarial.build(2, 1, **{key: value})


@pytest.mark.slow
def test_the_discriminator_learns_what_a_few_grey_levels_add():
    """Normalised layers shrink what passes: eight of them once left nothing to learn from."""
    numerics.prepare(seed=1, deterministic=False)
    judge = discriminator(2, 1, 4)
    opponent = Opponent(judge, keras.optimizers.Adam(1e-3), "relativistic")
    enlarge = keras.layers.UpSampling2D(2, interpolation="bicubic")
    rng, losses = np.random.default_rng(0), []

    @tf.function
    def learn(low, high, restored):
        with tf.GradientTape() as tape:
            loss = opponent.own_loss(*opponent.judge(low, high, restored, training=True))
        weights = judge.trainable_variables
        opponent.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    for _ in range(60):
        low = rng.uniform(0.4, 0.5, (4, 16, 16, 1)).astype(np.float32)
        smooth = np.asarray(enlarge(low))
        sharp = smooth + rng.normal(0, 1.5 / 255, smooth.shape).astype(np.float32)
        losses.append(float(learn(low, sharp, smooth)))
    assert losses[0] == pytest.approx(math.log(2))
    assert losses[-1] < 0.1


def test_the_discriminator_judges_as_it_did_and_begins_as_it_is_written():
    """Checkpoints hold its weights: with the same ones it says the same, to what float32 holds."""
    network = discriminator(2, 1, 4)
    for layer in network.layers:
        if layer.name.endswith(("share", "judged")):
            assert not np.any(layer.kernel)  # each factor begins at 1, each judgement at 0
        elif layer.name.endswith("normalised"):
            kernel = np.asarray(layer.layer.kernel)
            assert kernel.std() == pytest.approx(math.sqrt(2 / kernel[..., 0].size), rel=0.35)
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.3, each.shape).astype(np.float32) for each in network.get_weights()])
    high, low = rng.random((2, 20, 20, 1), dtype=np.float32), rng.random((2, 10, 10, 1), dtype=np.float32)
    assert np.asarray(network([high, low])).ravel() == pytest.approx([23380.06, 5116.16], rel=1e-4)


def saying_means(images, training):
    """A discriminator for whom a patch is the more real the brighter it is, and than its `low`."""
    candidate, low = (keras.ops.mean(each, axis=(1, 2)) for each in images)
    return candidate - low / 2


def cost(logits):
    return float(np.mean(np.log1p(np.exp(-np.asarray(logits)))))


def test_costs_are_those_of_the_papers():
    """Real 1.5 and 3, restored 0 and 0.5: relativistic they stand at 1.25 and 2.75, -2.25 and -1.75 of the others."""
    low, high, restored = (
        np.float32(each)[:, np.newaxis, np.newaxis, np.newaxis] for each in ([1, 2], [2, 4], [0.5, 1.5])
    )
    for objective, real, fake in (
        ("plain", [1.5, 3.0], [0.0, 0.5]),
        ("relativistic", [1.25, 2.75], [-2.25, -1.75]),
    ):
        opponent = Opponent(saying_means, None, objective)
        judged = opponent.judge(low, high, restored, training=False)
        np.testing.assert_allclose([np.ravel(each) for each in judged], [real, fake], rtol=1e-6)
        recognised, fooled = cost(real) + cost(np.negative(fake)), cost(fake) + cost(np.negative(real))
        assert float(opponent.own_loss(*judged)) == pytest.approx(recognised / 2, rel=1e-6)
        charge = cost(fake) if objective == "plain" else fooled / 2
        assert float(opponent.charge(*judged)) == pytest.approx(charge, rel=1e-6)


def test_what_is_told_of_a_step_is_what_the_discriminator_said_in_it():
    """One that takes everything for real by a logit of 1 is right in half of the patches."""
    judge = discriminator(2, 1, 2)
    judge.layers[-1].bias.assign([1.0])
    together = Duel(
        srcnn.build(2, 1, kernels=[5, 3, 3], filters=[6, 4]), Opponent(judge, keras.optimizers.SGD(0.0), "plain"), 1
    )
    together.compile(optimizer=keras.optimizers.SGD(0.0), loss=l1(), run_eagerly=True)
    together.fight(True)
    rng = np.random.default_rng(0)
    low, high = rng.random((2, 8, 8, 1), dtype=np.float32), rng.random((2, 16, 16, 1), dtype=np.float32)
    told = {key: float(value) for key, value in together.train_step((low, high)).items()}
    away = np.abs(np.asarray(together.network(low)) - high).mean() * 255
    assert told == pytest.approx(
        {
            "loss": away,
            "adversarial_loss": cost([1.0]),
            "discriminator_loss": (cost([1.0]) + cost([-1.0])) / 2,
            "discriminator_accuracy": 0.5,
        },
        rel=1e-5,
    )


def test_both_learning_rates_follow_one_schedule(never_stopped):
    how, *_ = never_stopped
    ours, theirs = (float(each.learning_rate) for each in (how.duel.optimizer, how.duel.opponent.optimizer))
    assert 0 < ours < 1e-3
    assert theirs == pytest.approx(10 * ours)
    assert (how.duel.opponent.optimizer.beta_1, how.duel.opponent.optimizer.beta_2) == (0.9, 0.99)


def test_one_of_the_two_wins_from_a_bound_on():
    """A tenth of ln 2 is not yet certain, 52 % still a guess."""
    how = course()
    assert how.warnings(duel([0.1 * math.log(2)] * 3, [0.521] * 3)) == []
    assert len(how.warnings(duel([0.069] * 3, [0.52] * 3))) == 2


def test_a_course_says_what_it_asks_of_devices_and_of_who_chooses_the_best_epoch():
    said = [(how.one_device, how.invents, how.selects) for how in (supervised.build(), course(weight=0.0), course())]
    assert said == [(False, False, True), (True, False, True), (True, True, True)]
