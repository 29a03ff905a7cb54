"""What a search shows of its trials where there is no terminal: a line for each that ended."""

from __future__ import annotations

import pytest

from srexp.experiment.search.progress import SearchProgress
from srexp.types import Trial

VALUES = {"optimizer.lr": 0.000123456, "model.depth": 8}


def finished(number: int, psnr: float) -> Trial:
    return Trial(number=number, state="finished", values=VALUES, objectives=(psnr, 0.0123456))


PRUNED = Trial(number=1, state="pruned", values=VALUES, curve={1: 30.0, 2: 30.5})
FAILED = Trial(number=2, state="failed", values={}, facts={"reason": "its worker was killed"})
RUNNING = Trial(number=3, state="running", values=VALUES)


def test_each_trial_that_ends_is_told_once(capsys):
    now = [0.0]
    with SearchProgress(total=3, clock=lambda: now[0]) as progress:
        progress.show([RUNNING])
        now[0] = 59.0
        progress.began = -1.0
        progress.show([finished(0, 41.23456), PRUNED, FAILED, RUNNING])
        progress.show([finished(0, 41.23456), PRUNED, FAILED, finished(3, 40.0)])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "trial 0 finished 41.235 0.01235  optimizer.lr=0.000123 model.depth=8; 2/3, 0:00:30 left",
        "trial 1 pruned after epoch 2  optimizer.lr=0.000123 model.depth=8; 2/3, 0:00:30 left",
        "trial 2 failed its worker was killed  ; 2/3, 0:00:30 left",
        "trial 3 finished 40.000 0.01235  optimizer.lr=0.000123 model.depth=8; 3/3, done",
    ]


def test_a_minute_without_a_line_gets_one(capsys):
    now = [0.0]
    with SearchProgress(total=2, clock=lambda: now[0]) as progress:
        for now[0] in (30.0, 59.0, 60.0, 61.0, 119.0, 120.0):
            progress.show([RUNNING])
        now[0] = 130.0
        progress.show([finished(0, 41.0), RUNNING])
        for now[0] in (189.0, 190.0):
            progress.show([finished(0, 41.0), RUNNING])
    assert capsys.readouterr().err.splitlines() == [
        "trials 0/2, 1 running, time left unknown",
        "trials 0/2, 1 running, time left unknown",
        "trial 0 finished 41.000 0.01235  optimizer.lr=0.000123 model.depth=8; 1/2, 0:02:10 left",
        "trials 1/2, 1 running, best 41.000, 0:03:10 left",
    ]


@pytest.mark.parametrize("earlier", [1, 2])
def test_trials_of_an_earlier_call_are_not_told_and_say_nothing_of_the_pace(earlier, capsys):
    before, now = [finished(number, 40.0) for number in range(earlier)], [0.0]
    with SearchProgress(total=earlier + 2, clock=lambda: now[0]) as progress:
        progress.show([*before, FAILED])
        progress.began = -100.0
        assert capsys.readouterr().err == ""
        progress.show([*before, FAILED, finished(5, 41.0)])
    assert capsys.readouterr().err.endswith(f"; {earlier + 1}/{earlier + 2}, 0:01:40 left\n")
    assert progress.done([*before, FAILED, PRUNED, RUNNING]) == earlier + 1
