"""A comparison from the runs in the store to a report, files beside it, and a run of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from srexp.config.builders import build
from srexp.config.sections.verbs import CompareConfig
from srexp.evaluation import grid
from srexp.evaluation.comparison import conclusions, tables
from srexp.evaluation.comparison.elsewhere import comma_separated, table
from srexp.evaluation.comparison.report import Report, render
from srexp.evaluation.comparison.standings import BASELINE, Standings, standings
from srexp.evaluation.figures.error_maps import error_scale
from srexp.experiment.comparison import elsewhere, pictures, runs, unrecorded
from srexp.experiment.comparison import report as reporting
from srexp.experiment.comparison.entry import Entry
from srexp.system.kernels import choice
from srexp.tracking.runs.tracking import Tracking
from srexp.types import Figure


def compared(config: CompareConfig) -> tuple[Standings, dict[str, Any]]:
    """Compare runs by what they left in the store; only models without a run are scored, and nothing is trained.

    Args:
        config: Checked configuration.

    Returns:
        The standings, and `result.json` with rows, pairs and notes; tables, figures and `report.html` lie in the output
        folder.

    Raises:
        RequestError: A run doesn't exist, or the runs can't be compared.
    """
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    given = runs.unrecorded(tracking.store, config)
    chosen, notes = runs.find(tracking.store, config)
    choice.settle(chosen[0].run.tags.get("model"), "restoring")  # before the first model that is scored or timed
    beside, told = unrecorded.scored(tracking.store, config, given, chosen[0])
    chosen, notes = [*chosen, *beside], [*notes, *told]
    runs.require_comparable(chosen)
    runs.require_few(chosen)
    models, unloadable = pictures.load_models(tracking.store, chosen)
    contenders = [*(entry.contender() for entry in chosen), chosen[0].baseline()]
    contenders = pictures.with_costs(contenders, models)
    if config.time_again:
        contenders = pictures.timed_again(contenders, models, int(chosen[0].result["protocol"]["scale"]), config)
    found = standings(chosen[0].keys, contenders, seed=config.seed)
    top = config.max_grey_levels or error_scale(found.row(BASELINE).contender.values["psnr"])
    shown = pictures.exhibit(config, chosen, models, found, top)
    notes = [*notes, *unloadable, *_times_apart(chosen, config)]
    figures = reporting.draw(chosen, found)
    others = elsewhere.evaluated(tracking.store, chosen)
    report = reporting.compose(chosen, found, shown, notes, figures, others=others)
    result = {
        "experiment_name": chosen[0].run.experiment,
        "runs": {entry.name: entry.run.run_id for entry in chosen},
        **found.as_dict(),
        "n_images": len(found.keys),
        "summary": conclusions.summary(found),
        "protocol": chosen[0].result["protocol"],
        "data_fingerprint": chosen[0].result["data_fingerprint"],
        "elsewhere": [each.as_dict() for each in others],
        "warnings": [*report.alarms, *notes, *shown.notes],
    }
    files = _write(config.run_dir, report, figures, found, result)
    result |= {"files": [path.name for path in files], "report": str(config.run_dir / "report.html")}
    result["run_id"] = None if config.names else _track(tracking, chosen, files, result)
    return found, result


def _times_apart(chosen: Sequence[Entry], config: CompareConfig) -> list[str]:
    """Say that times don't compare when they were measured on different machines."""
    machines = {
        (
            # Runs of earlier versions have their host as a tag.
            entry.environment.get("process", {}).get("host", entry.run.tags.get("srexp.host")),
            entry.environment.get("platform"),
            entry.environment.get("processors"),
        )
        for entry in chosen
        if entry.environment
    }
    if config.time_again:
        return [
            f"Inference times were measured anew, all on one machine and with {choice.in_force()} kernels; "
            "training times are those of the runs."
        ]
    if len(machines) > 1:
        return [
            "The runs were timed on different machines: their times don't compare (time_again=true times them here)."
        ]
    return ["Times were measured by each run when it ended, whatever else the machine did then."]


def _write(
    folder: Path, report: Report, figures: Mapping[str, Figure], found: Standings, result: Mapping[str, Any]
) -> list[Path]:
    grids = [
        each for arrange in (tables.scores, tables.further, tables.pairs, tables.costs) if (each := arrange(found))
    ]
    grids += [table(report.elsewhere, report.models)] if report.elsewhere else []
    texts = {
        "report.html": render(report),
        "comparison.json": json.dumps(result, indent=2, allow_nan=False) + "\n",
        **({"elsewhere.csv": comma_separated(report.elsewhere)} if report.elsewhere else {}),
        "table.csv": tables.comma_separated(found),
        "table.md": "\n".join(map(grid.markdown, grids)),
        "table.tex": "\n".join(map(grid.latex, grids)),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    drawn = {f"{name}.png": figure for name, figure in figures.items()}
    for name, figure in drawn.items():
        figure.savefig(folder / name, dpi=200)
    return [folder / name for name in (*texts, *drawn)]


def _track(tracking: Tracking, chosen: Sequence[Entry], files: Sequence[Path], result: Mapping[str, Any]) -> str:
    """Keep the comparison as a run of the task."""
    known = {
        "verb": "compare",
        "task": result["experiment_name"],
        "compared": " ".join(entry.run.run_id for entry in chosen),
        "best": result["best"],
        "data.fingerprint": result["data_fingerprint"],
        "protocol": result["protocol"],
    }
    name = f"compare {len(chosen)} runs"
    with tracking.run(str(result["experiment_name"]), name=name, tags=known, folder=files[0].parent) as tracked:
        for path in files:
            tracked.log_file(path)
        return tracked.id
