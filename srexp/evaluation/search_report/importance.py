"""Which keys of a search's space decided whether a trial was among the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from srexp.evaluation.search_report.trials import done, parameters, study_of
from srexp.types import Trial

FEWEST = 10
"""Finished trials below which the best ones are too few to say anything."""

BEST = 5
"""Trials that must count as the best for PED-ANOVA to be steady, as its documentation advises."""


def importance(
    trials: Sequence[Trial], objectives: Sequence[str], space: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    """Share of each key in what sets the best trials apart, by PED-ANOVA.

    For several objectives the best are those nearest to the Pareto front.

    Source: S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
    Arbitrary Subspaces", IJCAI 2023, as Optuna has it, which also knows keys that not every trial has.

    Args:
        trials: Of whatever engine.
        objectives: What was sought.
        space: Configuration key to its distribution.

    Returns:
        Configuration key to its share, the largest first; they sum to 1.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    finished = done(trials, objectives)
    keys = parameters(finished, space)
    quantile = max(0.1, min(0.5, BEST / len(finished)))
    shares = get_param_importances(
        study_of(finished, objectives, keys),
        evaluator=PedAnovaImportanceEvaluator(target_quantile=quantile),
    )
    return dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))


def no_importance(
    trials: Sequence[Trial], objectives: Sequence[str], space: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Say why there is no importance to speak of; None where there is.

    Args:
        trials: Of whatever engine.
        objectives: What was sought.
        space: Configuration key to its distribution.
    """
    finished = done(trials, objectives)
    if len(finished) < FEWEST:
        return f"it takes {FEWEST} finished trials, there {'is' if len(finished) == 1 else 'are'} {len(finished)}"
    if len(parameters(finished, space)) < 2:  # noqa: PLR2004 - one has nothing to be compared with
        return "the finished trials have fewer than two keys to compare"
    if len({trial.objectives for trial in finished}) == 1:
        return "all finished trials reached the same"
    return None
