"""How long a model takes for one batch, once it is warm."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall times of one batch, in seconds.

    Args:
        shape: Shape of the input, (n, h, w, c) of a batch or (h, w, c) of an image.
        samples: Every measured call, in order.
        median: Middle of the samples.
        quartiles: First and third quartile, `[low, high]`.
        warmup: Calls made before, which aren't counted.
    """

    shape: tuple[int, ...]
    samples: tuple[float, ...]
    median: float
    quartiles: tuple[float, float]
    warmup: int

    def as_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        fields = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def time_inference(
    predict: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
    batch: npt.NDArray[np.float32],
    *,
    warmup: int = 2,
    repeats: int = 20,
    max_seconds: float = 30.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time a model on one input, after warm-up.

    The first calls trace graphs and fill caches; they are left out. The median is reported with quartiles because
    times are skewed: nothing is faster than the machine, and anything may be slower.

    Args:
        predict: The model; must return when the values are there, as a NumPy array.
        batch: Its input, a batch of patches (n, h, w, c) or a whole image (h, w, c).
        warmup: Calls to leave out; at least one.
        repeats: Calls to measure; at least one.
        max_seconds: Begin no further call after this time, warm-up included; one is always measured.
        clock: Monotonic clock in seconds.

    Returns:
        All samples with median and quartiles.

    Example:
        >>> timing = time_inference(lambda batch: batch * 2, np.zeros((4, 8, 8, 1), np.float32), repeats=5)
        >>> timing.shape, len(timing.samples), timing.median > 0
        ((4, 8, 8, 1), 5, True)
    """
    start = clock()
    warmed = 0
    while warmed == 0 or (warmed < warmup and clock() - start < max_seconds):
        predict(batch)
        warmed += 1
    samples: list[float] = []
    while not samples or (len(samples) < repeats and clock() - start < max_seconds):
        before = clock()
        predict(batch)
        samples.append(clock() - before)
    low, median, high = np.quantile(samples, [0.25, 0.5, 0.75]).tolist()
    return Timing(batch.shape, tuple(samples), median, (low, high), warmed)
