"""Figures of a search: how it went, what decided, and what its best trials have in common.

Optuna draws each twice from the same study, with Matplotlib for a picture and with Plotly for a page, whichever engine
made the trials; `canvas.py` names what is added to either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from srexp.evaluation.figures.plots import BASELINE, FAILED, FAINT, INK, MODEL
from srexp.evaluation.search_report import interactive, pictures
from srexp.evaluation.search_report.canvas import Canvas, Library, Look
from srexp.evaluation.search_report.study import quiet, study_of
from srexp.evaluation.search_report.trials import (
    LABELS,
    Space,
    best_first,
    clipped,
    done,
    finite_curve,
    keys_of,
    learning_range,
    psnr_range,
    reached,
)
from srexp.metrics.table import with_unit
from srexp.types import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ("optimisation_history", "pareto_front", "learning_curves", "importance", "parallel_coordinates", "slice")
"""Figures in the order in which they are read."""

COLUMNS = 4
"""Keys beside each other in one figure of slices."""

FEWEST = 10
"""Finished trials below which the best ones are too few to say what decides."""

BEST = 5
"""Trials that must count as the best for PED-ANOVA to be steady, as its documentation advises."""

MARKS = {"pruned, best until then": FAINT, "pruned, no value": FAINT, "failed": FAILED, "below the axis": INK}
"""Trials beside the finished ones in the history, to the colour of their marks."""


class Drawn(NamedTuple):
    """One figure of a search; one that is made for each objective, or doesn't fit a row, has several parts.

    Args:
        pictures: With Matplotlib.
        html: The same for a page that has plotly.js, see `srexp.evaluation.search_report.page.page`.
    """

    pictures: tuple[Figure, ...]
    html: str


def left_out(trials: Sequence[Trial], objectives: Sequence[str], space: Space) -> dict[str, str]:
    """Say which figures cannot be drawn, and why.

    Args:
        trials: Of whatever engine, by number.
        objectives: What was sought: `val_psnr`, `seconds`.
        space: Configuration key to its distribution.

    Returns:
        Name of a figure to the reason.
    """
    finished = done(trials, objectives)
    none = "" if finished else "no trial finished"
    without = none or ("" if keys_of(finished, space) else "no finished trial has a key of the space")
    reasons = {
        "pareto_front": none if len(objectives) > 1 else "there is one objective",
        "importance": _no_importance(finished, space),
        "parallel_coordinates": without,
        "slice": without,
        "learning_curves": "" if any(map(finite_curve, trials)) else "no trial reported an epoch",
    }
    return {name: reason for name, reason in reasons.items() if reason}


def figures(
    trials: Sequence[Trial], objectives: Sequence[str], space: Space, *, bicubic_psnr: float | None = None
) -> dict[str, Drawn]:
    """Draw all figures of a search that its trials allow; `left_out` says why another is missing.

    Args:
        trials: Of whatever engine, by number.
        objectives: What was sought: `val_psnr`, `seconds`.
        space: Configuration key to its distribution, as JSON has it.
        bicubic_psnr: Validation PSNR of bicubic interpolation in dB; a line to be above of.

    Returns:
        Name to the figure, in the order in which they are read.
    """
    if bicubic_psnr is not None and not math.isfinite(bicubic_psnr):
        bicubic_psnr = None
    missing = left_out(trials, objectives, space)

    def drawn(library: Library) -> dict[str, list[Any]]:
        asked = _Asked(library, trials, objectives, space, bicubic_psnr)
        return {name: [each.figure for each in _DRAW[name](asked)] for name in NAMES if name not in missing}

    with quiet(), pictures.without_window():
        flat, live = drawn(pictures.library()), drawn(interactive.library())
    parts = {
        name: "\n".join(interactive.part(each, f"{name}-{place}") for place, each in enumerate(live[name]))
        for name in live
    }
    return {name: Drawn(tuple(flat[name]), parts[name]) for name in parts}


class _Asked(NamedTuple):
    library: Library
    trials: Sequence[Trial]
    objectives: Sequence[str]
    space: Space
    bicubic: float | None

    def study(self, trials: Sequence[Trial] | None = None, only: int | None = None) -> Any:
        among = self.trials if trials is None else trials
        return study_of(among, self.objectives, self.space, only=only, shown=self.library.shown)

    def draw(self, figure: str, *args: Any, **named: Any) -> Canvas:
        return self.library.canvas(getattr(self.library.plots, figure)(*args, **named))

    def level(self, canvas: Canvas) -> None:
        if self.bicubic is not None:
            canvas.level(self.bicubic, f"bicubic, {with_unit(self.bicubic)}", BASELINE)


def _histories(asked: _Asked) -> Iterator[Canvas]:
    """What each trial reached and the best so far, for each objective; failed and pruned ones marked."""
    for place, name in enumerate(asked.objectives):
        label, is_psnr = LABELS[name], name == "val_psnr"
        canvas = asked.draw("plot_optimization_history", asked.study(only=place), target_name=label)
        canvas.restyle(label, Look("finished", INK))
        canvas.restyle("Best Value", Look("best so far", MODEL, steps=True))
        limits = psnr_range(asked.trials, asked.objectives, asked.bicubic) if is_psnr else None
        for mark, points in _beside(asked.trials, asked.objectives, place, limits).items():
            if points:
                canvas.points(points, mark, MARKS[mark])
        if is_psnr:
            asked.level(canvas)
        canvas.finish("Optimisation history", "trial", label, limits)
        yield canvas


def _beside(
    trials: Sequence[Trial], objectives: Sequence[str], place: int, limits: tuple[float, float] | None
) -> dict[str, dict[int, float]]:
    """Trials that aren't drawn as finished ones, at what they reached or at the bottom."""
    values = {trial.number: reached(trial, objectives, place) for trial in trials}
    finite = [value for value in values.values() if value is not None]
    low, high = limits or (min(finite, default=0), max(finite, default=1))
    bottom = low + (0.03 if limits else -0.08) * (high - low)
    marks: dict[str, dict[int, float]] = {name: {} for name in MARKS}
    for trial in trials:
        value = values[trial.number]
        if trial.state == "pruned":
            marks["pruned, no value" if value is None else "pruned, best until then"][trial.number] = (
                bottom if value is None else value
            )
        elif trial.state == "failed":
            marks["failed"][trial.number] = bottom
        elif value is not None and limits and value < low:
            marks["below the axis"][trial.number] = bottom
    return marks


