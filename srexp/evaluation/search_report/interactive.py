"""Figures of a search that one can hover over: Optuna's where it has them, in the look of the others.

Plotly takes text for HTML, so names and texts come escaped, as `srexp.evaluation.search_report.page.parts` gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from srexp.evaluation.figures.plots import BASELINE, FAILED, FAINT, INK, MODEL
from srexp.evaluation.search_report.axes import COLUMNS, broken, clipped, learning_range, psnr_range
from srexp.evaluation.search_report.trials import LABELS, Parameter, best_first, done, finite_curve, reached, study_of
from srexp.types import Trial

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SYMBOLS = {"pruned": "circle-open", "failed": "x-thin-open"}


def optimisation_history(
    trials: Sequence[Trial], objectives: Sequence[str], bicubic_psnr: float | None
) -> list[Figure]:
    """Draw what each trial reached and the best so far, one figure for each objective."""
    return [_history(trials, objectives, place, bicubic_psnr) for place in range(len(objectives))]


def learning_curves(trials: Sequence[Trial], objectives: Sequence[str], bicubic_psnr: float | None) -> Figure:
    """Draw the validation PSNR of all trials over their epochs."""
    from plotly.graph_objects import Figure

    best = next(iter(best_first(trials, objectives)), None)
    figure = Figure()
    labels: set[str] = set()
    for trial in sorted(trials, key=lambda trial: trial is best):  # the best above all others
        if curve := finite_curve(trial):
            label = f"best: trial {trial.number}" if trial is best else trial.state
            figure.add_trace(_curve(trial, curve, label, is_best=trial is best, is_named=label not in labels))
            labels.add(label)
    _bicubic(figure, bicubic_psnr)
    figure.update_yaxes(range=learning_range(trials, bicubic_psnr))
    figure.update_layout(xaxis_title="epoch", yaxis_title=LABELS["val_psnr"], showlegend=True, height=560)
    return figure


def importance_bars(shares: Mapping[str, float]) -> Figure:
    """Draw the share of each key in what sets the best trials apart."""
    from plotly.graph_objects import Bar, Figure

    figure = Figure(
        Bar(
            x=[*shares.values()],
            y=[*shares],
            orientation="h",
            marker_color=MODEL,
            text=[f"{share:.0%}" for share in shares.values()],
            textposition="outside",
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title="share", range=[0, 1.12 * max(shares.values())])
    figure.update_yaxes(autorange="reversed", automargin=True, type="category")
    figure.update_layout(height=160 + 44 * len(shares))
    return figure


def pareto_front(trials: Sequence[Trial], objectives: Sequence[str], bicubic_psnr: float | None) -> Figure:
    """Draw the finished trials over their first two objectives, and those that no other betters in both."""
    from optuna.visualization import plot_pareto_front

    study = study_of(trials, objectives)
    upright, across = objectives[:2]
    figure = plot_pareto_front(
        study, target_names=[LABELS[across], LABELS[upright]], targets=lambda trial: trial.values[1::-1]
    )
    looks = (("finished", FAINT, 8), ("Pareto front", MODEL, 11))
    for trace, (name, colour, size) in zip(figure.data, looks, strict=True):
        marker = {"color": colour, "size": size, "opacity": 0.8}
        trace.update({"marker": marker, "name": name, "showlegend": True}, overwrite=True)
    if upright == "val_psnr":
        _bicubic(figure, bicubic_psnr)
        figure.update_yaxes(range=psnr_range(done(trials, objectives), objectives, bicubic_psnr))
    figure.update_layout(height=560, showlegend=True)
    return figure


def parallel_coordinates(finished: Sequence[Trial], objectives: Sequence[str], keys: Sequence[Parameter]) -> Figure:
    """Draw each finished trial as a line through its objectives and values."""
    from optuna.visualization import plot_parallel_coordinate

    names = [LABELS[name] for name in objectives]
    study = study_of(clipped(finished, objectives), objectives, keys)
    figure = plot_parallel_coordinate(study, target_name=names[0])
    below = [*names, *(broken(key, "<br>") for key in sorted(key.key for key in keys))]  # Optuna's order
    figure.update_xaxes(ticktext=below)
    return figure


def slices(finished: Sequence[Trial], objectives: Sequence[str], keys: Sequence[Parameter]) -> list[Figure]:
    """Draw every objective over every key, four keys beside each other."""
    from optuna.visualization import plot_slice

    quoted = {repr(choice): str(choice) for key in keys for choice in key.choices or ()}
    figures = []
    for place, name in enumerate(objectives):
        study = study_of(finished, objectives, keys, only=place)
        for first in range(0, len(keys), COLUMNS):
            beside = [key.key for key in keys[first : first + COLUMNS]]
            figure = plot_slice(study, params=beside, target_name=LABELS[name])
            figure.update_traces(
                marker={"colorscale": "Viridis", "reversescale": True, "size": 8, "line": {"width": 0}}
            )
            figure.for_each_trace(lambda trace: trace.update(x=[quoted.get(value, value) for value in trace.x]))
            figure.for_each_xaxis(lambda axis: _unquote(axis, quoted))
            if name == "val_psnr":
                figure.update_yaxes(range=psnr_range(finished, objectives, None))
            figures.append(figure)
    return figures


def _unquote(axis: Any, quoted: Mapping[str, str]) -> None:
    """Optuna writes a choice as Python would; here it is written as the user does."""
    if axis.type == "category":
        axis.update(categoryarray=[quoted[choice] for choice in axis.categoryarray])
    elif axis.type == "log":
        axis.update(dtick=1, exponentformat="power")


def _history(trials: Sequence[Trial], objectives: Sequence[str], place: int, bicubic_psnr: float | None) -> Figure:
    from optuna.visualization import plot_optimization_history
    from plotly.graph_objects import Figure

    label = LABELS[objectives[place]]
    figure = Figure()
    finished = [value for trial in done(trials, objectives) if (value := reached(trial, objectives, place)) is not None]
    if finished:
        figure = plot_optimization_history(study_of(trials, objectives, only=place), target_name=label)
        dots = {"color": INK, "opacity": 0.6, "size": 8}
        figure.update_traces({"name": "finished", "marker": dots}, {"name": label})
        figure.update_traces({"name": "best so far", "line": {"color": MODEL, "shape": "hv"}}, {"mode": "lines"})
    is_psnr = objectives[place] == "val_psnr"
    limits = psnr_range(trials, objectives, bicubic_psnr) if is_psnr else None
    low, high = limits or (min(finished, default=0), max(finished, default=1))
    for state in SYMBOLS:
        values = {trial.number: reached(trial, objectives, place) for trial in trials if trial.state == state}
        if values:
            bottom = low + (0.04 if limits else -0.08) * (high - low)
            figure.add_trace(_marks(state, values, bottom))
    if is_psnr:
        _bicubic(figure, bicubic_psnr)
        figure.update_yaxes(range=limits)
    figure.update_layout(xaxis_title="trial", yaxis_title=label, showlegend=True)
    return figure


def _marks(state: str, values: Mapping[int, float | None], bottom: float) -> Any:
    """Marks at what the trials of a state reached, or at the bottom."""
    from plotly.graph_objects import Scatter

    colour = FAILED if state == "failed" else FAINT
    return Scatter(
        x=[*values],
        y=[bottom if value is None else value for value in values.values()],
        text=["no value" if value is None else f"{value:.4g}" for value in values.values()],
        hovertemplate="trial %{x}: %{text}",
        mode="markers",
        name=state,
        marker={"symbol": SYMBOLS[state], "color": colour, "size": 8, "line": {"width": 2, "color": colour}},
    )


def _curve(trial: Trial, curve: Mapping[int, float], label: str, *, is_best: bool, is_named: bool) -> Any:
    """One trial over its epochs, with a mark at its end where it ended early."""
    from plotly.graph_objects import Scatter

    colour = MODEL if is_best else {"finished": INK, "failed": FAILED}.get(trial.state, FAINT)
    is_marked = trial.state in SYMBOLS or len(curve) == 1
    marker = {"symbol": SYMBOLS.get(trial.state, "circle"), "line": {"width": 2 * is_marked, "color": colour}}
    return Scatter(
        x=[*curve],
        y=[*curve.values()],
        mode="lines+markers",
        name=label,
        legendgroup=label,
        showlegend=is_named,
        opacity=1 if is_best else 0.6,
        line={"color": colour, "width": 3 if is_best else 1, "dash": "solid" if trial.state == "finished" else "dot"},
        marker={**marker, "size": [0] * (len(curve) - 1) + [8 * is_marked]},
        hovertemplate=f"trial {trial.number}, {trial.state}: epoch %{{x}}, %{{y:.3f}} dB<extra></extra>",
    )


def _bicubic(figure: Figure, psnr: float | None) -> None:
    if psnr is not None:
        line = {"color": BASELINE, "dash": "dash"}
        figure.add_hline(psnr, line=line, name=f"bicubic, {psnr:.2f} dB", showlegend=True)
