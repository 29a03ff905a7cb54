"""What a training shows where there is no terminal, and the time that it says is left."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from srexp.training.checkpoint import Checkpoint
from srexp.training.plan import Plan
from srexp.training.progress import ShowProgress

LOGS = {"loss": 0.12345, "val_psnr": 41.5, "val_ssim": 0.98765}


def test_each_epoch_is_a_line(capsys):
    shown = ShowProgress(Plan(epochs=2, steps_per_epoch=3), Checkpoint())
    shown.on_train_begin()
    for epoch in range(2):
        shown.on_epoch_begin(epoch)
        for batch in range(3):
            shown.on_train_batch_end(batch, {"loss": 0.1})
        shown.on_epoch_end(epoch, LOGS)
    shown.close()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "epoch 1/2  loss 0.1235  val 41.500 dB / 0.9877  0:00 left",
        "epoch 2/2  loss 0.1235  val 41.500 dB / 0.9877  0:00 left",
    ]


def test_the_bar_shows_epoch_steps_numbers_and_time():
    shown = ShowProgress(Plan(epochs=2, steps_per_epoch=3), Checkpoint(step=3))
    shown.on_epoch_end(0, LOGS)
    shown.on_epoch_begin(1)
    shown.on_train_batch_end(0, {"loss": 0.1})
    drawn = Console(width=120, file=io.StringIO())
    drawn.print(shown.bar.get_renderable())
    words = drawn.file.getvalue().split()
    assert words[:2] == ["epoch", "2/2"]
    assert words[3:] == ["4/6", *["loss", "0.1", "val", "41.500", "dB", "/", "0.9877", "0:00", "left"]]


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
    shown = ShowProgress(Plan(epochs=10, steps_per_epoch=10, max_minutes=minutes), start)
    shown.started = time.monotonic() - 100
    for batch in range(10 - start.step):
        shown.on_train_batch_end(batch)
    assert shown.seconds_left() == pytest.approx(left, abs=1)
