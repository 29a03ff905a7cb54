"""Adversarial training: first the loss alone, then a discriminator beside it that rewards what looks real.

After SRGAN (C. Ledig et al., CVPR 2017) and ESRGAN (X. Wang et al., ECCV 2018 workshops), from which the relativistic
form, the two phases and the interpolation of weights come. Such a network invents detail: it looks like the images that
it was trained on and was never measured, and PSNR falls by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras
from srexp.training.best_epoch import Arrays
from srexp.training.courses.supervised import Supervised
from srexp.training.plan import Plan

#: Epochs in a row after which one of the two is said to win.
IN_A_ROW = 3
#: Loss of the discriminator, of which ln 2 is guessing, below which it knows every patch.
SURE = 0.1 * math.log(2)
#: Accuracy of the discriminator, of which 0.5 is guessing, up to which it tells nothing.
GUESSING = 0.52
_BETAS = (0.9, 0.99)


class Adversarial(Supervised):
    """Train a network by its loss, then against a discriminator, too.

    Args:
        scale: How many times larger what the network restores is than what it is given.
        channels: Of the images.
        weight: Of the adversarial term beside the loss, in the loss's unit: with `loss=l1`, 0.255 is the usual 1e-3 on
            [0, 1]. With 0 the network is trained as by `supervised`, to the last bit, and the discriminator looks on.
        objective: `relativistic` (is it more real than the others are on average? A. Jolicoeur-Martineau 2019) or
            `plain` (is it real? I. Goodfellow et al. 2014, in the form that doesn't saturate).
        pixel_share: Share of the training, by steps or by the clock, with the loss alone.
        blend: Share of the last weights in those that the network ends with; the rest is the best epoch's of the first
            phase.
        width: Features of the discriminator's first level.
        discriminator_lr: Its peak learning rate, for Adam; it follows the schedule.

    Raises:
        RequestError: A value is out of its range.
    """

    one_device = True  # spectral normalisation sets weights within a step, which replicas can't

    def __init__(
        self,
        scale: int,
        channels: int,
        *,
        weight: float = 0.255,
        objective: Literal["relativistic", "plain"] = "relativistic",
        pixel_share: float = 0.5,
        blend: float = 0.8,
        width: int = 32,
        discriminator_lr: float = 1e-4,
    ) -> None:
        self.scale, self.channels, self.width, self.lr = scale, channels, width, discriminator_lr
        self.weight, self.objective, self.pixel_share, self.alpha = weight, objective, pixel_share, blend
        self.duel: Any = None
        self.began: Any = 0

    @property
    def invents(self) -> bool:  # type: ignore[override]
        """Whether the network hears of the discriminator."""
        return self.weight > 0

    @property
    def selects(self) -> bool:  # type: ignore[override]
        """Whether PSNR still decides: not once the discriminator is heard."""
        return not (self.invents and int(self.began))

    def stepping(self, network: keras.Model) -> keras.Model:
        """Put a discriminator beside a network."""
        from srexp.training.courses.discriminator import discriminator
        from srexp.training.courses.duel import Duel, Opponent

        judge = discriminator(self.scale, self.channels, self.width)
        optimizer = keras.optimizers.Adam(self.lr, beta_1=_BETAS[0], beta_2=_BETAS[1])
        optimizer.build(judge.trainable_variables)
        self.duel = Duel(network, Opponent(judge, optimizer, self.objective), self.weight)
        self.began = keras.Variable(0, dtype="int32", trainable=False, name="adversarial_phase")
        return self.duel

    def try_out(self) -> None:
        """Begin with the second phase."""
        self.duel.fight(True)

    def state(self) -> Sequence[Any]:
        """Give the phase, the discriminator and its optimizer."""
        opponent = self.duel.opponent
        return [self.began, *opponent.network.variables, *opponent.optimizer.variables]

    def resumed(self) -> None:
        """Go on in the phase that the state is of."""
        self.duel.fight(bool(int(self.began)))

    def callbacks(self, plan: Plan, share: Callable[[], float]) -> Sequence[keras.callbacks.Callback]:
        """Give the one that changes the phase."""
        from srexp.training.courses.duel import Phases

        return [Phases(self.duel, self.began, lambda: share() >= self.pixel_share, plan.steps_per_epoch)]

    def warnings(self, epochs: Sequence[Mapping[str, float]]) -> list[str]:
        """Say when one of the two wins: it teaches nothing any more."""
        told = []
        if _first_time(["discriminator_loss" in each and each["discriminator_loss"] < SURE for each in epochs]):
            told.append(
                f"the discriminator wins: after epoch {len(epochs)} it knows restored patches from real ones, loss "
                f"{epochs[-1]['discriminator_loss']:.2g} where guessing is {math.log(2):.2f}; lower "
                "training.discriminator_lr or training.width, or raise training.pixel_share, so that the network is "
                "better before"
            )
        if _first_time([each.get("discriminator_accuracy", 1.0) <= GUESSING for each in epochs]):
            told.append(
                f"the network wins: after epoch {len(epochs)} the discriminator is right in "
                f"{epochs[-1]['discriminator_accuracy']:.0%} of patches, and teaches nothing; raise "
                "training.discriminator_lr or training.width, train for longer, or take a larger trainer.patch_size"
            )
        return told

    def blend(self, best: Arrays, last: Arrays) -> Arrays | None:
        """Interpolate between the best epoch of the first phase and the last of the second."""
        if self.selects:
            return None
        return [_between(one, other, self.alpha) for one, other in zip(best, last, strict=True)]

    def summary(self, *, best: int, last: int) -> list[str]:
        """Say of what the weights are, and what that means."""
        if not self.invents:
            return []
        if self.selects:
            return [
                f"training ended before its adversarial phase, which begins with the first epoch after "
                f"{self.pixel_share:.0%} of it: the network is that of the loss alone; train for longer, or lower "
                "training.pixel_share or trainer.steps_per_epoch"
            ]
        return [
            "detail is invented: the network was trained against a discriminator (weights: "
            f"{1 - self.alpha:.0%} of epoch {best}, {self.alpha:.0%} of epoch {last}); what it adds looks real and was "
            "never measured"
        ]


def _first_time(holds: Sequence[bool]) -> bool:
    """Tell whether something holds for so many epochs in a row, and did so for no epochs before."""
    rows = [all(holds[end - IN_A_ROW : end]) for end in range(IN_A_ROW, len(holds) + 1)]
    return bool(rows) and rows[-1] and not any(rows[:-1])


def _between(one: Any, other: Any, alpha: float) -> Any:
    return ((1 - alpha) * one + alpha * other).astype(one.dtype) if np.issubdtype(one.dtype, np.floating) else other


def _check(weight: float, pixel_share: float, blend: float, width: int, discriminator_lr: float) -> None:
    for key, value, holds, expected, usual in (
        ("weight", weight, 0 <= weight < math.inf, "0 or more", 0.255),
        ("pixel_share", pixel_share, 0 <= pixel_share < 1, "from 0 to below 1", 0.5),
        ("blend", blend, 0 < blend <= 1, "above 0, up to 1", 0.8),
        ("width", width, width >= 1, "1 or more", 32),
        ("discriminator_lr", discriminator_lr, 0 < discriminator_lr < math.inf, "above 0", 1e-4),
    ):
        if not holds:
            raise RequestError(
                f"training.{key} is out of range", got=value, expected=expected, fix=f"training.{key}={usual}"
            )


#: What `_target_` names: the course, its arguments checked.
build = checked_by(_check)(Adversarial)
