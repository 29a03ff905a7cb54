"""What a training shows, on a terminal and elsewhere, and the time that it says is left."""

from __future__ import annotations

import io
import math
import re

import numpy as np
import pytest
from rich.console import Console

from srexp.training import progress
from srexp.training.best_epoch import History
from srexp.training.checkpoint import Checkpoint
from srexp.training.fit import Fitting, Recipe, Validation
from srexp.training.plan import Plan
from srexp.training.progress import ShowProgress

PSNR = (41.5, 41.25, 42.0)


class Course:
    """A training of three steps an epoch, each of which takes some seconds by a clock of its own."""

    def __init__(self, plan: Plan, start: Checkpoint | None = None, *, step_seconds: float = 1.0) -> None:
        self.time, self.step_seconds = 0.0, step_seconds
        self.history = History()
        self.shown = ShowProgress(plan, start or Checkpoint(), lambda: self.history, 41.0, clock=lambda: self.time)

    def epochs(self, *numbers: int, steps: int = 3) -> None:
        self.shown.on_train_begin()
        for epoch in numbers:
            self.shown.on_epoch_begin(epoch)
            for batch in range(steps):
                self.time += self.step_seconds
                self.shown.on_train_batch_end(batch)
            told = {"loss": 0.12345, "val_psnr": PSNR[epoch], "lr": 1e-4}
            self.history = self.history.after(
                told, at=0, weights=list, bicubic_psnr=41.0, patience=None, last=False
            )  # fmt: skip
            self.shown.on_epoch_end(epoch)


def test_each_epoch_is_a_line_with_what_it_came_to(capsys):
    course = Course(Plan(epochs=3, steps_per_epoch=3, patches=64))
    course.epochs(0, 1, 2)
    course.shown.close()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "epoch 1/3  loss 0.1235  val 41.500 dB  +0.500 dB  lr 0.0001  64/s  best  0:06 left",
        "epoch 2/3  loss 0.1235  val 41.250 dB  +0.250 dB  lr 0.0001  64/s  0:03 left",
        "epoch 3/3  loss 0.1235  val 42.000 dB  +1.000 dB  lr 0.0001  64/s  best  0:00 left",
    ]


def ended(numbers, *, bicubic_psnr=41.0, steps=0, seconds=0.0):
    """A training of whose only epoch one knows the numbers."""
    course = Course(Plan(epochs=1, steps_per_epoch=4, patches=2))
    course.shown.bicubic_psnr = bicubic_psnr
    course.shown.on_epoch_begin(0)
    for batch in range(steps):
        course.time += seconds
        course.shown.on_train_batch_end(batch)
    course.history = History(epochs=({"loss": 0.5, "val_psnr": 41.5, "lr": 0.001, **numbers},), ended=(0,))
    course.shown.on_epoch_end(0)


@pytest.mark.parametrize(
    ("numbers", "options", "said"),
    [
        ({}, {}, "loss 0.5  val 41.500 dB  +0.500 dB  lr 0.001"),  # it lacked but its validation
        ({}, {"steps": 4}, "loss 0.5  val 41.500 dB  +0.500 dB  lr 0.001"),  # in no time
        ({}, {"steps": 4, "seconds": 2.0}, "loss 0.5  val 41.500 dB  +0.500 dB  lr 0.001  1/s"),
        ({"val_psnr": math.inf}, {}, "loss 0.5  val inf dB  lr 0.001"),
        ({}, {"bicubic_psnr": math.nan}, "loss 0.5  val 41.500 dB  lr 0.001"),
        ({"discriminator_loss": 0.69315}, {}, "loss 0.5  val 41.500 dB  +0.500 dB  discriminator 0.693  lr 0.001"),
        ({"lr": 0.00012345, "val_psnr": 40.0}, {}, "loss 0.5  val 40.000 dB  -1.000 dB  lr 0.00012"),
    ],
)
def test_what_an_epoch_came_to_leaves_out_what_is_not_known(numbers, options, said, capsys):
    ended(numbers, **options)
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"epoch 1/1  {said}  0:00 left"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-9, "0:00"),
        (0.4, "0:00"),
        (59.6, "1:00"),
        (61, "1:01"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (36_610, "10:10:10"),
    ],
)
def test_how_a_time_is_written(seconds, told):
    assert progress._clock(seconds) == told


def test_on_a_terminal_a_bar_shows_which_epoch_it_is_and_how_far(monkeypatch, capsys):
    monkeypatch.setattr(progress, "Terminal", lambda **_: Console(file=io.StringIO(), force_terminal=True, width=60))
    course = Course(Plan(epochs=3, steps_per_epoch=3), Checkpoint(step=3, seconds=3.0))
    assert re.match(r"epoch 1/3 .* 33 % *$", drawn(course.shown, 60))  # before the first step of this process
    course.shown.on_train_begin()
    assert course.shown.bar.live.is_started
    course.shown.on_epoch_begin(1)
    course.time += 70.0
    course.shown.on_train_batch_end(0)
    assert re.match(r"epoch 2/3 .* 44 % 5:50 left\s*$", drawn(course.shown, 60))
    assert len(drawn(course.shown, 60).rstrip("\n")) == 60
    course.history = History(epochs=({"loss": 0.5, "val_psnr": 41.5, "lr": 0.001},) * 2, ended=(0, 0))
    course.shown.on_epoch_end(1)
    course.shown.close()
    assert not course.shown.bar.live.is_started
    shown = course.shown.console.file.getvalue()
    assert "epoch 2/3  loss 0.5" in re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    assert "step 4/9" not in shown  # a minute without a line, but there is the bar
    assert capsys.readouterr() == ("", "")