def _pareto_front(asked: _Asked) -> Iterator[Canvas]:
    """The finished trials over their first two objectives, and those that no other betters in both."""
    upright, across = asked.objectives[:2]
    names = [LABELS[across], LABELS[upright]]
    canvas = asked.draw(
        "plot_pareto_front", asked.study(), target_names=names, targets=lambda trial: trial.values[1::-1]
    )
    canvas.restyle("Trial", Look("finished", FAINT))
    canvas.restyle("Best Trial", Look("Pareto front", MODEL))
    limits = None
    if upright == "val_psnr":
        asked.level(canvas)
        limits = psnr_range(done(asked.trials, asked.objectives), asked.objectives, asked.bicubic)
    canvas.finish("Pareto front", names[0], names[1], limits)
    yield canvas


def _learning_curves(asked: _Asked) -> Iterator[Canvas]:
    """Validation PSNR of all trials over their epochs; the best stands out, and which ended early is dotted."""
    canvas = asked.draw("plot_intermediate_values", asked.study())
    best = next(iter(best_first(asked.trials, asked.objectives)), None)
    for trial in asked.trials:
        if trial is best:
            look = Look(f"best: trial {trial.number}", MODEL, 3)
        else:
            colour = {"finished": INK, "failed": FAILED}.get(trial.state, FAINT)
            look = Look(trial.state, colour, 1, dotted=trial.state != "finished")
        canvas.restyle(f"Trial{trial.number}", look)
    asked.level(canvas)
    canvas.finish(
        "Learning curves of all trials", "epoch", LABELS["val_psnr"], learning_range(asked.trials, asked.bicubic)
    )
    yield canvas


def _importances(asked: _Asked) -> Iterator[Canvas]:
    """Share of each key in what sets the best trials apart, for each objective.

    Source: S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
    Arbitrary Subspaces", IJCAI 2023, as Optuna has it, which also knows keys that not every trial has.
    """
    from optuna.importance import PedAnovaImportanceEvaluator

    finished = done(asked.trials, asked.objectives)
    quantile = max(0.1, min(0.5, BEST / len(finished)))
    for place, name in enumerate(asked.objectives):
        if len({(trial.objectives or ())[place] for trial in finished}) == 1:
            continue  # nothing decides what is always the same
        # A study of one objective: of several, Optuna would explain the lowest PSNR.
        study = asked.study(only=place)
        canvas = asked.draw("plot_param_importances", study, PedAnovaImportanceEvaluator(target_quantile=quantile))
        canvas.bars(MODEL)
        canvas.finish("What sets the best trials apart (PED-ANOVA)", f"share, by {LABELS[name]}", "")
        yield canvas


def _parallel_coordinates(asked: _Asked) -> Iterator[Canvas]:
    """Each finished trial as a line through its objectives and values; diverged ones end at the bottom."""
    names = [LABELS[name] for name in asked.objectives]
    finished = done(asked.trials, asked.objectives)
    study = asked.study(clipped(finished, asked.objectives))
    canvas = asked.draw("plot_parallel_coordinate", study, target_name=names[0])
    canvas.uprights([*names, *sorted(map(asked.library.shown, keys_of(finished, asked.space)))])  # Optuna's order
    canvas.finish("Parallel coordinates", None, None)
    yield canvas


def _slices(asked: _Asked) -> Iterator[Canvas]:
    """Every objective over every key; the later the trial the darker."""
    finished = done(asked.trials, asked.objectives)
    keys = [asked.library.shown(key) for key in keys_of(finished, asked.space)]
    for place, name in enumerate(asked.objectives):
        study = asked.study(only=place)
        limits = psnr_range(finished, asked.objectives, None) if name == "val_psnr" else None
        for first in range(0, len(keys), COLUMNS):
            beside = keys[first : first + COLUMNS]
            canvas = asked.draw("plot_slice", study, beside, target_name=LABELS[name])
            canvas.finish("Slices: the later the trial the darker", None, None, limits)
            yield canvas


_DRAW: Mapping[str, Callable[[_Asked], Iterator[Any]]] = {
    "optimisation_history": _histories,
    "pareto_front": _pareto_front,
    "learning_curves": _learning_curves,
    "importance": _importances,
    "parallel_coordinates": _parallel_coordinates,
    "slice": _slices,
}


def _no_importance(finished: Sequence[Trial], space: Space) -> str:
    """Say why there is no importance to speak of; empty where there is."""
    if len(finished) < FEWEST:
        return f"it takes {FEWEST} finished trials, there {'is' if len(finished) == 1 else 'are'} {len(finished)}"
    if len(keys_of(finished, space)) < 2:  # noqa: PLR2004 - one has nothing to be compared with
        return "the finished trials have fewer than two keys to compare"
    if len({trial.objectives for trial in finished}) == 1:
        return "all finished trials reached the same"
    return ""
