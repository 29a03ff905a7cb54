"""The best trials of a search as a table: for a Markdown page, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from srexp.evaluation import grid
from srexp.evaluation.grid import Cell, Grid
from srexp.evaluation.search_report.study import pareto_set
from srexp.evaluation.search_report.trials import LABELS, best_first, text
from srexp.metrics.table import NONE, figure
from srexp.system.masking import redaction
from srexp.types import Trial


def best_trials(trials: Sequence[Trial], objectives: Sequence[str], n: int = 10) -> list[Trial]:
    """Rank the finished trials.

    Args:
        trials: Of whatever engine.
        objectives: What was sought.
        n: Trials at most; for several objectives the whole Pareto set is given, however large.

    Returns:
        The best first, by the first objective; equal ones by number.

    Example:
        >>> trial = Trial(number=3, state="finished", values={"model": "srcnn"}, objectives=(41.5,), curve={2: 41.5})
        >>> print(markdown([trial], ["val_psnr"]))
        | rank | trial | validation PSNR in dB | epochs | took, s | model |
        | ---: | ---: | ---: | ---: | ---: | :--- |
        | 1 | 3 | 41.500 | 2 | - | srcnn |
        <BLANKLINE>
    """
    return best_first(trials, objectives)[:n] if len(objectives) == 1 else pareto_set(trials, objectives)


def markdown(best: Sequence[Trial], objectives: Sequence[str]) -> str:
    """Write the table for a Markdown page; nothing in it is taken for Markdown or HTML.

    Args:
        best: Trials, from `best_trials`.
        objectives: What was sought.
    """
    keys = list(dict.fromkeys(key for trial in best for key in trial.values))
    figures = ["rank", "trial", *(LABELS[name] for name in objectives if best), "epochs", "took, s"]
    lines = [[*figures, *keys], *(_cells(rank, trial, objectives, keys) for rank, trial in enumerate(best, start=1))]
    headings, *body = [list(map(Cell, line)) for line in lines]
    return grid.markdown(Grid(headings, body, texts=range(len(figures), len(headings))))


def comma_separated(best: Sequence[Trial], objectives: Sequence[str]) -> str:
    """Write the table as CSV, with all digits; a cell is empty where there is no value.

    Args:
        best: Trials, from `best_trials`.
        objectives: What was sought.
    """
    lines = [
        {"rank": rank, "trial": trial.number}
        | dict(zip(objectives, trial.objectives or (), strict=True))
        | {"epochs": max(trial.curve, default=None), "took_seconds": _seconds(trial)}
        | {key: text(value) for key, value in trial.values.items()}
        for rank, trial in enumerate(best, start=1)
    ]
    columns = None if lines else ["rank", "trial", "epochs", "took_seconds"]
    return redaction.comma_separated(lines, columns=columns)


def _seconds(trial: Trial) -> float | None:
    if (noted := trial.facts.get("seconds")) is not None:
        return float(noted)
    return (trial.ended - trial.started).total_seconds() if trial.started and trial.ended else None


def _cells(rank: int, trial: Trial, objectives: Sequence[str], keys: Sequence[str]) -> list[str]:
    reached = [
        figure(value, fine=True) if name == "val_psnr" else f"{value:.3g}"
        for name, value in zip(objectives, trial.objectives or (), strict=True)
    ]
    seconds = _seconds(trial)
    took = NONE if seconds is None else f"{seconds:.0f}"
    values = (_short(trial.values[key]) if key in trial.values else NONE for key in keys)
    return [str(rank), str(trial.number), *reached, str(max(trial.curve, default=NONE)), took, *values]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text(value)
