"""Figures of a search: how it went, what decided, and what its best trials have in common.

Optuna draws each twice from the same study, with Matplotlib for a picture and with Plotly for a page, whichever engine
made the trials. What it has no figure of is added to both: bicubic's level, trials that didn't finish, and a range in
which trials that diverged don't squeeze the others.
"""

from __future__ import annotations

import html
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from srexp.evaluation.figures.hues import GREY
from srexp.evaluation.figures.plots import DPI, FAILED, FAINT, INK, literal
from srexp.evaluation.search_report.study import quiet, study_of
from srexp.evaluation.search_report.trials import (
    LABELS,
    Space,
    clipped,
    done,
    finite_curve,
    keys_of,
    learning_range,
    psnr_range,
    reached,
)
from srexp.metrics.table import with_unit
from srexp.types import Figure, Trial

#: Finished trials below which the best ones are too few to say what decides.
FEWEST = 10

#: Trials that must count as the best for PED-ANOVA to be steady, as its documentation advises.
BEST = 5

#: Keys beside each other in one figure of slices.
COLUMNS = 4

#: Trials beside the finished ones in the history: sign, the same in Matplotlib and below in Plotly, and colour.
MARKS = {"pruned, best until then": ("o", FAINT), "failed": ("x", FAILED), "below the axis": ("v", INK)}

_SIGNS = {"o": "circle-open", "x": "x-thin-open", "v": "triangle-down-open"}


class Drawn(NamedTuple):
    """One figure of a search; one that is made for each objective, or doesn't fit a row, has several parts.

    Args:
        pictures: With Matplotlib.
        html: The same for a page that has plotly.js, see `srexp.evaluation.search_report.page.page`.
    """

    pictures: tuple[Figure, ...]
    html: str


class _Plot(NamedTuple):
    """A call of one of Optuna's functions, which are called alike for both libraries, and what is added to the figure.

    Args:
        function: Name in `optuna.visualization`.
        trials: Drawn ones.
        objective: Place of the only objective that the study shall have; None for all.
        keys: Those that take part; None for all.
        options: What the function takes besides.
        limits: Range of the upright axis.
        level: Height of bicubic's line, in dB.
        marks: Name of a mark to points.
        labels: Of both axes, where Optuna has no better ones.
    """

    function: str
    trials: Sequence[Trial]
    objective: int | None = None
    keys: Sequence[str] | None = None
    options: Mapping[str, Any] = {}
    limits: tuple[float, float] | None = None
    level: float | None = None
    marks: Mapping[str, Mapping[int, float]] = {}
    labels: tuple[str, str] | None = None

    def call(self, library: Any, objectives: Sequence[str], space: Space, shown: Callable[[str], str]) -> Any:
        """Let a library draw it; `shown` makes a text safe from being taken for markup."""
        study = study_of(self.trials, objectives, space, only=self.objective, shown=shown)
        named = {**self.options, **({"params": list(map(shown, self.keys))} if self.keys else {})}
        return getattr(library, self.function)(study, **named)


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
    from optuna import visualization
    from optuna.visualization import matplotlib

    level = bicubic_psnr if bicubic_psnr is not None and math.isfinite(bicubic_psnr) else None
    missing = left_out(trials, objectives, space)
    drawn = {}
    with quiet(), _without_window():
        for name, plots in _PLOTS.items():
            if name in missing:
                continue
            pictures, parts = [], []
            for place, plot in enumerate(plots(trials, objectives, space, level)):
                pictures.append(_picture(plot, plot.call(matplotlib, objectives, space, literal)))
                parts.append(_part(plot, plot.call(visualization, objectives, space, html.escape), f"{name}-{place}"))
            drawn[name] = Drawn(tuple(pictures), "\n".join(parts))
    return drawn


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


