"""Figures of a search: how it went, what decided, and what its best trials have in common.

Each is drawn twice from the same trials: with Matplotlib as a picture, and with Plotly as a part of a page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from srexp.evaluation.figures.plots import BASELINE, FAILED, FAINT, INK, MODEL, new_figure, tidy
from srexp.evaluation.search_report import page
from srexp.evaluation.search_report.axes import learning_range, parallel_coordinates, psnr_range, slices
from srexp.evaluation.search_report.importance import importance, no_importance
from srexp.evaluation.search_report.trials import (
    HIGHER_IS_BETTER,
    LABELS,
    best_first,
    done,
    finite_curve,
    parameters,
    pareto_set,
    reached,
)
from srexp.types import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOM = 24
"""Pixels between two numbers that can both be read."""

Space = Mapping[str, Mapping[str, Any]]


class Drawn(NamedTuple):
    """One figure of a search.

    Args:
        figure: The picture.
        html: The same for a page that has plotly.js, see `srexp.evaluation.search_report.page.page`.
    """

    figure: Figure
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
    without = none or ("" if parameters(finished, space) else "no finished trial has a key of the space")
    reasons = {
        "pareto_front": none if len(objectives) > 1 else "there is one objective",
        "importance": no_importance(trials, objectives, space) or "",
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
        space: Configuration key to its distribution, as JSON has it: `type` (float, int, categorical), `low`, `high`,
            `log`, `choices`.
        bicubic_psnr: Validation PSNR of bicubic interpolation in dB; a line to be above of.

    Returns:
        Name to the figure, in the order in which they are read.
    """
    if bicubic_psnr is not None and not math.isfinite(bicubic_psnr):
        bicubic_psnr = None
    finished = done(trials, objectives)
    missing = left_out(trials, objectives, space)
    pictures = {
        "optimisation_history": lambda: optimisation_history(trials, objectives, bicubic_psnr),
        "pareto_front": lambda: pareto_front(trials, objectives, bicubic_psnr),
        "learning_curves": lambda: learning_curves(trials, objectives, bicubic_psnr),
        "importance": lambda: importance_bars(importance(trials, objectives, space)),
        "parallel_coordinates": lambda: parallel_coordinates(finished, objectives, parameters(finished, space)),
        "slice": lambda: slices(finished, objectives, parameters(finished, space)),
    }
    parts = page.parts(trials, objectives, space, bicubic_psnr, [name for name in pictures if name not in missing])
    return {name: Drawn(pictures[name](), part) for name, part in parts.items()}


def optimisation_history(
    trials: Sequence[Trial], objectives: Sequence[str], bicubic_psnr: float | None = None
) -> Figure:
    """Draw what each trial reached, one panel for each objective, with the best so far; failed and pruned ones marked.

    Args:
        trials: Of whatever engine, by number.
        objectives: What was sought.
        bicubic_psnr: Validation PSNR of bicubic interpolation in dB.

    Returns:
        Figure 1200 pixels wide, 420 high for each objective.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(1200, 420 * len(objectives))
    for place, axes in enumerate(figure.subplots(len(objectives), 1, squeeze=False)[:, 0]):
        is_psnr = objectives[place] == "val_psnr"
        limits = psnr_range(trials, objectives, bicubic_psnr) if is_psnr else None
        _history(axes, trials, objectives, place, limits)
        _bicubic(axes, bicubic_psnr if is_psnr else None)
        axes.set_ylim(limits)
        axes.set(title="Optimisation history", xlabel="trial", ylabel=LABELS[objectives[place]])
        axes.set_xlim(-0.5, max([trial.number for trial in trials], default=0) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _finish(axes)
    figure.tight_layout(pad=1.5)
    return figure


def learning_curves(trials: Sequence[Trial], objectives: Sequence[str], bicubic_psnr: float | None = None) -> Figure:
    """Draw the validation PSNR of all trials over their epochs; where one was pruned is marked, the best stands out.

    Args:
        trials: Of whatever engine.
        objectives: What was sought; the best trial is that of the first.
        bicubic_psnr: Validation PSNR of bicubic interpolation in dB.

    Returns:
        Figure of 1200 x 560 pixels.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(1200, 560)
    axes = figure.subplots()
    best = next(iter(best_first(trials, objectives)), None)
    labels: set[str] = set()
    for trial in trials:
        if not (curve := finite_curve(trial)):
            continue
        label = f"best: trial {trial.number}" if trial is best else trial.state
        look = _curve_look(trial, is_best=trial is best, is_point=len(curve) == 1)
        named: dict[str, Any] = {} if label in labels else {"label": label}
        axes.plot([*curve], [*curve.values()], **look, **named, markevery=[len(curve) - 1])
        labels.add(label)
    _bicubic(axes, bicubic_psnr)
    axes.set_ylim(learning_range(trials, bicubic_psnr))
    axes.set(title="Learning curves of all trials", xlabel="epoch", ylabel=LABELS["val_psnr"])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, max([1, *(epoch for trial in trials for epoch in trial.curve)]) + 0.5)
    _finish(axes)
    figure.tight_layout(pad=1.5)
    return figure


