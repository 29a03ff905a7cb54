"""The best trials of a search as a table: for a Markdown page, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srexp.evaluation import grid
from srexp.evaluation.grid import Cell, Grid
from srexp.evaluation.search_report.study import pareto_set
from srexp.evaluation.search_report.trials import LABELS, best_first, text
from srexp.metrics.table import NONE, figure
from srexp.types import Trial


@dataclass(frozen=True, slots=True)
class Row:
    """One of the best trials.

    Args:
        rank: From 1.
        number: Number of the trial.
        objectives: Name of an objective to its value.
        epochs: Epochs that were reported; None where none was.
        seconds: What the trial took, None where that isn't known.
        values: Configuration key to what was chosen for it.
    """

    rank: int
    number: int
    objectives: Mapping[str, float]
    epochs: int | None
    seconds: float | None
    values: Mapping[str, Any]


def best_trials(trials: Sequence[Trial], objectives: Sequence[str], n: int = 10) -> list[Row]:
    """Rank the finished trials.

    Args:
        trials: Of whatever engine.
        objectives: What was sought.
        n: Trials at most; for several objectives the whole Pareto set is given, however large.

    Returns:
        The best first, by the first objective; equal ones by number.

    Example:
        >>> trial = Trial(number=3, state="finished", values={"model": "srcnn"}, objectives=(41.5,), curve={2: 41.5})
        >>> print(markdown(best_trials([trial], ["val_psnr"])))
        | rank | trial | validation PSNR in dB | epochs | took, s | model |
        | ---: | ---: | ---: | ---: | ---: | :--- |
        | 1 | 3 | 41.500 | 2 | - | srcnn |
        <BLANKLINE>
    """
    best = best_first(trials, objectives)[:n] if len(objectives) == 1 else pareto_set(trials, objectives)
    return [
        Row(
            rank=rank,
            number=trial.number,
            objectives=dict(zip(objectives, trial.objectives or (), strict=True)),
            epochs=max(trial.curve, default=None),
            seconds=_seconds(trial),
            values=dict(trial.values),
        )
        for rank, trial in enumerate(best, start=1)
    ]


def markdown(rows: Sequence[Row]) -> str:
    """Write the table for a Markdown page; nothing in it is taken for Markdown or HTML.

    Args:
        rows: As `best_trials` gives them.
    """
    names, keys = _names(rows), _keys(rows)
    figures = ["rank", "trial", *(LABELS[name] for name in names), "epochs", "took, s"]
    lines = [[*figures, *keys], *(_cells(row, keys) for row in rows)]
    headings, *body = [list(map(Cell, line)) for line in lines]
    return grid.markdown(Grid(headings, body, texts=range(len(figures), len(headings))))


def comma_separated(rows: Sequence[Row]) -> str:
    """Write the table as CSV, with all digits; a cell is empty where there is no value.

    Args:
        rows: As `best_trials` gives them.
    """
    from pandas import DataFrame

    keys = _keys(rows)
    columns = ["rank", "trial", *_names(rows), "epochs", "took_seconds", *keys]
    lines = [
        [row.rank, row.number, *row.objectives.values(), row.epochs, row.seconds]
        + [text(row.values[key]) if key in row.values else "" for key in keys]
        for row in rows
    ]
    return str(DataFrame(lines, columns=columns, dtype=object).to_csv(index=False, lineterminator="\n"))


def _seconds(trial: Trial) -> float | None:
    if (noted := trial.facts.get("seconds")) is not None:
        return float(noted)
    return (trial.ended - trial.started).total_seconds() if trial.started and trial.ended else None


def _keys(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.values))


def _names(rows: Sequence[Row]) -> list[str]:
    return list(rows[0].objectives) if rows else []


def _cells(row: Row, keys: Sequence[str]) -> list[str]:
    objectives = [
        figure(value, fine=True) if name == "val_psnr" else f"{value:.3g}" for name, value in row.objectives.items()
    ]
    epochs = NONE if row.epochs is None else str(row.epochs)
    seconds = NONE if row.seconds is None else f"{row.seconds:.0f}"
    values = (_short(row.values[key]) if key in row.values else NONE for key in keys)
    return [str(row.rank), str(row.number), *objectives, epochs, seconds, *values]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text(value)
