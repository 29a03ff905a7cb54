"""The trials of whatever engine as an Optuna study in memory, from which Optuna draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from srexp.evaluation.search_report.trials import (
    HIGHER_IS_BETTER,
    LABELS,
    Space,
    best_first,
    done,
    finite_curve,
    is_number,
    keys_of,
    text,
)
from srexp.types import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial


class Choice(str):
    """A choice of a space as a figure writes it: Optuna draws the `repr`, which would put it into quotes.

    Example:
        >>> Choice("[64, 32]")
        [64, 32]
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Give the text itself."""
        return str(self)


def study_of(
    trials: Sequence[Trial],
    objectives: Sequence[str],
    space: Space | None = None,
    *,
    only: int | None = None,
    shown: Callable[[str], str] = str,
) -> Study:
    """Make an Optuna study in memory in which every trial has its own number.

    Trials that didn't finish have no values there; those that reported epochs are pruned ones, since Optuna draws no
    curve of a failed trial. Lists and other choices that Optuna doesn't know are text. A value outside of the space,
    of a trial from before it was changed, widens it.

    Args:
        trials: Of whatever engine.
        objectives: What was sought.
        space: Its keys become the parameters of the study; none by default.
        only: Place of the one objective that the study is to have; None for all.
        shown: What the library that draws needs done to a text so that it is no markup.
    """
    import optuna
    from optuna.trial import TrialState, create_trial

    names = list(objectives) if only is None else [objectives[only]]
    finished = {trial.number: trial for trial in done(trials, objectives)}
    distributions = _distributions(list(finished.values()), space or {}, shown)
    by_number = {trial.number: trial for trial in trials}

    def frozen(trial: Trial | None) -> FrozenTrial:
        if trial is None or trial.number not in finished:
            curve = finite_curve(trial) if trial else {}
            return create_trial(state=TrialState.PRUNED if curve else TrialState.FAIL, intermediate_values=curve)
        held = [key for key in distributions if key in trial.values]
        numbers = trial.objectives or ()
        return create_trial(
            values=list(numbers) if only is None else [numbers[only]],
            params={shown(key): _value(trial.values[key], space or {}, key, shown) for key in held},
            distributions={shown(key): distributions[key] for key in held},
            intermediate_values=finite_curve(trial),
        )

    with quiet():
        study = optuna.create_study(directions=["maximize" if HIGHER_IS_BETTER[name] else "minimize" for name in names])
        study.set_metric_names([LABELS[name] for name in names])
        study.add_trials([frozen(by_number.get(number)) for number in range(max(by_number, default=-1) + 1)])
    return study


def pareto_set(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Give the finished trials that no other one betters in every objective, the best of the first objective first."""
    front = {trial.number for trial in study_of(trials, objectives).best_trials}
    return [trial for trial in best_first(trials, objectives) if trial.number in front]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the terminal what Optuna says of studies that nobody sees, and of functions that may still change."""
    import warnings

    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            # `set_metric_names` and `visualization.matplotlib` are experimental since 2022; pyproject bounds Optuna.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _distributions(finished: Sequence[Trial], space: Space, shown: Callable[[str], str]) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for key in keys_of(finished, space):
        asked = space[key]
        values = [trial.values[key] for trial in finished if key in trial.values]
        if asked["type"] == "categorical":
            choices = [_choice(value, shown) for value in [*asked["choices"], *values]]
            found[key] = CategoricalDistribution(list(dict.fromkeys(choices)))
            continue
        low, high, log = min(asked["low"], *values), max(asked["high"], *values), bool(asked.get("log"))
        # No step: the values are there already, and one that rounding moved off its step would be refused.
        found[key] = {"int": IntDistribution, "float": FloatDistribution}[asked["type"]](low, high, log=log)
    return found


def _choice(value: Any, shown: Callable[[str], str]) -> Any:
    return value if is_number(value) else Choice(shown(text(value)))


def _value(value: Any, space: Mapping[str, Mapping[str, Any]], key: str, shown: Callable[[str], str]) -> Any:
    kind = space[key]["type"]
    return _choice(value, shown) if kind == "categorical" else int(value) if kind == "int" else float(value)
