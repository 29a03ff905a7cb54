"""Standings arranged as tables: what models are worth, what they cost, every two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

from srexp.evaluation.comparison.standings import Mean, Pair, Standing, Standings
from srexp.evaluation.grid import Cell, Grid
from srexp.evaluation.statistics import Comparison
from srexp.evaluation.timing import Timing
from srexp.metrics.table import NONE, QUICK, figure, heading, interval, merits
from srexp.system.masking import redaction

INTERVAL = "[95 %]"
_MINUTE, _HOUR, _SMALL_P = 60, 3600, 0.001


T = TypeVar("T")

#: Heading of a column, and what a model, or a pair of them, has in it.
Column: TypeAlias = tuple[Cell, Callable[[T], Cell]]


def scores(found: Standings) -> Grid:
    """Arrange what the models are worth: PSNR, SSIM, gain, test and wins.

    Args:
        found: The standings.

    Returns:
        One row for each model, best first.
    """
    columns: list[Column[Standing]] = [
        (Cell("model"), _name),
        *(_metric(name) for name in QUICK),
        (Cell("gain dB", INTERVAL), lambda row: gain_cell(row.gains.get("psnr"))),
        (Cell("p", "to the best"), lambda row: Cell(p_value(row.p_best))),
        (Cell("wins", f"of {len(found.keys)}"), lambda row: Cell(str(row.wins))),
    ]
    return _with_best(found, _grid(found.rows, columns), [None, *QUICK, "gain", None, "wins"])


def costs(found: Standings) -> Grid:
    """Arrange what the models cost: size, work, training and inference.

    Args:
        found: The standings.

    Returns:
        One row for each model, best first.
    """
    label = common_input(found)
    columns: list[Column[Standing]] = [
        (Cell("model"), _name),
        (Cell("weights"), lambda row: Cell(_weights(row))),
        (Cell("multiply-adds", "per megapixel"), lambda row: Cell(_operations(row))),
        (Cell("training"), lambda row: Cell(duration(row.contender.train_seconds))),
        (Cell("patches/s"), lambda row: Cell(_rounded(row.contender.patches_per_second))),
        (Cell("inference", _input(found, label)), lambda row: timing_cell(row.contender.timings, label)),
    ]
    return _grid(found.rows, columns)


def further(found: Standings) -> Grid | None:
    """Arrange the metrics beside PSNR and SSIM that all models have.

    Args:
        found: The standings.

    Returns:
        One row for each model; None when there is no such metric.
    """
    names = [name for name in found.rows[0].means if name not in QUICK and all(name in row.means for row in found.rows)]
    if not names:
        return None
    columns: list[Column[Standing]] = [(Cell("model"), _name), *map(_metric, names)]
    return _with_best(found, _grid(found.rows, columns), [None, *names])


def pairs(found: Standings) -> Grid:
    """Arrange the comparison of every two models.

    Args:
        found: The standings.

    Returns:
        One row for each pair, best models first.
    """
    columns: list[Column[Pair]] = [
        (Cell("better"), lambda pair: Cell(pair.better)),
        (Cell("worse"), lambda pair: Cell(pair.worse)),
        (Cell("difference dB", INTERVAL), lambda pair: gain_cell(pair.difference)),
        (Cell("better on", f"of {len(found.keys)}"), lambda pair: Cell(str(pair.difference.wins))),
        (Cell("p", "Wilcoxon"), lambda pair: Cell(p_value(pair.difference.p_value))),
        (Cell("p", "after Holm"), lambda pair: Cell(p_value(pair.p_holm))),
    ]
    return _grid(found.pairs, columns)


def comma_separated(found: Standings) -> str:
    """Write all figures, unrounded, one row for each model."""
    return redaction.comma_separated(map(_flat, found.rows))


def _flat(row: Standing) -> dict[str, object]:
    flat: dict[str, object] = {"model": row.name}
    for metric, mean in row.means.items():
        low, high = mean.ci95 or (None, None)
        flat |= {metric: mean.mean, f"{metric}_std": mean.std, f"{metric}_low": low, f"{metric}_high": high}
    for metric, gain in row.gains.items():
        low, high = gain.ci95 or (None, None)
        flat |= {f"{metric}_gain": gain.gain, f"{metric}_gain_low": low, f"{metric}_gain_high": high}
    contender = row.contender
    flat |= {
        "wins": row.wins,
        "p_best_holm": row.p_best,
        "parameters": contender.cost and contender.cost.parameters,
        "multiply_adds_per_megapixel": contender.cost and contender.cost.multiply_adds,
        "train_seconds": contender.train_seconds,
        "patches_per_second": contender.patches_per_second,
    }
    for label, timing in contender.timings.items():
        flat |= {f"seconds of {label}": timing.median, f"seconds of {label}, low": timing.quartiles[0]}
        flat[f"seconds of {label}, high"] = timing.quartiles[1]
    return flat


def _name(row: Standing) -> Cell:
    """Name a model, and say of one whose detail is invented that it is."""
    return Cell(row.name, "detail invented" if row.contender.invents else "")


def _metric(name: str) -> Column[Standing]:
    """Make the column of a metric."""
    return Cell(heading(name), INTERVAL), lambda row: mean_cell(row.means[name], name)


def _input(found: Standings, label: str | None) -> str:
    timed = (row.contender.timings.get(label or "") for row in found.rows)
    return next((described(timing.shape) for timing in timed if timing), "inputs differ")


def described(shape: Sequence[int]) -> str:
    """Name an input by its shape, (n, h, w, c) or (h, w, c).

    Example:
        >>> described((16, 24, 24, 1)), described((128, 128, 1))
        ('batch of 16 inputs, 24 x 24', 'input of 128 x 128')
    """
    *batch, height, width, _ = shape
    return f"batch of {batch[0]} inputs, {height} x {width}" if batch else f"input of {height} x {width}"


def common_input(found: Standings) -> str | None:
    """Name the largest input on which all models were timed; None when there is none.

    Args:
        found: The standings; models that weren't timed don't count.
    """
    timed = [row.contender.timings for row in found.rows if row.contender.timings]
    if not timed:
        return None
    shared = [
        label
        for label, timing in timed[0].items()
        if all(label in other and other[label].shape == timing.shape for other in timed)
    ]
    return max(shared, key=lambda label: _pixels(timed[0][label]), default=None)


def _pixels(timing: Timing) -> tuple[bool, int]:
    """Images before batches, then the larger one."""
    *batch, height, width, _ = timing.shape
    return not batch, height * width


def _grid(rows: Sequence[T], columns: Sequence[Column[T]]) -> Grid:
    return Grid([head for head, _ in columns], [[cell(row) for _, cell in columns] for row in rows])


def _with_best(found: Standings, grid: Grid, columns: Sequence[str | None]) -> Grid:
    """Mark the best cells of the columns that have a name, and what reads the same; where all do, none is better."""
    rows = [list(row) for row in grid.rows]
    for place, name in enumerate(columns):
        known = [
            (merit, row[place].main)
            for merit, row in zip(_merits(found, name), rows, strict=False)
            if merit is not None
        ]
        best = max(known)[1] if known else ""
        if {row[place].main for row in rows} > {best}:
            for row in rows:
                row[place] = replace(row[place], best=row[place].main == best)
    return replace(grid, rows=rows)


def _merits(found: Standings, column: str | None) -> Sequence[float | None]:
    """Give what makes a model good in a column, more is better; nothing where models can't be told apart by that."""
    if column is None:
        return []
    if column == "wins":
        return [row.wins for row in found.rows]
    if column == "gain":
        return [gain.gain if (gain := row.gains.get("psnr")) else None for row in found.rows]
    if any(row.means[column].n_infinite for row in found.rows):  # means over different images don't compare
        return []
    return merits([row.means[column].mean for row in found.rows], column)


