"""The best trials of a search as a table: for a Markdown page, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srexp.evaluation.search_report.study import pareto_set
from srexp.evaluation.search_report.trials import LABELS, best_first, text
from srexp.metrics.table import figure
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
    headings, sides = _headings(rows)
    lines = [headings, sides, *_cells(rows)]
    escaped = [line if line is sides else [_escaped(cell) for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def comma_separated(rows: Sequence[Row]) -> str:
    """Write the table as CSV, with all digits; a cell is empty where there is no value.

    Args:
        rows: As `best_trials` gives them.
    """
    keys, names = _keys(rows), _names(rows)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(["rank", "trial", *names, "epochs", "took_seconds", *keys])
    for row in rows:
        values = [text(row.values[key]) if key in row.values else "" for key in keys]
        writer.writerow([row.rank, row.number, *row.objectives.values(), row.epochs, row.seconds, *values])
    return written.getvalue()


def _seconds(trial: Trial) -> float | None:
    if (noted := trial.facts.get("seconds")) is not None:
        return float(noted)
    return (trial.ended - trial.started).total_seconds() if trial.started and trial.ended else None


def _keys(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.values))


def _names(rows: Sequence[Row]) -> list[str]:
    return list(rows[0].objectives) if rows else []


def _headings(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    objectives = [LABELS[name] for name in _names(rows)]
    numbers, keys = ["rank", "trial", *objectives, "epochs", "took, s"], _keys(rows)
    return [*numbers, *keys], ["---:"] * len(numbers) + [":---"] * len(keys)


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    keys = _keys(rows)
    return [
        [
            str(row.rank),
            str(row.number),
            *(
                figure(value, fine=True) if name == "val_psnr" else f"{value:.3g}"
                for name, value in row.objectives.items()
            ),
            "-" if row.epochs is None else str(row.epochs),
            "-" if row.seconds is None else f"{row.seconds:.0f}",
            *(_short(row.values[key]) if key in row.values else "-" for key in keys),
        ]
        for row in rows
    ]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text(value)


def _escaped(cell: str) -> str:
    one_line = " ".join(cell.split())
    return "".join(f"\\{sign}" if sign in r"\|`*_<>[]&" else sign for sign in one_line)
