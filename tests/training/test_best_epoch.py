"""The history of a training: best weights, patience, and the warning of a network that does nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from srexp.training.best_epoch import DEAD_DB, History


def after(psnrs, *, bicubic_psnr=20.0, patience=None, epochs=100):
    history = History()
    for epoch, psnr in enumerate(psnrs, 1):
        assert not history.over
        history = history.after(
            {"val_psnr": psnr},
            at=epoch,
            weights=lambda epoch=epoch: (np.full(1, epoch),),
            bicubic_psnr=bicubic_psnr,
            patience=patience,
            last=epoch == epochs,
        )
    return history


@pytest.mark.parametrize(
    ("psnrs", "best"),
    [
        ([30, 31, 30.5], 2),
        ([30, 30], 1),  # a draw goes to the earlier one
        ([math.inf, math.inf], 1),
        ([math.nan, 30, 29], 2),
        ([30, math.nan], 1),
    ],
)
def test_the_best_epoch_keeps_its_weights(psnrs, best):
    history = after(psnrs)
    assert history.best_epoch == best
    assert history.best_weights[0] == best
    assert history.ended == tuple(range(1, len(psnrs) + 1))


@pytest.mark.parametrize(("psnrs", "over"), [([30, 29], False), ([30, 29, 28], True), ([30, 29, 31, 30, 30], True)])
def test_patience(psnrs, over):
    assert after(psnrs, patience=2).over is over


def test_the_last_epoch_ends_it():
    assert after([30, 31], epochs=2).over


@pytest.mark.parametrize(
    ("psnrs", "warned_after"),
    [([20, 30], []), ([20, 20, 20, 20], [2]), ([30, 20, 20], [3]), ([20, 20, 30, 20, 20.0005], [2, 5])],
)
def test_a_network_that_does_nothing_is_called_out_once(psnrs, warned_after):
    told = after(psnrs).warnings
    assert [int(warning.split("after epoch ")[1].split()[0]) for warning in told] == warned_after


def test_an_epoch_that_may_not_be_chosen_is_none_but_the_first_and_warnings_follow_each_other():
    history = History()
    for psnr, selects in ((30.0, False), (31.0, False), (30.5, True), (32.0, False)):
        history = history.after(
            {"val_psnr": psnr},
            at=0,
            weights=lambda psnr=psnr: (psnr,),
            bicubic_psnr=20.0,
            patience=None,
            last=False,
            selects=selects,
            warnings=[f"at {psnr}"],
        )
    assert (history.best_epoch, history.best_weights) == (3, (30.5,))
    assert history.warnings == ("at 30.0", "at 31.0", "at 30.5", "at 32.0")
    assert "weights" not in repr(history)  # of a network they would fill pages


def test_a_change_as_small_as_the_limit_is_one():
    assert after([DEAD_DB, DEAD_DB], bicubic_psnr=0.0).warnings == ()


def test_before_the_first_epoch_there_is_nothing():
    history = History()
    assert (history.epochs, history.ended, history.best_epoch, len(history.best_weights)) == ((), (), 0, 0)
