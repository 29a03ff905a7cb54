"""Axes of a search's figures: ranges that a few hopeless trials don't spoil, and panels for every key of a space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from srexp.evaluation.figures.plots import FAINT, INK, MODEL, new_figure, tidy
from srexp.evaluation.search_report.trials import HIGHER_IS_BETTER, LABELS, Parameter, best_first, finite_curve, reached
from srexp.types import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = "viridis"
COLUMNS = 4
LONGEST = 22
MISSING = -0.12
"""Height at which a trial passes a key that it doesn't have."""


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
    tops = [max(curve) for curve in curves]
    lowest = min([*map(min, curves), *([] if bicubic_psnr is None else [bicubic_psnr])])
    low, high = _range(tops, bicubic_psnr, below=0.5)
    return max(low, lowest - 0.05 * (high - lowest)), high


def slices(finished: Sequence[Trial], objectives: Sequence[str], keys: Sequence[Parameter]) -> Figure:
    """Draw every objective over every key; later trials are darker, the best is ringed.

    Args:
        finished: Finished trials.
        objectives: What was sought.
        keys: Keys of the space.

    Returns:
        Figure of at most four panels beside each other.
    """
    columns = min(COLUMNS, len(keys))
    rows = -(-len(keys) // columns)
    figure = new_figure(max(700, 350 * columns), 60 + 300 * rows * len(objectives))
    panels = figure.subplots(rows * len(objectives), columns, squeeze=False)
    for axes in panels.ravel():
        axes.set_visible(False)
    for place in range(len(objectives)):
        for index, key in enumerate(keys):
            row, column = divmod(index, columns)
            axes = panels[place * rows + row, column]
            axes.set_visible(True)
            _slice(axes, finished, objectives, place, key)
            if not column:
                axes.set_ylabel(LABELS[objectives[place]])
    figure.suptitle("Slices: the later the trial the darker, the best ringed", fontsize=12)
    figure.tight_layout(pad=1.2)
    return figure


def parallel_coordinates(finished: Sequence[Trial], objectives: Sequence[str], keys: Sequence[Parameter]) -> Figure:
    """Draw each finished trial as a line through its objectives and values, coloured by the first objective.

    Args:
        finished: Finished trials.
        objectives: What was sought.
        keys: Keys of the space.

    Returns:
        Figure 520 pixels high.
    """
    from matplotlib import colormaps

    names = [LABELS[name] for name in objectives]
    shown = clipped(finished, objectives)
    uprights = [*(_objective(shown, name, place) for place, name in enumerate(names)), *keys]
    ranked = best_first(shown, objectives)[::-1]  # the best is drawn last, above all others
    rows = [dict(zip(names, trial.objectives or (), strict=True)) | dict(trial.values) for trial in ranked]
    figure = new_figure(max(900, 190 * len(uprights)), 520)
    axes = figure.subplots()
    for place, row in enumerate(rows, start=1):
        heights = [_share(each, row[each.key]) if each.key in row else MISSING for each in uprights]
        axes.plot(
            heights,
            color=colormaps[COLOURS](0.95 * (1 - place / len(rows))),
            alpha=0.9 if place == len(rows) else 0.6,
            linewidth=2.8 if place == len(rows) else 1.1,
        )
    for place, upright in enumerate(uprights):
        _upright(axes, place, upright, is_missing=any(upright.key not in row for row in rows))
    axes.set_xticks(range(len(uprights)), [broken(each.key, "\n") for each in uprights], parse_math=False)
    axes.tick_params(axis="x", length=0, pad=8)
    axes.set(xlim=(-0.3, len(uprights) - 0.4), ylim=(MISSING - 0.04, 1.05), yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title("Parallel coordinates: the better the trial the darker, the best is thick")
    figure.tight_layout(pad=1.2)
    return figure


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

    def raised(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(max(low, value) if index == place else value for index, value in enumerate(values))

    return [replace(trial, objectives=raised(trial.objectives or ())) for trial in finished]


def broken(key: str, line_break: str) -> str:
    """Write a key on as many lines as it has parts, so that it fits under its axis.

    Example:
        >>> broken("trainer.batch_size", "<br>")
        'trainer.<br>batch_size'
    """
    return key.replace(".", f".{line_break}")


def _floor(values: Sequence[float]) -> float:
    """Smallest value that isn't three times the middle half below it."""
    quarter, most = np.quantile(values, [0.25, 0.75]).tolist()
    return min(value for value in values if value >= quarter - 3 * (most - quarter))


def _range(values: Sequence[float], bicubic_psnr: float | None, below: float) -> tuple[float, float]:
    ends = [_floor(values), max(values), *([] if bicubic_psnr is None else [bicubic_psnr])]
    span = max(max(ends) - min(ends), 0.02)
    return min(ends) - below * span, max(ends) + 0.08 * span


def _objective(finished: Sequence[Trial], name: str, place: int) -> Parameter:
    values = [trial.objectives[place] for trial in finished if trial.objectives]
    return Parameter(name, low=min(values), high=max(values))


def _share(key: Parameter, value: Any) -> float:
    """Height of a value on the axis of its key, from 0 to 1."""
    if key.choices is not None:
        return (key.choices.index(key.shown(value)) + 0.5) / len(key.choices)
    low, high, at = (math.log(x) if key.log else x for x in (key.low, key.high, value))
    return (at - low) / (high - low) if high > low else 0.5


def _upright(axes: Axes, place: int, key: Parameter, *, is_missing: bool) -> None:
    axes.plot([place, place], [0, 1], color=FAINT, linewidth=1, zorder=0)
    if key.choices is not None:
        ticks = [(_share(key, choice), _shortened(str(choice))) for choice in key.choices]
    elif key.high > key.low:
        middle = math.sqrt(key.low * key.high) if key.log else (key.low + key.high) / 2
        ticks = [(_share(key, each), f"{each:.4g}") for each in (key.low, key.high)]
        ticks.insert(1, (0.5, f"{middle:.2g}" if key.log else f"{middle:.4g}"))
    else:
        ticks = [(0.5, f"{key.low:.4g}")]
    if is_missing:
        ticks.append((MISSING, "not set"))
    for height, label in ticks:
        axes.text(
            place + 0.03,
            height,
            label,
            fontsize=8,
            color=INK,
            va="center",
            parse_math=False,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8},
            zorder=5,
        )


def _slice(axes: Axes, finished: Sequence[Trial], objectives: Sequence[str], place: int, key: Parameter) -> None:
    held = [trial for trial in finished if key.key in trial.values]
    shown = [key.shown(trial.values[key.key]) for trial in held]
    values = [trial.objectives[place] for trial in held if trial.objectives]
    x: list[Any] = shown if key.choices is None else [key.choices.index(each) for each in shown]
    axes.scatter(x, values, c=[trial.number for trial in held], cmap="viridis_r", s=26, alpha=0.85)
    best = max(values) if HIGHER_IS_BETTER[objectives[place]] else min(values)
    axes.plot(
        x[values.index(best)],
        best,
        "o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=MODEL,
        markeredgewidth=2,
    )
    if key.choices is not None:
        axes.set_xticks(range(len(key.choices)), [_shortened(str(each)) for each in key.choices], parse_math=False)
        axes.set_xlim(-0.5, len(key.choices) - 0.5)
    elif key.log:
        axes.set_xscale("log")
    if objectives[place] == "val_psnr":
        axes.set_ylim(psnr_range(finished, objectives, None))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel(key.key, parse_math=False)
    tidy(axes)


def _shortened(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
