"""What the jobs of a multirun come to: one row for each combination, over its seeds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from srexp.config.override_grammar import key_of
from srexp.evaluation.statistics import mean_and_std
from srexp.experiment.multirun.job import Job
from srexp.metrics.protocol import completed
from srexp.system.masking.redaction import comma_separated

#: Column to where `result.json` has it.
FIGURES = {
    "val_psnr": ("validation", "psnr"),
    "test_psnr": ("test", "psnr"),
    "test_ssim": ("test", "ssim"),
    "gain_db": ("gain_db",),
}
ONE_SEED = "a row with 1 seed has no ±: one run says nothing of the spread"
SEEDS_DIFFER = (
    "* the seeds of this row were scored on different splits of the data, because seed draws the split: "
    "mean and ± are over different test images"
)
ROWS_DIFFER = "rows were scored on different splits of the data (column data): their figures are not comparable"
PROTOCOLS_DIFFER = "rows were scored under different protocols or degradations: their figures are not comparable"
COMPOSED_DIFFER = (
    "rows with the same keys were composed to different configurations, which an environment variable or another "
    "launcher's machine can do: they are not averaged; `configuration` in summary.csv tells them apart"
)
_SEVERAL = 2
LEFT_OUT = "(n) means and ± are over n seeds only: on the others the figure is infinite"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a row.

    Args:
        mean: Over the seeds; None when it is finite for none.
        std: Sample standard deviation over the seeds; None for fewer than two.
        n: Seeds with a finite figure.
    """

    mean: float | None
    std: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Row:
    """One combination.

    Args:
        swept: Keys that differ between combinations, to their values.
        configuration: Digest of what they were composed to, seed taken out.
        seeds: Number of its jobs that finished, now or before.
        figures: By column.
        data: Fingerprints of data and split; more than one where the seeds were scored on different images.
        state: How its jobs ended.
        reasons: Why some failed, each reason once.
        runs: Seed (None when it was not given), state and MLflow run of each job.
    """

    swept: dict[str, str]
    configuration: str
    seeds: int
    figures: dict[str, Figure]
    data: list[str]
    state: str
    reasons: list[str]
    runs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Summary:
    """All combinations.

    Args:
        keys: Keys that were swept, without seed.
        rows: In the order of the jobs.
        notes: What limits the worth of the rows.
    """

    keys: list[str]
    rows: list[Row]
    notes: list[str]

    @property
    def best(self) -> Row | None:
        """The row with the best validation PSNR; None where there is one alone, or where they can't be compared."""
        if len(self.rows) < _SEVERAL or not {ROWS_DIFFER, PROTOCOLS_DIFFER}.isdisjoint(self.notes):
            return None
        return max((row for row in self.rows if row.seeds), key=_rank, default=None)

    @property
    def foremost(self) -> Row | None:
        """The row that stands for the multirun: its best one, or the only one; None where rows can't be compared."""
        return self.best or (self.rows[0] if len(self.rows) == 1 and self.rows[0].seeds else None)


def _rank(row: Row) -> tuple[float, float]:
    """Put seeds whose validation images are all restored exactly first, as their PSNR is above any other."""
    found = row.figures["val_psnr"]
    return 1 - found.n / row.seeds, found.mean or 0.0


def summarise(jobs: Sequence[Job]) -> Summary:
    """Put the jobs of a multirun together.

    Args:
        jobs: From `job.jobs`.

    Returns:
        One row for each configuration and combination of what differs between the jobs, seed taken out.
    """
    keys = list(_swept(jobs))
    groups: dict[tuple[str, ...], dict[str, list[Job]]] = {}
    for each in jobs:
        same = groups.setdefault(tuple(each.overrides.get(key, "") for key in keys), {})
        same.setdefault(each.configuration, []).append(each)
    rows = []
    for values, same in groups.items():
        # What could not be composed failed beside the first of the others, and is averaged with none.
        refused = same.pop("", []) if len(same) > 1 else []
        for number, (configuration, group) in enumerate(same.items()):
            swept = dict(zip(keys, values, strict=True))
            rows.append(_row(swept, configuration, [*group, *refused] if number == 0 else group))
    return Summary(keys, rows, list(_notes(rows, jobs)))