def _histories(trials: Sequence[Trial], objectives: Sequence[str], _: Space, bicubic: float | None) -> Iterator[_Plot]:
    """What each trial reached and the best so far, for each objective; failed and pruned ones marked."""
    for place, name in enumerate(objectives):
        is_psnr = name == "val_psnr"
        limits = psnr_range(trials, objectives, bicubic) if is_psnr else None
        yield _Plot(
            "plot_optimization_history",
            trials,
            place,
            options={"target_name": LABELS[name]},
            limits=limits,
            level=bicubic if is_psnr else None,
            marks=_beside(trials, objectives, place, limits),
        )


def _beside(
    trials: Sequence[Trial], objectives: Sequence[str], place: int, limits: tuple[float, float] | None
) -> dict[str, dict[int, float]]:
    """Trials that aren't drawn as finished ones, at what they reached or at the bottom."""
    values = {trial.number: reached(trial, objectives, place) for trial in trials}
    low, high = limits or (min(filter(None, values.values()), default=0), max(filter(None, values.values()), default=1))
    bottom = low + (0.03 if limits else -0.08) * (high - low)
    marks: dict[str, dict[int, float]] = {name: {} for name in MARKS}
    for trial in trials:
        value = values[trial.number]
        if trial.state in ("pruned", "failed"):
            name = "failed" if trial.state == "failed" else "pruned, best until then"
            marks[name][trial.number] = bottom if value is None else value
        elif value is not None and value < low:
            marks["below the axis"][trial.number] = bottom
    return {name: points for name, points in marks.items() if points}


def _pareto_front(
    trials: Sequence[Trial], objectives: Sequence[str], _: Space, bicubic: float | None
) -> Iterator[_Plot]:
    """The finished trials over their first two objectives, and those that no other betters in both."""
    upright, across = objectives[:2]
    is_psnr = upright == "val_psnr"
    yield _Plot(
        "plot_pareto_front",
        trials,
        options={"target_names": [LABELS[across], LABELS[upright]], "targets": lambda trial: trial.values[1::-1]},
        limits=psnr_range(done(trials, objectives), objectives, bicubic) if is_psnr else None,
        level=bicubic if is_psnr else None,
    )


def _learning_curves(
    trials: Sequence[Trial], objectives: Sequence[str], _: Space, bicubic: float | None
) -> Iterator[_Plot]:
    """Validation PSNR of all trials over their epochs."""
    place = objectives.index("val_psnr") if "val_psnr" in objectives else 0
    limits, labels = learning_range(trials, bicubic), ("epoch", LABELS["val_psnr"])
    yield _Plot("plot_intermediate_values", trials, place, limits=limits, level=bicubic, labels=labels)


def _importances(trials: Sequence[Trial], objectives: Sequence[str], _: Space, __: float | None) -> Iterator[_Plot]:
    """Share of each key in what sets the best trials apart, for each objective.

    Source: S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
    Arbitrary Subspaces", IJCAI 2023, as Optuna has it, which also knows keys that not every trial has.
    """
    from optuna.importance import PedAnovaImportanceEvaluator

    finished = done(trials, objectives)
    quantile = max(0.1, min(0.5, BEST / len(finished)))
    for place, name in enumerate(objectives):
        if len({(trial.objectives or ())[place] for trial in finished}) == 1:
            continue  # nothing decides what is always the same
        evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
        # A study of one objective: of several, Optuna would explain the lowest PSNR.
        named = {"evaluator": evaluator, "target_name": LABELS[name]}
        yield _Plot("plot_param_importances", trials, place, options=named)


def _parallel_coordinates(
    trials: Sequence[Trial], objectives: Sequence[str], space: Space, _: float | None
) -> Iterator[_Plot]:
    """Each finished trial as a line through its value and its keys; diverged ones end at the bottom."""
    finished = clipped(done(trials, objectives), objectives)
    named = {"target_name": LABELS[objectives[0]]}
    yield _Plot("plot_parallel_coordinate", finished, 0, keys_of(finished, space), named)


