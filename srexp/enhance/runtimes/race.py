"""Timing networks against each other on a machine that does other things, too."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import NamedTuple

from srexp.enhance.predict import Restore
from srexp.types import Batch

#: Times the fastest within which the clock does not decide.
NEAR = 1.25

_ROUNDS = 3


class Cost(NamedTuple):
    """What one call took.

    Args:
        seconds: Time on the clock.
        processor: Time of all cores together.
    """

    seconds: float
    processor: float


def race(candidates: Mapping[str, Restore], batch: Batch, rounds: int = _ROUNDS) -> dict[str, Cost]:
    """Time networks on one batch in turn, after one call that doesn't count.

    Args:
        candidates: Name to network.
        batch: What they compute, (n, h, w, c).
        rounds: Times that each one's turn comes.

    Returns:
        Name to shortest times: a busy machine makes everything slower and nothing faster.
    """
    costs = dict.fromkeys(candidates, Cost(math.inf, math.inf))
    for turn in range(rounds + 1):
        for name, restore in candidates.items():
            start, worked = time.perf_counter(), time.process_time()
            restore(batch)
            took = Cost(time.perf_counter() - start, time.process_time() - worked)
            if turn:
                costs[name] = Cost(*map(min, costs[name], took))
    return costs


def winner(costs: Mapping[str, Cost]) -> str:
    """Choose the fastest, and of those near it the one that works least.

    Where other processes compute, times on the clock scatter by tens of per cent; the processor's own time does not.

    Args:
        costs: From `race`.

    Returns:
        Its name.

    Example:
        >>> winner({"a": Cost(1.0, 2.0), "b": Cost(1.2, 1.5), "c": Cost(2.0, 1.0)})
        'b'
    """
    bound = NEAR * min(cost.seconds for cost in costs.values())
    return min((name for name, cost in costs.items() if cost.seconds <= bound), key=lambda name: costs[name].processor)