def mean_cell(mean: Mean, metric: str) -> Cell:
    """Write a mean with its interval, and what it leaves out.

    Example:
        >>> str(mean_cell(Mean(38.2, 1.0, [37.5, 39.0], 0), "psnr"))
        '38.20 [37.50, 39.00]'
    """
    if mean.mean is None:
        return Cell("∞" if mean.n_infinite else NONE)
    spread = interval(mean.ci95, metric) if mean.ci95 else "one image"
    left_out = f", without {mean.n_infinite} infinite" if mean.n_infinite else ""
    return Cell(figure(mean.mean, metric), spread + left_out)


def gain_cell(gain: Comparison | None) -> Cell:
    """Write a difference in dB with its interval."""
    if gain is None or gain.gain is None:
        return Cell(NONE)
    return Cell(figure(gain.gain, sign=True), interval(gain.ci95, sign=True) if gain.ci95 else "one image")


def p_value(p: float | None) -> str:
    """Write a p value, with as many digits as mean something.

    Example:
        >>> p_value(0.03125), p_value(1e-9), p_value(None)
        ('0.031', '<0.001', '-')
    """
    if p is None:
        return NONE
    return "<0.001" if p < _SMALL_P else f"{p:.3f}"


def duration(seconds: float | None) -> str:
    """Write a time in the unit that suits it.

    Example:
        >>> duration(42.4), duration(754), duration(7290)
        ('42 s', '12 min 34 s', '2 h 1 min')
    """
    if seconds is None:
        return NONE
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def timing_cell(timings: Mapping[str, Timing], label: str | None) -> Cell:
    """Write the time that goes by a label, or that there is none."""
    timing = timings.get(label or "")
    return time_cell(timing) if timing else Cell(NONE)


def time_cell(timing: Timing) -> Cell:
    """Write the median of inference times with their quartiles.

    Example:
        >>> str(time_cell(Timing((64, 64, 1), (0.0031,), 0.0031, (0.003, 0.0032), 2)))
        '3.1 ms [3, 3.2]'
    """
    unit, factor = ("s", 1.0) if timing.median >= 1 else ("ms", 1000.0)
    low, high = (factor * quartile for quartile in timing.quartiles)
    return Cell(f"{factor * timing.median:.3g} {unit}", f"[{low:.3g}, {high:.3g}]")


def _weights(row: Standing) -> str:
    known = row.contender.cost
    return f"{known.parameters:,}".replace(",", "\u202f") if known else NONE


def _operations(row: Standing) -> str:
    known = row.contender.cost
    if known is None or known.multiply_adds is None:
        return NONE
    return f"{known.multiply_adds / 1e9:.1f} G" if known.multiply_adds else "0"


def _rounded(value: float | None) -> str:
    return NONE if value is None else f"{value:.0f}"