def _slices(trials: Sequence[Trial], objectives: Sequence[str], space: Space, _: float | None) -> Iterator[_Plot]:
    """Every objective over every key; the later the trial the darker."""
    finished = done(trials, objectives)
    keys = keys_of(finished, space)
    for place, name in enumerate(objectives):
        limits = psnr_range(finished, objectives, None) if name == "val_psnr" else None
        for first in range(0, len(keys), COLUMNS):
            beside = keys[first : first + COLUMNS]
            yield _Plot("plot_slice", trials, place, beside, {"target_name": LABELS[name]}, limits)


_PLOTS: dict[str, Callable[[Sequence[Trial], Sequence[str], Space, float | None], Iterator[_Plot]]] = {
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


def _picture(plot: _Plot, drawn: Any) -> Figure:
    """Finish what Optuna drew with Matplotlib: one panel, or several beside each other."""
    panels = list(np.ravel(drawn))
    figure: Figure = panels[0].get_figure(root=True)
    figure.set_size_inches(max(12, 3.4 * len(panels)), 5.6)
    for name, points in plot.marks.items():
        sign, colour = MARKS[name]
        panels[0].plot([*points], [*points.values()], sign, color=colour, mfc="none", label=name)
    if plot.level is not None:
        panels[0].axhline(plot.level, color=GREY, linestyle="--", label=_bicubic(plot.level))
    if legend := panels[0].get_legend():
        legend.remove()  # one line for each trial would leave no room for the curves
    if handles := [each for each in panels[0].get_legend_handles_labels()[0] if not _needs_no_legend(each.get_label())]:
        panels[0].legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    if plot.labels:
        panels[0].set(xlabel=plot.labels[0], ylabel=plot.labels[1])
    for axes in panels:
        if plot.limits:
            axes.set_ylim(plot.limits)
        if plot.function == "plot_slice":
            axes.tick_params(axis="x", labelrotation=20)
    return figure


def _part(plot: _Plot, drawn: Any, identifier: str) -> str:
    """Finish what Optuna drew with Plotly, and write it as a part of a page that has plotly.js."""
    for name, points in plot.marks.items():
        sign, colour = MARKS[name]
        marker = {"symbol": _SIGNS[sign], "color": colour, "size": 8, "line": {"width": 2}}
        drawn.add_scatter(x=[*points], y=[*points.values()], mode="markers", name=name, marker=marker)
    if plot.level is not None:
        line = {"color": GREY, "dash": "dash"}
        drawn.add_hline(plot.level, line=line, annotation_text=_bicubic(plot.level), annotation_position="top left")
    if plot.limits:
        drawn.update_yaxes(range=plot.limits)
    if plot.labels:
        drawn.update_layout(xaxis_title=plot.labels[0], yaxis_title=plot.labels[1])
    drawn.update_layout(title=None, template="plotly_white", height=460, margin={"t": 40}, font={"color": INK})
    config = {"displaylogo": False, "responsive": True, "showSendToCloud": False, "plotlyServerURL": ""}
    written: str = drawn.to_html(config=config, include_plotlyjs=False, full_html=False, div_id=identifier)
    return written


def _needs_no_legend(label: object) -> bool:
    """Tell the label of one trial's curve, and of what no search here has: trials that break a constraint."""
    return re.fullmatch(r"Trial\d+|Infeasible Trial", str(label)) is not None


def _bicubic(level: float) -> str:
    return f"bicubic, {with_unit(level)}"


@contextmanager
def _without_window() -> Iterator[None]:
    """Let Optuna draw with pyplot, and leave no trace of it: no window, open figure, style or warning."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    before, chosen = set(plt.get_fignums()), mpl.get_backend(auto_select=False)
    with mpl.rc_context({"figure.dpi": DPI, "figure.constrained_layout.use": True}), warnings.catch_warnings():
        # Of a search with no finished trial, or with one value of a key: Optuna asks for a legend or a range anyway.
        warnings.filterwarnings("ignore", "No artists with labels|Attempting to set identical", UserWarning)
        plt.switch_backend("agg")
        try:
            yield
        finally:
            for number in {*plt.get_fignums()} - before:
                plt.close(number)
            if chosen:
                plt.switch_backend(chosen)
