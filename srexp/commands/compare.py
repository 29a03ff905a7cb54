"""`compare`: several trainings on the same test images side by side, as a table, figures and a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srexp.config.sections.verbs import CompareConfig
from srexp.evaluation.comparison import tables
from srexp.evaluation.comparison.standings import Standings
from srexp.evaluation.grid import terminal
from srexp.experiment.comparison.comparison import compared
from srexp.metrics.table import counted
from srexp.system.masking.pseudonyms import where
from srexp.system.terminal import Terminal


def run(config: CompareConfig) -> dict[str, Any]:
    """Compare runs by what they left in the store; only models without a run are scored, and nothing is trained.

    Args:
        config: Checked configuration.

    Returns:
        Rows, pairs and notes; the tables, the figures and `report.html` lie beside `result.json`.

    Raises:
        RequestError: A run doesn't exist, or the runs can't be compared.
    """
    found, result = compared(config)
    _show(found, result)
    return result


def _show(found: Standings, result: Mapping[str, Any]) -> None:
    console = Terminal(soft_wrap=False)
    title = f"{result['experiment_name']}, {counted(result['n_images'], 'test image')}"
    console.table(terminal(tables.scores(found), title))
    console.table(terminal(tables.costs(found), "What they cost"))
    if result["elsewhere"]:
        console.print(
            f"elsewhere   {counted(len(result['elsewhere']), 'other test set')}, see the report and elsewhere.csv"
        )
    for text in result["summary"]:
        console.print(text)
    for warning in result["warnings"]:
        console.print("warning     ", style="yellow", end="")
        console.print(warning, soft_wrap=True)
    if place := where(result["warnings"]):
        console.print(f"names       {place}; names=true shows them", soft_wrap=True)
    report = Path(result["report"])
    console.about("report", str(report), link=report)
    console.files("files", report.parent, result["files"])
    kept = result["run_id"] or "none, since the report has the names of images (names=true)"
    console.print(f"run         {kept}", soft_wrap=True)
