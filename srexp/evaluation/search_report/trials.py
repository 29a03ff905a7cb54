"""The trials of a search as its figures and its table need them, whichever engine made them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from srexp.metrics.table import METRICS
from srexp.types import Trial

#: Objectives as an axis names them.
LABELS = {"val_psnr": f"validation {METRICS['psnr'].name} in {METRICS['psnr'].unit}", "seconds": "inference time in s"}

HIGHER_IS_BETTER = {"val_psnr": True, "seconds": False}

#: Configuration key to its distribution: `type` (float, int, categorical), and `low`, `high`, `log` or `choices`.
Space = Mapping[str, Mapping[str, Any]]


def text(value: Any) -> str:
    """Write a value of a configuration key as one line: text as it is, everything else as JSON does.

    Example:
        >>> [text(value) for value in ("srcnn", [64, 32], (64, 32), None, True, 16)]
        ['srcnn', '[64, 32]', '[64, 32]', 'null', 'true', '16']
    """
    return value if isinstance(value, str) else json.dumps(value, default=str)


def is_number(value: Any) -> bool:
    """Tell a number from text, a list, a truth value or nothing."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def done(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Give the finished trials that have a finite number for each objective."""
    return [
        trial
        for trial in trials
        if trial.state == "finished"
        and trial.objectives is not None
        and len(trial.objectives) == len(objectives)
        and all(map(math.isfinite, trial.objectives))
    ]


def keys_of(trials: Sequence[Trial], space: Space) -> list[str]:
    """Give the keys of the space that at least one of these trials has, in the order of the space."""
    return [key for key in space if any(key in trial.values for trial in trials)]


def finite_curve(trial: Trial) -> dict[int, float]:
    """Give the validation PSNR of each epoch in order, without those that are not finite."""
    return {epoch: value for epoch, value in sorted(trial.curve.items()) if math.isfinite(value)}


def reached(trial: Trial, objectives: Sequence[str], place: int) -> float | None:
    """Give the value of one objective: the final one, or of a pruned trial the best PSNR until then; else None.

    Args:
        trial: Of whatever state.
        objectives: What was sought.
        place: Place of the objective among them.
    """
    if trial.state == "pruned" and objectives[place] == "val_psnr":
        return max(finite_curve(trial).values(), default=None)
    return trial.objectives[place] if trial.objectives and done([trial], objectives) else None


def best_first(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Give the finished trials, the best of the first objective first, equal ones by number."""
    signs = [-1 if HIGHER_IS_BETTER[name] else 1 for name in objectives]

    def rank(trial: Trial) -> tuple[float, ...]:
        return (*(sign * value for sign, value in zip(signs, trial.objectives or (), strict=True)), trial.number)

    return sorted(done(trials, objectives), key=rank)


def psnr_range(
    trials: Sequence[Trial], objectives: Sequence[str], bicubic_psnr: float | None
) -> tuple[float, float] | None:
    """Range of the PSNRs that trials reached; diverged trials far below the others fall out of it.

    Args:
        trials: Of whatever engine.
        objectives: What was sought, `val_psnr` among it.
        bicubic_psnr: Always within the range.

    Returns:
        Lower and upper end in dB; None where no trial has a value.
    """
    place = objectives.index("val_psnr")
    values = [value for trial in trials if (value := reached(trial, objectives, place)) is not None]
    return _range(values, bicubic_psnr, below=0.08) if values else None


def learning_range(trials: Sequence[Trial], bicubic_psnr: float | None) -> tuple[float, float] | None:
    """Range of learning curves: where they end up, and a part of the way there.

    Args:
        trials: Of whatever engine.
        bicubic_psnr: Always within the range.

    Returns:
        Lower and upper end in dB; None where no trial has a value.
    """
    curves = [list(curve.values()) for trial in trials if (curve := finite_curve(trial))]
    if not curves:
        return None
    lowest = min([*map(min, curves), *([] if bicubic_psnr is None else [bicubic_psnr])])
    low, high = _range([max(curve) for curve in curves], bicubic_psnr, below=0.5)
    return max(low, lowest - 0.05 * (high - lowest)), high


def clipped(finished: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Raise the trials that diverged to the lower end of the range, so that the others can be told apart.

    Args:
        finished: Finished trials.
        objectives: What was sought.
    """
    if "val_psnr" not in objectives or not finished:
        return list(finished)
    place = objectives.index("val_psnr")
    low = _floor([trial.objectives[place] for trial in finished if trial.objectives])
    lows = [low if index == place else -math.inf for index, _ in enumerate(objectives)]
    return [replace(trial, objectives=tuple(map(max, trial.objectives or (), lows))) for trial in finished]


def _floor(values: Sequence[float]) -> float:
    """Smallest value that isn't three times the middle half below it."""
    quarter, most = np.quantile(values, [0.25, 0.75]).tolist()
    return min(value for value in values if value >= quarter - 3 * (most - quarter))


def _range(values: Sequence[float], bicubic_psnr: float | None, below: float) -> tuple[float, float]:
    ends = [_floor(values), max(values), *([] if bicubic_psnr is None else [bicubic_psnr])]
    span = max(max(ends) - min(ends), 0.02)
    return min(ends) - below * span, max(ends) + 0.08 * span
