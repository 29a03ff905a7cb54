"""A training that was interrupted and goes on ends where one that never stopped ends, to the last bit."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest

from srexp.errors import SrexpError
from srexp.training.checkpoint import Checkpoints
from srexp.training.plan import Plan
from tests.networks import first_quick
from tests.training.trainings import EPOCHS, STEPS, Training, assert_same, once

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
#: Tried in the fast lane, too: one of each kind.
FAST = ("before the first step", "within an epoch", "while validating", "after the last epoch")


@pytest.fixture(scope="module")
def never_stopped():
    """The default training, and what it led to."""
    training = Training()
    return training, training.run()


@pytest.fixture(scope="module")
def averages():
    """A training whose optimizer keeps running means of the weights."""
    return Training(optimizer="averages").run()


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "place", [pytest.param(each, marks=[] if each in FAST else pytest.mark.slow) for each in PLACES]
)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "optimizer"),
    first_quick([("srcnn", "accumulation"), ("vdsr", "sgd"), ("srcnn", "adamw")]),
)
def test_every_optimizer_goes_on_exactly(network, optimizer, tmp_path):
    expected = Training(network, optimizer).run()
    with pytest.raises(KeyboardInterrupt):
        Training(network, optimizer).run(Checkpoints(tmp_path), once("step 5"))
    assert_same(Training(network, optimizer).run(Checkpoints(tmp_path)), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", first_quick([("within an epoch",), ("while validating",), ("while validating the last epoch",)])
)
def test_running_means_of_the_weights_go_on_exactly_wherever_it_stopped(place, averages, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Training(optimizer="averages").run(Checkpoints(tmp_path), PLACES[place]())
    assert_same(Training(optimizer="averages").run(Checkpoints(tmp_path)), averages)


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


@pytest.mark.slow
def test_patience_and_time_count_from_the_beginning(tmp_path):
    plan = Plan(epochs=EPOCHS, steps_per_epoch=STEPS, patience=1)
    expected = Training(plan=plan).run()
    with pytest.raises(KeyboardInterrupt):
        Training(plan=plan).run(Checkpoints(tmp_path), once("step 5"))
    begun = Checkpoints(tmp_path).latest()
    assert_same(Training(plan=plan).run(Checkpoints(tmp_path)), expected)

    timed = Plan(epochs=EPOCHS, steps_per_epoch=STEPS, max_minutes=1.0)
    late = Checkpoints(tmp_path / "late")
    late.save(dataclasses.replace(begun, seconds=59.999))
    fitted, _ = Training(plan=timed).run(late)
    assert len(fitted.history) == 2
    assert fitted.seconds >= 60
    assert fitted.earlier_seconds == 59.999


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
