"""Learning rate over a training, as pure functions of progress.

A schedule gives the factor in [0, 1] by which the learning rate of the configuration is multiplied. It knows steps and
nothing else, so that a resumed training continues it exactly and a training limited by time can stretch it.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

from srexp.errors import RequestError

#: (step, total_steps) to a factor in [0, 1]; step counts from 0, and stays at the end value beyond total_steps.
Schedule: TypeAlias = Callable[[int, int], float]


def constant(warmup_steps: int = 0) -> Schedule:
    """Keep the learning rate after the warm-up.

    Args:
        warmup_steps: Steps over which the factor grows linearly to 1.

    Returns:
        The schedule.

    Example:
        >>> [constant(warmup_steps=4)(step, 100) for step in (0, 1, 3, 99)]
        [0.25, 0.5, 1.0, 1.0]
    """
    return _warmed_up(warmup_steps, lambda *_: 1.0)


def cosine(warmup_steps: int = 0, final_fraction: float = 0.0) -> Schedule:
    """Let the learning rate fall along half a cosine (Loshchilov and Hutter 2017, equation 5, without restarts).

    Args:
        warmup_steps: Steps over which the factor grows linearly to 1, before the fall begins.
        final_fraction: Factor at the end.

    Returns:
        The schedule.

    Example:
        >>> [round(cosine(final_fraction=0.1)(step, 100), 2) for step in (0, 50, 100)]
        [1.0, 0.55, 0.1]
    """
    if not 0 <= final_fraction <= 1:
        raise RequestError(
            "schedule.final_fraction isn't a fraction",
            got=final_fraction,
            expected="0 to 1",
            fix="schedule.final_fraction=0.0",
        )

    def fall(step: int, total_steps: int) -> float:
        progress = min(1.0, max(0, step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final_fraction + (1 - final_fraction) * (1 + math.cos(math.pi * progress)) / 2

    return _warmed_up(warmup_steps, fall)


def step(milestones: list[float], decay: float = 0.1, warmup_steps: int = 0) -> Schedule:
    """Multiply the learning rate by `decay` at each milestone, as VDSR does every 20 of its 80 epochs (section 5.2).

    Args:
        milestones: Fractions of the training, ascending, such as `[0.25, 0.5, 0.75]`.
        decay: Factor applied at each of them.
        warmup_steps: Steps over which the factor grows linearly to 1.

    Returns:
        The schedule.

    Raises:
        RequestError: A milestone outside (0, 1), or a decay outside (0, 1].

    Example:
        >>> [step(milestones=[0.5], decay=0.1)(done, 100) for done in (0, 49, 50)]
        [1.0, 1.0, 0.1]
    """
    if any(not 0 < milestone < 1 for milestone in milestones):
        raise RequestError(
            "schedule.milestones lie outside the training",
            got=list(milestones),
            expected="fractions between 0 and 1",
            fix="schedule.milestones=[0.25,0.5,0.75]",
        )
    if not 0 < decay <= 1:
        raise RequestError(
            "schedule.decay doesn't lower the rate", got=decay, expected="above 0, at most 1", fix="schedule.decay=0.1"
        )
    return _warmed_up(warmup_steps, lambda step, total: decay ** sum(step >= each * total for each in milestones))


def _warmed_up(warmup_steps: int, after: Schedule) -> Schedule:
    """Let the factor of a schedule grow linearly over the first steps."""
    if warmup_steps < 0:
        raise RequestError(
            "schedule.warmup_steps is negative", got=warmup_steps, expected="0 or more", fix="schedule.warmup_steps=0"
        )

    def factor(step: int, total_steps: int) -> float:
        share = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
        return share * after(step, total_steps)

    return factor
