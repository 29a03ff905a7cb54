"""What a person reads at the end of a verb."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from srexp.commands.summary import Row, Summary

#: Width of a table that goes to a file, where no terminal says how wide it is.
_FILE_COLUMNS = 140


def training(result: Mapping[str, Any], summary: Mapping[str, Mapping[str, Any]], model_name: str) -> None:
    """Print the scores of a training beside bicubic, its run and where to look next.

    Args:
        result: What `train` returns.
        summary: Score summaries of `model` and `bicubic` on the test images.
        model_name: Name of the model.
    """
    console = Console(soft_wrap=True, highlight=False)
    test = result["test"]
    table = Table(title=f"{result['experiment_name']}, {test['n_images']} test image{'s' * (test['n_images'] != 1)}")
    for heading in ("", "PSNR dB", "SSIM"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, scores in ((model_name, summary["model"]), ("bicubic", summary["bicubic"])):
        table.add_row(name, _spread(scores, "psnr", 3), _spread(scores, "ssim", 5))
    table.add_row("gain", _gain(result), _number(_difference(summary, "ssim"), 5, sign=True))
    console.print(table)
    _protocol(console, result)
    console.print(f"best epoch  {result['best_epoch']} (validation {_number(result['validation']['psnr'], 3)} dB)")
    console.print(f"run         {result['run_id']}")
    if registered := result["registered"]:
        console.print(f"registered  {registered['name']} version {registered['version']} as {registered['alias']}")
    console.print("look at it  python -m srexp ui")


#: What a table calls each metric, and the digits of its values.
METRICS = {
    "psnr": ("PSNR dB", 3),
    "ssim": ("SSIM", 5),
    "ms_ssim": ("MS-SSIM", 5),
    "mae": ("mean error", 3),
    "edge_mae": ("error at edges", 3),
    "psnr_coarse": ("PSNR, coarse", 3),
    "psnr_medium": ("PSNR, medium", 3),
    "psnr_fine": ("PSNR, fine", 3),
}


def evaluation(result: Mapping[str, Any]) -> None:
    """Print all metrics of a model beside bicubic, and what limits their worth.

    Args:
        result: What `evaluate` returns.
    """
    console = Console(soft_wrap=True, highlight=False)
    images, name = result["test"]["n_images"], result["model"]["name"]
    table = Table(title=f"{result['experiment_name']}, {images} image{'s' * (images != 1)} ({result['split']})")
    for heading in ("", name, "bicubic", "better by"):
        table.add_column(heading, justify="right" if heading else "left")
    for metric, of_metric in result["metrics"].items():
        called, digits = METRICS[metric]
        model, bicubic, gain = of_metric["model"], of_metric["bicubic"], of_metric["gain"]
        better = _interval(gain["gain"], gain["ci95"], digits)
        fewer = f" ({model['n']} images)" if model["n"] != images else ""
        table.add_row(called + fewer, _number(model["mean"], digits), _number(bicubic["mean"], digits), better)
    if leaked := result["trained_on"] and sum(result["trained_on"].values()):
        table.add_row("seen in training", f"{leaked} of {images}", "", "", style="bold red")
    console.print(table)
    _protocol(console, result)
    console.print(f"model       {escape(result['model_uri'])} ({result['model']['parameters']} parameters)")
    console.print(f"run         {result['run_id']} (rows in scores/, panels)")
    console.print("look at it  python -m srexp ui")


def multirun(summary: Summary, folder: Path) -> None:
    """Print the rows of a multirun, what limits their worth, and where they are kept.

    Args:
        summary: From `summary.summarise`.
        folder: Of the multirun.
    """
    console = Console(soft_wrap=True, highlight=False)
    if not console.is_terminal:
        console.width = _FILE_COLUMNS
    count = len(summary.rows)
    table = Table(title=f"multirun, {count} combination{'s' * (count != 1)}: mean ± standard deviation over seeds")
    for key in summary.keys:
        table.add_column(key, no_wrap=True)
    for heading in ("seeds", "val PSNR", "test PSNR", "test SSIM", "gain dB"):
        table.add_column(heading, justify="right")
    for heading in ("data", "state"):
        table.add_column(heading)
    for row in summary.rows:
        figures = [_mean(row, name, 5 if name == "test_ssim" else 3) for name in row.figures]
        splits = f"{len(row.data)} splits *" if len(row.data) > 1 else "".join(row.data)[:8]
        table.add_row(*row.swept.values(), str(row.seeds), *figures, splits, ": ".join([row.state, *row.reasons[:1]]))
    console.print(table)
    for note in summary.notes:
        console.print(f"[yellow]note[/yellow]        {note}")
    console.print(f"kept in     {folder / 'summary.csv'}")


def _mean(row: Row, name: str, digits: int) -> str:
    figure = row.figures[name]
    text = _number(figure.mean, digits, sign=name == "gain_db")
    if figure.std is not None:
        text += f" ± {figure.std:.{digits}f}"
    return f"{text} ({figure.n})" if figure.n < row.seeds else text


def search(result: Mapping[str, Any]) -> None:
    """Print what a search found and where to look next.

    Args:
        result: What `search` returns.
    """
    console = Console(soft_wrap=True, highlight=False)
    counted = ", ".join(f"{count} {state}" for state, count in result["trials"].items() if count)
    console.print(f"search      {result['study']}: {counted}")
    best = result["best"]
    console.print(f"best        trial {best['number']}: {shlex.join(best['overrides'])}")
    console.print(f"again       python -m srexp {result['preset']}")
    console.print(f"run         {result['run_id']} (figures below search/, best.yaml)")


def _protocol(console: Console, result: Mapping[str, Any]) -> None:
    protocol = result["protocol"]
    console.print(
        f"protocol    {protocol['channel']}, border {protocol['shave']}, "
        f"{'rounded to the stored bits' if protocol['quantize'] else 'not rounded'}, range {protocol['data_range']}"
    )
    for warning in result["warnings"]:
        console.print(f"[yellow]warning[/yellow]     {escape(warning)}")


def _gain(result: Mapping[str, Any]) -> str:
    return _interval(result["gain_db"], result["gain_ci95"], 3)


def _interval(gain: float | None, ci95: Sequence[float] | None, digits: int) -> str:
    text = _number(gain, digits, sign=True)
    return f"{text} [{ci95[0]:+.{digits}f}, {ci95[1]:+.{digits}f}]" if ci95 else text


def _difference(summary: Mapping[str, Mapping[str, Any]], metric: str) -> float | None:
    model, bicubic = summary["model"][metric], summary["bicubic"][metric]
    return None if model is None or bicubic is None else model - bicubic


def _spread(scores: Mapping[str, Any], metric: str, digits: int) -> str:
    text = _number(scores[metric], digits)
    std = scores[f"{metric}_std"]
    return text if std is None else f"{text} ± {std:.{digits}f}"


def _number(value: float | None, digits: int, *, sign: bool = False) -> str:
    return "-" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"