def importance_bars(shares: Mapping[str, float]) -> Figure:
    """Draw the share of each key in what sets the best trials apart.

    Args:
        shares: Configuration key to its share, the largest first, as `importance` gives it.

    Returns:
        Figure 1000 pixels wide.
    """
    figure = new_figure(1000, 120 + 44 * len(shares))
    axes = figure.subplots()
    bars = axes.barh(range(len(shares)), [*shares.values()], color=MODEL, height=0.6)
    axes.bar_label(bars, [f"{share:.0%}" for share in shares.values()], padding=4, color=INK)
    axes.set_yticks(range(len(shares)), [*shares], parse_math=False)
    axes.set(title="What sets the best trials apart (PED-ANOVA)", xlabel="share", ylim=(len(shares) - 0.5, -0.5))
    axes.set_xlim(0, 1.12 * max(shares.values()))
    tidy(axes)
    figure.tight_layout(pad=1.5)
    return figure


def pareto_front(trials: Sequence[Trial], objectives: Sequence[str], bicubic_psnr: float | None = None) -> Figure:
    """Draw the finished trials over their first two objectives, and those that no other betters in both.

    Args:
        trials: Of whatever engine.
        objectives: What was sought, two or more.
        bicubic_psnr: Validation PSNR of bicubic interpolation in dB.

    Returns:
        Figure of 1200 x 640 pixels.
    """
    figure = new_figure(1200, 640)
    axes = figure.subplots()
    upright, across = objectives[:2]
    places = np.array([trial.objectives for trial in done(trials, objectives)])
    best = pareto_set(trials, objectives)
    front = sorted((*(trial.objectives or ())[1::-1], trial.number) for trial in best)
    axes.plot(places[:, 1], places[:, 0], "o", color=FAINT, alpha=0.6, label="finished")
    x, y, numbers = zip(*front, strict=True)
    axes.step(x, y, where="post" if HIGHER_IS_BETTER[upright] else "pre", color=MODEL, linewidth=1.2, alpha=0.6)
    axes.plot(x, y, "o", color=MODEL, markersize=8, label="Pareto front")
    if upright == "val_psnr":
        _bicubic(axes, bicubic_psnr)
        axes.set_ylim(psnr_range(done(trials, objectives), objectives, bicubic_psnr))
    axes.set(title="Pareto front", xlabel=LABELS[across], ylabel=LABELS[upright])
    _finish(axes)
    figure.tight_layout(pad=1.5)
    _number(axes, dict(zip(numbers, zip(x, y, strict=True), strict=True)))
    return figure


def _history(
    axes: Axes, trials: Sequence[Trial], objectives: Sequence[str], place: int, limits: tuple[float, float] | None
) -> None:
    finished = done(trials, objectives)
    numbers = [trial.number for trial in finished]
    values = [trial.objectives[place] for trial in finished if trial.objectives]
    if finished:
        best = np.maximum if HIGHER_IS_BETTER[objectives[place]] else np.minimum
        last = max(trial.number for trial in trials)
        so_far = best.accumulate(values)
        axes.step(
            [*numbers, last], [*so_far, so_far[-1]], where="post", color=MODEL, linewidth=1.8, label="best so far"
        )
        axes.plot(numbers, values, "o", color=INK, alpha=0.6, label="finished")
    pruned = {trial.number: reached(trial, objectives, place) for trial in trials if trial.state == "pruned"}
    measured = {number: value for number, value in pruned.items() if value is not None}
    failed = [trial.number for trial in trials if trial.state == "failed"]
    edge: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False, "linestyle": ""}
    if measured:
        axes.plot([*measured], [*measured.values()], linestyle="", **_mark("pruned"), label="pruned, best until then")
    if bare := sorted(pruned.keys() - measured.keys()):
        axes.plot(bare, [0.02] * len(bare), **_mark("pruned"), **edge, label="pruned, no value")
    if failed:
        axes.plot(failed, [0.02] * len(failed), **_mark("failed"), **edge, label="failed")
    if limits and (below := [n for n, value in zip(numbers, values, strict=True) if value < limits[0]]):
        axes.plot(
            below, [0.06] * len(below), "v", color=INK, transform=axes.get_xaxis_transform(), label="below the axis"
        )


def _number(axes: Axes, points: Mapping[int, tuple[float, float]]) -> None:
    """Write the numbers of trials beside their points, as far as there is room."""
    taken: list[tuple[float, float]] = []
    for number, point in points.items():
        place = tuple(axes.transData.transform(point))
        if all(math.dist(place, other) > ROOM for other in taken):
            axes.annotate(str(number), point, xytext=(6, 6), textcoords="offset points", color=INK, fontsize=9)
            taken.append(place)


def _curve_look(trial: Trial, *, is_best: bool, is_point: bool) -> dict[str, Any]:
    if is_best:
        return {"color": MODEL, "linewidth": 2.4, "zorder": 4, "marker": "o" if is_point else ""}
    if trial.state in ("pruned", "failed"):
        colour = {"color": FAILED if trial.state == "failed" else FAINT}
        return _mark(trial.state) | colour | {"linewidth": 1, "linestyle": ":"}
    colour = {"color": INK if trial.state == "finished" else FAINT}
    return colour | {
        "linewidth": 1,
        "alpha": 0.5,
        "marker": "." if is_point else "",
    }  # a line through one point is none


def _mark(state: str) -> dict[str, Any]:
    if state == "failed":
        return {"marker": "x", "color": FAILED, "markersize": 7, "markeredgewidth": 1.8, "zorder": 3}
    return {"marker": "o", "markerfacecolor": "white", "markeredgecolor": FAINT, "markersize": 6, "zorder": 3}


def _bicubic(axes: Axes, psnr: float | None) -> None:
    if psnr is not None:
        axes.axhline(psnr, color=BASELINE, linestyle="--", label=f"bicubic, {psnr:.2f} dB")


def _finish(axes: Axes) -> None:
    tidy(axes)
    axes.ticklabel_format(axis="y", useOffset=False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
