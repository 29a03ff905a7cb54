"""Figures of a comparison about costs: inference times of each model, and what quality costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from srexp.evaluation.comparison.quality_plots import WIDTH, finish, legend
from srexp.evaluation.comparison.standings import BASELINE, Standings
from srexp.evaluation.comparison.tables import described, time_cell
from srexp.evaluation.figures.plots import FAINT, INK, boxes, by_input, drawable, new_figure, short
from srexp.evaluation.timing import Timing
from srexp.types import Axes, Figure

#: A cost, of which a time has quartiles.
Measured: TypeAlias = tuple[float, Sequence[float] | None]

_SHORT = 14  # letters of a name that there is room for beside a point
_NEAR = 2  # ratio of two times below which the axis shows more than what lies between them
_FAR = 100  # ratio of two times beyond which only powers of ten are marked


def times(found: Standings, hue: Mapping[str, str]) -> Figure | None:
    """Draw every inference time and its box, on a logarithmic axis; models with the same input share one.

    Args:
        found: The standings.
        hue: Name to colour.

    Returns:
        Figure 1120 pixels wide; None when nothing was timed.
    """
    inputs = by_input({row.name: row.contender.timings.values() for row in found.rows})
    if not inputs:
        return None
    counts = [len(models) for models in inputs.values()]
    figure = new_figure(WIDTH, 20 + sum(95 + 54 * count for count in counts))
    rows = figure.subplots(len(counts), 1, squeeze=False, height_ratios=[1.3 + count for count in counts])[:, 0]
    for axes, (shape, models) in zip(rows, inputs.items(), strict=True):
        _times(axes, models, hue)
        axes.set_title(f"{described(shape)} pixels")
    finish(figure, *rows)
    return figure


def _times(axes: Axes, models: Mapping[str, Timing], hue: Mapping[str, str]) -> None:
    boxes(axes, models, hue, 1000)
    labels = [f"{drawable(short(name))}\n{time_cell(timing)}" for name, timing in models.items()]
    axes.set_yticks(range(len(models)), labels, parse_math=False)
    axes.set_xlabel("milliseconds, logarithmic")
    _log(axes)


def quality_against_cost(found: Standings, hue: Mapping[str, str], label: str | None) -> Figure | None:
    """Draw the gain against times of inference and training, weights and multiply-adds, each with its Pareto front.

    Args:
        found: The standings.
        hue: Name to colour.
        label: Which timing is drawn.

    Returns:
        Figure 1120 pixels wide, two panels to a row; None when no cost is known.
    """
    panels = _panels(found, label)
    if not panels:
        return None
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure = new_figure(WIDTH, 470 * rows)
    every = figure.subplots(rows, columns, sharey=True, squeeze=False)
    drawn = list(every.flat)[: len(panels)]
    for axes in list(every.flat)[len(panels) :]:
        axes.remove()
    beside = all(len(row.name) <= _SHORT for row in found.rows)
    for axes, (where, title, unit) in zip(drawn, panels, strict=True):
        _scatter(axes, found, hue, where, beside=beside)
        axes.set(title=title, xlabel=unit)
        _log(axes)
        axes.margins(x=0.22, y=0.14)
    for axes in every[:, 0]:
        axes.set_ylabel("gain over bicubic, dB")
    most = max(drawn, key=lambda axes: len(axes.get_legend_handles_labels()[0]))
    finish(figure, *drawn, below=0.0 if beside else legend(figure, most))
    return figure


def _panels(found: Standings, label: str | None) -> list[tuple[dict[str, Measured], str, str]]:
    """List each cost that is known, by model, with its title and the words at its axis."""
    timed = {row.name: timing for row in found.rows if (timing := row.contender.timings.get(label or ""))}
    size = next((f"{described(timing.shape)} pixels" for timing in timed.values()), "")
    inference: dict[str, Measured] = {
        name: (1000 * timing.median, [1000 * quartile for quartile in timing.quartiles])
        for name, timing in timed.items()
    }
    contenders = {row.name: row.contender for row in found.models}
    training = {name: each.train_seconds for name, each in contenders.items() if each.curve}
    costs = {name: each.cost for name, each in contenders.items() if each.cost}

    def known(values: Mapping[str, float | None], unit: float) -> dict[str, Measured]:
        return {name: (value / unit, None) for name, value in values.items() if value}

    panels = [
        (inference, f"Inference, {size}", "milliseconds, logarithmic"),
        (known(training, 60), "Training", "minutes, validation included, logarithmic"),
        (known({name: cost.parameters for name, cost in costs.items()}, 1000), "Weights", "thousands, logarithmic"),
        (
            known({name: cost.multiply_adds for name, cost in costs.items()}, 1e9),
            "Work",
            "10⁹ multiply-adds per megapixel, logarithmic",
        ),
    ]
    return [panel for panel in panels if panel[0]]


def _scatter(
    axes: Axes,
    found: Standings,
    hue: Mapping[str, str],
    where: Mapping[str, Measured],
    *,
    beside: bool,
) -> None:
    points = {}
    for name, (price, quartiles) in where.items():
        gain = found.row(name).gains.get("psnr")
        height = 0.0 if name == BASELINE else gain.gain if gain else None
        if height is None:
            continue
        points[name] = (price, height)
        if gain and gain.ci95:
            axes.vlines(price, gain.ci95[0], gain.ci95[1], color=hue[name], linewidth=1.6, alpha=0.7)
        if quartiles:
            axes.hlines(height, quartiles[0], quartiles[1], color=hue[name], linewidth=1.6, alpha=0.7)
        axes.plot([price], [height], "o", color=hue[name], markersize=9, markeredgecolor="white", zorder=3, label=name)
        if beside:
            axes.annotate(
                drawable(name), (price, height), xytext=(8, 7), textcoords="offset points", fontsize=10, color=INK,
                parse_math=False, zorder=4,
            )  # fmt: skip
    front = pareto(list(points.values()))
    if len(front) > 1:
        axes.plot(
            *zip(*front, strict=True), color=FAINT, linestyle="--", linewidth=1.2, zorder=1, drawstyle="steps-post"
        )


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep what nothing else beats in both: lower cost and more gain.

    Args:
        points: Cost and gain of each model.

    Returns:
        The front by rising cost.

    Example:
        >>> pareto([(2, 1.0), (1, 0.5), (3, 0.9)])
        [(1, 0.5), (2, 1.0)]
    """
    front: list[tuple[float, float]] = []
    for price, gain in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or gain > front[-1][1]:
            front.append((price, gain))
    return front


def _log(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_xscale("log")
    least, most = axes.dataLim.intervalx
    if most < _NEAR * least:  # times that hardly differ stand side by side
        axes.set_xlim(least / _NEAR, most * _NEAR)
    # The numbers at 2 and 5 would overlap over several decades.
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if most > _FAR * least else (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(LogLocator(subs=()))