def test_before_the_first_step_the_time_left_counts_as_if_one_was_done():
    course = Course(Plan(epochs=2, steps_per_epoch=5))
    course.time = 4.0
    assert course.shown.seconds_left() == 40.0


def test_a_minute_without_a_line_gets_one(capsys):
    course = Course(Plan(epochs=2, steps_per_epoch=100), step_seconds=25.0)
    course.shown.on_train_begin()
    course.shown.on_epoch_begin(0)
    for batch in range(6):
        course.time += 25.0
        course.shown.on_train_batch_end(batch)
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/2  step 3/200, 2%  1:22:05 left",
        "epoch 1/2  step 6/200, 3%  1:20:50 left",
    ]


def test_a_line_of_an_epoch_is_one_and_a_whole_minute_counts(capsys):
    course = Course(Plan(epochs=2, steps_per_epoch=3), step_seconds=20.0)
    course.epochs(0)
    course.shown.on_epoch_begin(1)
    said = [capsys.readouterr().err.splitlines()]
    for passed in (59.5, 0.5, 59.5):
        course.time += passed
        course.shown.on_train_batch_end(0)
        said.append(capsys.readouterr().err.splitlines())
    assert [len(lines) for lines in said] == [2, 0, 1, 0]
    assert said[0][0] == "epoch 1/2  step 3/6, 50%  1:00 left"


def drawn(shown: ShowProgress, columns: int = 80) -> str:
    console = Console(width=columns, file=io.StringIO())
    console.print(shown.bar.get_renderable())
    return console.file.getvalue()


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(
    ("plan", "start", "share"),
    [
        (Plan(epochs=3, steps_per_epoch=3), Checkpoint(), 33),
        (Plan(epochs=100_000, steps_per_epoch=3, max_minutes=0.1), Checkpoint(), 50),
        (Plan(epochs=100_000, steps_per_epoch=3, max_minutes=0.2), Checkpoint(step=9, seconds=6.0), 75),
        (Plan(epochs=3, steps_per_epoch=3, max_minutes=60), Checkpoint(step=3, seconds=60.0), 67),
    ],
    ids=["steps", "clock", "clock, resumed", "steps, resumed"],
)
def test_the_bar_is_over_what_ends_training_first_and_ends_full(plan, start, share, columns):
    course = Course(plan, start)
    course.epochs(0)
    line = drawn(course.shown, columns)
    assert f"{share} %" in line
    assert line.rstrip().endswith("left")
    assert "…" not in line
    course.shown.finish()
    assert re.search(r"100 % done\s*$", drawn(course.shown, columns))


@pytest.mark.parametrize(
    ("minutes", "start", "left"),
    [
        (None, Checkpoint(), 900),  # a tenth of the steps took 100 s
        (None, Checkpoint(step=5, seconds=1000.0), 1900 - 100),  # only those of this process count: 5 in 100 s
        (5, Checkpoint(), 200),
        (5, Checkpoint(step=5, seconds=150.0), 50),
    ],
    ids=["from the start", "resumed", "limited", "limited and resumed"],
)
def test_time_left_is_that_of_the_steps_to_come_or_what_the_limit_leaves(minutes, start, left):
    course = Course(Plan(epochs=10, steps_per_epoch=10, max_minutes=minutes), start)
    course.time = 100
    for batch in range(10 - start.step):
        course.shown.on_train_batch_end(batch)
    assert course.shown.seconds_left() == pytest.approx(left)


@pytest.mark.parametrize(("patience", "interrupted"), [(None, False), (1, False), (None, True)])
def test_the_bar_is_full_when_training_ended_in_order_and_not_when_it_was_interrupted(patience, interrupted):
    """Fewer epochs than planned: patience ends the training after the second, whose PSNR isn't better."""
    import keras
    import tensorflow as tf

    low = keras.Input((None, None, 1))
    model = keras.Model(low, keras.layers.Conv2D(1, 1)(low))

    def on_epoch(*_: object) -> None:
        if interrupted:
            raise KeyboardInterrupt

    one = np.ones((1, 4, 4, 1), np.float32)
    batches = tf.data.Dataset.from_tensors((one, one)).repeat()

    class Opened:
        def __enter__(self):
            return batches

        def __exit__(self, *_):
            return None

    recipe = Recipe(keras.losses.MeanSquaredError(), keras.optimizers.SGD(1e-3), lambda *_: 1.0)
    validation = Validation(lambda: {"val_psnr": 40.0, "val_ssim": 0.9}, 40.5)
    plan = Plan(epochs=4, steps_per_epoch=2, patience=patience)
    fitting = Fitting(model, recipe, plan, validation, on_epoch)
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            fitting.run(lambda _: Opened())
    else:
        assert len(fitting.run(lambda _: Opened()).history) == (4 if patience is None else 2)
    [task] = fitting.progress.bar.tasks
    assert task.percentage == pytest.approx(25 if interrupted else 100)
