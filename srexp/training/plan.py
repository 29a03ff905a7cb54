"""How long a training goes on, as its configuration asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to train.

    Args:
        epochs: Number of epochs.
        steps_per_epoch: Optimizer steps in each.
        patches: Patches of a step.
        max_minutes: Wall time after which training stops; None for no limit.
        patience: Epochs without a better validation PSNR after which training stops; None for never.
        checkpoint_minutes: Age from which a checkpoint is old within an epoch; None for never.
    """

    epochs: int
    steps_per_epoch: int
    patches: int = 1
    max_minutes: float | None = None
    patience: int | None = None
    checkpoint_minutes: float | None = None

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch

    @property
    def max_seconds(self) -> float | None:
        """Wall time after which training ends; None for no limit."""
        return self.max_minutes and self.max_minutes * 60
