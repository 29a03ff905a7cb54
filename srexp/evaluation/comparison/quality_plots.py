"""Figures of a comparison: gains on every image, learning curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from srexp.evaluation.comparison.standings import BASELINE, Point, Standing, Standings
from srexp.evaluation.figures.hues import GREY
from srexp.evaluation.figures.plots import DPI, INK, drawable, literal, new_figure, short, tidy
from srexp.types import Axes, Figure

WIDTH = 1120

_MOST_NAMED = 40
_DEPTH = 5  # how far down a learning curve is drawn, in distances between its best and its usual height


def gains(found: Standings, hue: Mapping[str, str]) -> Figure | None:
    """Draw the gain over bicubic on every image, paired by a line, and the mean gains with their intervals beside it.

    Args:
        found: The standings.
        hue: Name to colour.

    Returns:
        Figure 1120 pixels wide; None when no gain is finite.
    """
    baseline = np.asarray(found.row(BASELINE).contender.values["psnr"], dtype=np.float64)
    with np.errstate(invalid="ignore"):
        differences = np.stack([np.asarray(row.contender.values["psnr"]) - baseline for row in found.models])
    finite = np.flatnonzero(np.isfinite(differences).all(axis=0)).tolist()
    if not finite:
        return None
    differences = differences[:, finite]
    keys = [found.keys[place] for place in finite]
    order = np.argsort(differences[0], kind="stable")
    named = len(keys) <= _MOST_NAMED
    figure = new_figure(WIDTH, 560 if named else 440)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[5, 1 + 0.12 * len(found.models)])
    places = np.arange(len(keys))
    left.vlines(places, differences.min(axis=0)[order], differences.max(axis=0)[order], color="#d4d4d4", linewidth=1.6)
    for row, values in zip(found.models, differences, strict=True):
        left.plot(places, values[order], "o", color=hue[row.name], markersize=5.5 if named else 3, label=row.name)
    _zero(left)
    left.set(title=f"Each image, by the gain of {literal(short(found.models[0].name))}", ylabel="gain over bicubic, dB")
    left.set_xlim(-0.7, len(keys) - 0.3)
    if named:
        _name_ticks(left, [keys[place] for place in order], rotation=60, fontsize=8)
    else:
        left.set_xlabel(f"{len(keys)} test images")
    for place, row in enumerate(found.models):
        _mean_gain(right, place, row, hue[row.name])
    _zero(right)
    right.set_title("Mean, 95 % interval")
    right.set_xlim(-0.6, len(found.models) - 0.4)
    right.set_xticks([])
    finish(figure, left, right, below=legend(figure, left))
    return figure


def _mean_gain(axes: Axes, place: int, row: Standing, colour: str) -> None:
    gain = row.gains["psnr"]
    if gain.gain is None:
        return
    if gain.ci95:
        axes.vlines(place, gain.ci95[0], gain.ci95[1], color=colour, linewidth=3)
    axes.plot([place], [gain.gain], "o", color=colour, markersize=8, markeredgecolor="white")


def curves(found: Standings, hue: Mapping[str, str]) -> Figure | None:
    """Draw validation PSNR against epochs and against wall time, and bicubic's where all have the same images.

    Args:
        found: The standings.
        hue: Name to colour.

    Returns:
        Figure 1120 pixels wide; None when there is no curve.
    """
    trained = [row for row in found.models if row.contender.curve]
    if not trained:
        return None
    figure = new_figure(WIDTH, 430)
    left, right = figure.subplots(1, 2, sharey=True)
    longest = max(point.seconds for row in trained for point in row.contender.curve)
    unit, seconds = ("minutes", 60.0) if longest > 120 else ("seconds", 1.0)  # noqa: PLR2004 - two minutes
    _draw_curves(left, trained, hue, lambda point: point.epoch)
    _draw_curves(right, trained, hue, lambda point: point.seconds / seconds)
    heights = {row.contender.bicubic_val_psnr for row in trained}
    bicubic = heights.pop() if len(heights) == 1 else None
    if bicubic is not None:
        for axes in (left, right):
            axes.axhline(bicubic, color=GREY, linewidth=1.2, linestyle="--", label="bicubic")
    left.set(title="Against epochs", xlabel="epoch", ylabel="validation PSNR, dB\nbest so far; pale: each epoch")
    left.xaxis.get_major_locator().set_params(integer=True)
    _leave_out_falls(left, [_best_so_far(row) for row in trained], bicubic)
    right.set(title="Against wall time", xlabel=f"{unit} of training, validation included", xlim=(0, None))
    finish(figure, left, right, below=legend(figure, right))
    return figure


def _best_so_far(row: Standing) -> list[float]:
    return [float(best) for best in np.fmax.accumulate([point.psnr for point in row.contender.curve])]


def _leave_out_falls(axes: Axes, curves: Sequence[Sequence[float]], bicubic: float | None) -> None:
    """Cut the axis where a few epochs far below would press all curves into one line, and no curve."""
    lows, highs = [] if bicubic is None else [bicubic], []
    for curve in curves:
        if finite := [value for value in curve if math.isfinite(value)]:
            lows.append(max(finite[0], finite[-1] - _DEPTH * (finite[-1] - float(np.median(finite)))))
            highs.append(finite[-1])
    if highs and (span := max(highs) - min(lows)) > 0:
        axes.set_ylim(min(lows) - 0.05 * span, max(highs) + 0.05 * span)


def _draw_curves(
    axes: Axes, trained: Sequence[Standing], hue: Mapping[str, str], place: Callable[[Point], float]
) -> None:
    for row in trained:
        curve = row.contender.curve
        marker = "o" if len(curve) <= 30 else ""  # noqa: PLR2004 - more would hide the line
        along = [place(point) for point in curve]
        axes.plot(along, [point.psnr for point in curve], color=hue[row.name], linewidth=1, alpha=0.35)
        best = _best_so_far(row)
        axes.plot(along, best, color=hue[row.name], linewidth=1.8, marker=marker, markersize=4, label=row.name)


def _zero(axes: Axes) -> None:
    axes.axhline(0, color=GREY, linewidth=1.4, zorder=1)


def _name_ticks(axes: Axes, names: Sequence[str], **look: Any) -> None:
    axes.set_xticks(range(len(names)), [drawable(short(name)) for name in names], ha="right", parse_math=False, **look)


def legend(figure: Figure, axes: Axes) -> float:
    """Name the colours below all axes, in as many columns as the names leave room for; give the share that it takes."""
    handles, names = axes.get_legend_handles_labels()
    names = [drawable(str(name)) for name in names]
    columns = min(len(names), max(1, WIDTH // (50 + 8 * max(map(len, names)))))
    room = 14 + 20 * math.ceil(len(names) / columns)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + room / DPI)
    below = figure.legend(handles, names, loc="lower left", ncols=columns, fontsize=9, frameon=False)
    for text in below.get_texts():
        text.set_parse_math(False)
    return float(room / DPI / (height + room / DPI))


def finish(figure: Figure, *every: Axes, below: float = 0.0) -> None:
    """Give the axes of a figure the look that all have, with a share of its height left free below them."""
    for axes in every:
        tidy(axes)
        axes.title.set(fontsize=11, color=INK, fontweight="bold")
        axes.tick_params(colors=INK)
    figure.tight_layout(pad=1.1, rect=(0, below, 1, 1))
