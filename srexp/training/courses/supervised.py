"""The plain course: a network minimises its loss, and the best validation epoch is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from srexp.lazy_imports import keras
from srexp.training.best_epoch import Arrays
from srexp.training.plan import Plan


class Supervised:
    """What `training/fit` asks of a course, and the answers of a training that has but a network and a loss.

    Attributes:
        invents: Whether the network is taught to invent detail, which PSNR doesn't reward.
        one_device: Whether its steps can't be shared by several GPUs.
        selects: Whether the epoch under way may become the best one.
    """

    invents = False
    one_device = False
    selects = True

    def stepping(self, network: keras.Model) -> keras.Model:
        """Give what takes the steps, uncompiled; its weights are those of the network.

        Args:
            network: To be trained.
        """
        return network

    def try_out(self) -> None:
        """Let what takes the steps take its dearest ones from the first on, to see what they cost."""

    def state(self) -> Sequence[Any]:
        """Give the variables that a checkpoint must hold besides those of network and optimizer."""
        return ()

    def resumed(self) -> None:
        """Go on from a state that was put back."""

    def callbacks(self, plan: Plan, share: Callable[[], float]) -> Sequence[keras.callbacks.Callback]:
        """Give callbacks that belong to the course.

        Args:
            plan: Length of training.
            share: Tells how much of the training is over, 0 to 1.
        """
        return ()

    def warnings(self, epochs: Sequence[Mapping[str, float]]) -> list[str]:
        """Say what the user should know after an epoch, once.

        Args:
            epochs: Numbers of the epochs so far, the last one just ended.
        """
        return []

    def blend(self, best: Arrays, last: Arrays) -> Arrays | None:
        """Mix weights at the end.

        Args:
            best: Of the best epoch.
            last: Of the last one.

        Returns:
            What the network ends with, with detail that it was taught to invent; None for the best epoch's.
        """
        return None

    def summary(self, *, best: int, last: int) -> list[str]:
        """Say at the end what the network is, where its figures don't tell.

        Args:
            best: The best epoch, from 1.
            last: The last one.
        """
        return []


def build() -> Supervised:
    """Train a network by its loss alone, as all of srexp's published figures were.

    Returns:
        The course.
    """
    return Supervised()
