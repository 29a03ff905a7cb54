"""Which epoch of a training is the best, its weights, and when patience with the ones after it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy.typing as npt

Arrays: TypeAlias = "Sequence[npt.NDArray[Any]]"

#: A network that changes validation PSNR by less than this, in dB, does nothing.
DEAD_DB = 1e-3


@dataclass(frozen=True, kw_only=True)
class History:
    """What the epochs so far led to.

    An epoch that ends replaces it as a whole, so that an interruption finds the old one or the new one.

    Args:
        epochs: Numbers of every epoch, in order, among them `val_psnr`.
        ended: When each ended, in milliseconds since 1970.
        best_epoch: Epoch with the best validation PSNR, from 1; 0 before the first.
        best_weights: Weights after it.
        warnings: What the user should know.
        over: Whether training ended with the last of these epochs.
    """

    epochs: tuple[dict[str, float], ...] = ()
    ended: tuple[int, ...] = ()
    best_epoch: int = 0
    best_weights: Arrays = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    over: bool = False

    def after(
        self,
        numbers: Mapping[str, float],
        *,
        at: int,
        weights: Callable[[], Arrays],
        bicubic_psnr: float,
        patience: int | None,
        last: bool,
        selects: bool = True,
        warnings: Sequence[str] = (),
    ) -> History:
        """Give the history after one more epoch.

        Args:
            numbers: Of the epoch.
            at: When it ended, in milliseconds since 1970.
            weights: Gives the weights, asked for only when they are the best.
            bicubic_psnr: Validation PSNR of bicubic, in dB, to call out a network that does nothing.
            patience: Epochs without a better validation PSNR after which training is over; None for never.
            last: Whether no other epoch was asked for, or there is no time for one.
            selects: Whether it may be the best one; the first one is in any case.
            warnings: Further ones.
        """
        epochs = (*self.epochs, dict(numbers))
        best = self.epochs[self.best_epoch - 1]["val_psnr"] if self.epochs else math.nan
        better = not self.epochs or (selects and (numbers["val_psnr"] > best or math.isnan(best)))
        best_epoch = len(epochs) if better else self.best_epoch
        return replace(
            self,
            epochs=epochs,
            ended=(*self.ended, at),
            best_epoch=best_epoch,
            best_weights=weights() if better else self.best_weights,
            warnings=(*self.warnings, *_dead(epochs, bicubic_psnr), *warnings),
            over=last or (patience is not None and len(epochs) - best_epoch >= patience),
        )


def _dead(epochs: Sequence[Mapping[str, float]], bicubic_psnr: float) -> list[str]:
    """Warn of a network that does nothing, once."""
    still = [abs(numbers["val_psnr"] - bicubic_psnr) < DEAD_DB for numbers in epochs[-3:]]
    # Twice in a row is no accident of early training.
    if still[-2:] != [True, True] or still[:-2] == [True]:
        return []
    return [
        f"dead network: after epoch {len(epochs)} its output equals bicubic to {DEAD_DB} dB; "
        "lower optimizer.lr, lengthen schedule.warmup_steps or choose another model.start"
    ]