def _swept(jobs: Sequence[Job]) -> Iterator[str]:
    for key in dict.fromkeys(key for each in jobs for key in each.overrides):
        if key_of(key) != "seed" and len({each.overrides.get(key) for each in jobs}) > 1:
            yield key


def _row(swept: dict[str, str], configuration: str, jobs: Sequence[Job]) -> Row:
    results = [each.result for each in jobs if each.result and not each.failure]
    return Row(
        swept=swept,
        configuration=configuration,
        seeds=len(results),
        figures={name: _figure(results, path) for name, path in FIGURES.items()},
        data=list(dict.fromkeys(result["data_fingerprint"] for result in results)),
        state=_state(jobs),
        reasons=list(dict.fromkeys(each.failure["message"].splitlines()[0] for each in jobs if each.failure)),
        runs=[
            {"seed": _seed(each), "state": each.state, "run_id": each.result.get("run_id"), "folder": each.folder.name}
            for each in jobs
        ],
    )


def _figure(results: Sequence[Mapping[str, Any]], path: Sequence[str]) -> Figure:
    """Average what is finite; an infinite figure is null in `result.json`."""
    found: list[Any] = [reduce(getitem, path, result) for result in results]
    values = [value for value in found if value is not None]
    return Figure(*mean_and_std(values), len(values))


def _seed(job: Job) -> int | None:
    given = next((value for key, value in job.overrides.items() if key_of(key) == "seed"), None)
    return int(given) if given and given.isdecimal() else None


def _state(jobs: Sequence[Job]) -> str:
    """Say how the jobs of a row ended, with numbers where there are several: `2 finished, 1 failed`."""
    counts = Counter(each.state for each in jobs)
    return ", ".join(state if len(jobs) == 1 else f"{count} {state}" for state, count in counts.items())


def _notes(rows: Sequence[Row], jobs: Sequence[Job]) -> Iterator[str]:
    if any(row.seeds == 1 for row in rows):
        yield ONE_SEED
    if len({tuple(row.swept.values()) for row in rows}) < len(rows):
        yield COMPOSED_DIFFER
    if any(figure.n < row.seeds for row in rows for figure in row.figures.values()):
        yield LEFT_OUT
    if any(len(row.data) > 1 for row in rows):
        yield SEEDS_DIFFER
    if len({frozenset(row.data) for row in rows if row.seeds}) > 1:
        yield ROWS_DIFFER
    if len({json.dumps(completed(each.result["protocol"]), sort_keys=True) for each in jobs if each.result}) > 1:
        yield PROTOCOLS_DIFFER


def write(summary: Summary, folder: Path) -> list[Path]:
    """Write `summary.json` and `summary.csv`.

    Args:
        summary: From `summarise`.
        folder: Of the multirun.

    Returns:
        The two files.
    """
    files = [folder / "summary.json", folder / "summary.csv"]
    files[0].write_text(json.dumps(asdict(summary), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    files[1].write_text(_csv(summary), encoding="utf-8")
    return files


def _csv(summary: Summary) -> str:
    lines = []
    for row in summary.rows:
        figures = {f"{name}_{part}": n for name, each in row.figures.items() for part, n in asdict(each).items()}
        told = {
            "configuration": row.configuration,
            "data": " ".join(row.data),
            "state": row.state,
            "reasons": "; ".join(row.reasons),
        }
        runs = " ".join(run["run_id"] for run in row.runs if run["run_id"])
        lines.append({**row.swept, "seeds": row.seeds, **figures, **told, "runs": runs})
    return comma_separated(lines)
