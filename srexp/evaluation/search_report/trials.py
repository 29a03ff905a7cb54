"""The trials of a search as its figures and its table need them, whichever engine made them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srexp.types import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

LABELS = {"val_psnr": "validation PSNR in dB", "seconds": "inference time in s"}
"""Objectives as an axis names them."""

HIGHER_IS_BETTER = {"val_psnr": True, "seconds": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A configuration key of the space, as far as a figure has to know it.

    Args:
        key: Configuration key.
        low: Lower end of a range.
        high: Upper end of a range.
        log: Whether its axis is logarithmic.
        whole: Whether it has whole numbers alone.
        choices: In the order of the space, as numbers where all are numbers, else as text; None for a range.
    """

    key: str
    low: float = 0
    high: float = 0
    log: bool = False
    whole: bool = False
    choices: tuple[str | float, ...] | None = None

    def shown(self, value: Any) -> str | float:
        """Give a value as it is drawn.

        Example:
            >>> Parameter("model.filters", choices=("[64, 32]", "[32, 16]")).shown([64, 32])
            '[64, 32]'
        """
        if self.choices is None:
            return int(value) if self.whole else float(value)
        return value if value in self.choices and is_number(value) else text(value)


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


def parameters(trials: Sequence[Trial], space: Mapping[str, Mapping[str, Any]]) -> list[Parameter]:
    """Give the keys of the space that at least one of these trials has, in the order of the space.

    A value outside of the space, of a trial from before it was changed, widens it.

    Args:
        trials: Finished trials.
        space: Configuration key to its distribution: `type`, and `low`, `high`, `log` or `choices`.
    """
    found = []
    for key, distribution in space.items():
        values = [trial.values[key] for trial in trials if key in trial.values]
        if not values:
            continue
        if distribution["type"] == "categorical":
            choices = [*distribution["choices"], *values]
            shown = choices if all(map(is_number, choices)) else map(text, choices)
            found.append(Parameter(key, choices=tuple(dict.fromkeys(shown))))
        else:
            low, high = min(distribution["low"], *values), max(distribution["high"], *values)
            whole, log = distribution["type"] == "int", bool(distribution.get("log"))
            found.append(Parameter(key, low=low, high=high, log=log, whole=whole))
    return found


def study_of(
    trials: Sequence[Trial], objectives: Sequence[str], keys: Sequence[Parameter] = (), *, only: int | None = None
) -> Study:
    """Make an Optuna study in memory in which every trial has its own number.

    Trials that didn't finish are failed ones without values there, which no figure of Optuna's shows.

    Args:
        trials: Of whatever engine.
        objectives: What was sought.
        keys: Parameters of the study.
        only: Place of the one objective that the study is to have; None for all.
    """
    import optuna

    names = list(objectives) if only is None else [objectives[only]]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would announce the study on the terminal
    try:
        study = optuna.create_study(directions=["maximize" if HIGHER_IS_BETTER[name] else "minimize" for name in names])
    finally:
        optuna.logging.set_verbosity(verbosity)
    finished = {trial.number: trial for trial in done(trials, objectives)}
    distributions = {parameter.key: _distribution(parameter) for parameter in keys}
    for number in range(max(finished, default=-1) + 1):
        study.add_trial(_frozen(finished.get(number), keys, distributions, only))
    return study


def best_first(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Give the finished trials, the best of the first objective first, equal ones by number."""
    return sorted(done(trials, objectives), key=lambda trial: _rank(trial, objectives))


def pareto_set(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Give the finished trials that no other one betters in every objective, the best of the first objective first."""
    front = {trial.number for trial in study_of(trials, objectives).best_trials}
    return [trial for trial in best_first(trials, objectives) if trial.number in front]


def _rank(trial: Trial, objectives: Sequence[str]) -> tuple[float, ...]:
    signs = [-1 if HIGHER_IS_BETTER[name] else 1 for name in objectives]
    return (*(sign * value for sign, value in zip(signs, trial.objectives or (), strict=True)), trial.number)


def _distribution(parameter: Parameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter.choices is not None:
        return CategoricalDistribution(parameter.choices)
    # No step: the values are there already, and one that rounding moved off its step would be refused.
    if parameter.whole:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def _frozen(
    trial: Trial | None, keys: Sequence[Parameter], distributions: Mapping[str, BaseDistribution], only: int | None
) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    if trial is None:
        return create_trial(state=TrialState.FAIL)
    held = [parameter for parameter in keys if parameter.key in trial.values]
    numbers = trial.objectives or ()
    return create_trial(
        values=list(numbers) if only is None else [numbers[only]],
        params={each.key: each.shown(trial.values[each.key]) for each in held},
        distributions={each.key: distributions[each.key] for each in held},
    )
