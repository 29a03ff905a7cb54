"""What the parent run of a multirun shows: how its runs went and what they scored, as curves, a picture and a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from srexp.config.override_grammar import key_of
from srexp.evaluation.grid import escaped
from srexp.evaluation.run_description import listed
from srexp.experiment.multirun.job import Job
from srexp.experiment.multirun.summary import FIGURES, Row, Summary
from srexp.metrics.table import plus_minus
from srexp.tracking.metric_names import stored
from srexp.tracking.pages import picture
from srexp.tracking.runs import groups, queries
from srexp.tracking.store.store import Store, opened

PICTURE = "validation.png"
#: Curves that one picture can tell apart.
_MOST_CURVES = 10
#: Names in this code of the figures of a row, as a training has them.
_OWN = {"val_psnr": "best_val_psnr", "test_psnr": "test_psnr", "test_ssim": "test_ssim", "gain_db": "gain_db"}


def show(store: Store, run_id: str, jobs: Sequence[Job], table: Summary, files: Sequence[Path]) -> None:
    """Let the parent run tell of the runs below it.

    Args:
        store: Where they are.
        run_id: Of the parent.
        jobs: Of the multirun.
        table: What they come to.
        files: Tables that were written; the picture goes beside them.
    """
    from srexp.evaluation.figures.plots import validation_strip

    curves, runs, points = {}, list(_runs(jobs, table.keys)), []
    for label, child in runs:
        course = queries.history(store, child, "val_psnr")
        curves[label] = [psnr for _, _, psnr in course]
        points += [(f"curves/{label}", psnr, step) for step, _, psnr in course]
    own = _own(table.foremost)
    points += [*_scores(jobs), *((metric, value, 0) for metric, value in own.items())]
    drawn = {label: curves[label] for label in list(curves)[:_MOST_CURVES] if curves[label]}
    pictures = [files[0].with_name(PICTURE)] if drawn else []
    for file in pictures:
        validation_strip(drawn).savefig(file)
    text = listed(
        _rows(table),
        picture=picture(PICTURE, "validation PSNR by epoch") if drawn else "",
        notes=[*table.notes, *_told_of_own(table, own)],
        following=_comparison([child for _, child in runs]) if runs[1:] else [],
    )
    name = f"multirun of {', '.join(table.keys)}" if table.keys else None
    tags = _tags(store, [child for _, child in runs])
    groups.log_page(store, run_id, name=name, text=text, tags=tags, points=points, files=[*files, *pictures])


def _comparison(run_ids: Sequence[str]) -> list[str]:
    """Write the command in lines: MLflow's page widens with the longest, until its facts are off the screen."""
    joined = ",\\\n".join(run_ids)
    return f'python -m srexp compare "runs=[{joined}]"'.splitlines()


def _own(row: Row | None) -> dict[str, float]:
    """Give the figures that a list shows for the parent, under the names that they have for its runs."""
    means = {name: figure.mean for name, figure in (row.figures if row else {}).items()}
    return stored({_OWN[name]: mean for name, mean in means.items() if mean is not None})


def _told_of_own(table: Summary, own: Mapping[str, float]) -> Iterator[str]:
    if own and table.best:
        yield f"this run's own figures are those of its best row, chosen among {len(table.rows)} by validation PSNR"
    elif own:
        yield "this run's own figures are the means of its row"


def _tags(store: Store, runs: Sequence[str]) -> dict[str, str]:
    """Give networks and scales of the runs, by which a list shows and filters the parent, too."""
    with opened(store, "the runs of the multirun can't be read") as client:
        tags = [client.get_run(each).data.tags for each in runs]
    several = {key: dict.fromkeys(each[key] for each in tags if key in each) for key in ("model", "scale")}
    return {"verb": "multirun"} | {key: ", ".join(values) for key, values in several.items() if values}


def _scores(jobs: Sequence[Job]) -> Iterator[tuple[str, float, int]]:
    """Give what each job scored, by the place of the job; in a group of its own, for it isn't the parent's score."""
    for place, job in enumerate(jobs):
        for name, path in FIGURES.items():
            value: Any = job.result
            for key in path:
                value = (value or {}).get(key)
            if isinstance(value, float):
                yield f"runs/{name}", value, place


def _runs(jobs: Sequence[Job], keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give label and run of each job that has one; a label says what was swept, in letters that MLflow takes."""
    for job in jobs:
        swept = [f"{key_of(key).rpartition('.')[2]} {job.overrides[key]}" for key in _told(job, keys)]
        if job.result.get("run_id"):
            yield re.sub(r"[^\w.\- :]+", " ", " ".join(swept))[:80].strip() or "run", job.result["run_id"]


def _told(job: Job, keys: Sequence[str]) -> list[str]:
    return [key for key in job.overrides if key in keys or key_of(key) == "seed"]


def _rows(table: Summary) -> list[list[str]]:
    head = [*table.keys, "seeds", "val PSNR", "test PSNR", "test SSIM", "gain dB", "state"]
    rows = [[escaped(each) for each in head]]
    for row in table.rows:
        figures = [
            plus_minus(found.mean, found.std, "ssim" if name == "test_ssim" else "psnr", sign=name == "gain_db")
            for name, found in row.figures.items()
        ]
        cells = [*row.swept.values(), str(row.seeds), *figures, row.state]
        mark = "**" if row is table.best else ""
        rows.append([f"{mark}{escaped(cell)}{mark}" if cell else "" for cell in cells])
    return rows
