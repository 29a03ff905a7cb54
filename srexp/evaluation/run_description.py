"""What a run came to, in Markdown: the table, what limits it, and the commands that one may want next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srexp.evaluation.grid import escaped
from srexp.metrics.table import QUICK, counted, interval, with_unit

_BASELINE = "bicubic"
#: Letters of a line of a command for which MLflow's page has room on a small screen.
_COLUMNS = 76
_NOTHING = "The audit found nothing. One training says nothing of the spread between seeds."


def beginning(task: str, model: str, typed: Sequence[str]) -> str:
    """Describe a run that has scored nothing yet.

    Args:
        task: Its task.
        model: Its network.
        typed: Overrides of its command.

    Example:
        >>> print(beginning("knees-bicubic-x2", "vdsr", ["model=vdsr"]))
        vdsr on knees-bicubic-x2: no scores yet.
        <BLANKLINE>
        **Typed**
        <BLANKLINE>
            python -m srexp model=vdsr
    """
    return _parts(f"{escaped(model)} on {escaped(task)}: no scores yet.", typed=_command(typed))


def scored(result: Mapping[str, Any], model: str, *, verb: str = "", typed: Sequence[str], picture: str) -> str:
    """Describe a run that scored a network.

    Args:
        result: Its `result.json`.
        model: What the network is called.
        verb: Of its command; empty for a training.
        typed: Overrides of its command.
        picture: Its validation PSNR as a picture in Markdown; empty where it has none.
    """
    bicubic, gain = result["baseline"][_BASELINE], result["gain_db"]
    names = {} if model == _BASELINE else {model: result["test"]}
    rows = [["", "PSNR", "SSIM", "gain"], ["---", *["---:"] * 3]]
    for name, means in {**names, _BASELINE: bicubic}.items():
        better = [name == _best(metric, names | {_BASELINE: bicubic}) for metric in QUICK]
        cells = [with_unit(means[metric], metric, fine=True) for metric in QUICK]
        told = with_unit(gain, sign=True, fine=True) if name == model != _BASELINE else ""
        if told and result["gain_ci95"]:
            told += f" {interval(result['gain_ci95'], sign=True, fine=True)}"
        bold = (f"**{cell}**" if first else cell for cell, first in zip(cells, better, strict=True))
        rows.append([escaped(name), *bold, told])
    if picture:
        for row, cell in zip(rows, ("validation PSNR by epoch", "---", picture, ""), strict=False):
            row.append(cell)
    images = counted(result["test"]["n_images"], "test image")
    epoch = f", best epoch {result['best_epoch']}" if result.get("best_epoch") else ""
    return _parts(
        "\n".join(f"| {' | '.join(row)} |" for row in rows),
        f"{escaped(result['experiment_name'])}, {images}{epoch}; validation "
        f"{with_unit(result['validation']['psnr'], fine=True)}."
        if result.get("validation")
        else f"{escaped(result['experiment_name'])}, {images}.",
        limits=result["warnings"],
        following=_next(result),
        typed=_command([*([verb] if verb else []), *typed]),
    )


def listed(rows: Sequence[Sequence[str]], *, picture: str, notes: Sequence[str], following: Sequence[str]) -> str:
    """Describe a run that others belong to.

    Args:
        rows: A table in Markdown, whose first row is its heading.
        picture: What they came to as a picture in Markdown; empty where there is none.
        notes: What limits the worth of the rows.
        following: Lines of commands that one may want next.
    """
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    table = "\n".join(f"| {' | '.join(row)} |" for row in lines)
    return _parts(picture, table, limits=notes, following=following)


def _best(metric: str, means: Mapping[str, Mapping[str, Any]]) -> str:
    """Name who has the better mean; nobody where images without error make them means over different images."""
    if metric == "psnr" and any(each.get("n_infinite") for each in means.values()):
        return ""
    return max(means, key=lambda name: -1.0 if means[name][metric] is None else means[name][metric])


def _next(result: Mapping[str, Any]) -> list[str]:
    """Give the commands that go on from a run, whose id MLflow's side puts in."""
    version = result.get("registered")
    model = f"models:/{version['name']}/{version['version']}" if version else str(result.get("model_uri") or "")
    commands = ["compare 'runs=[RUN_ID,OTHER]'"]
    if model.startswith("models:/"):
        commands += [
            f"enhance model_uri={model} input=PATH output=DIR",
            f"evaluate model_uri={model} dataset.root=PATH",
        ]
    if version:
        commands.append(f"promote name={version['name']} version={version['version']}")
    return [f"python -m srexp {command}" for command in commands]


def _command(typed: Sequence[str]) -> list[str]:
    """Write what was typed in lines for which MLflow's page has room: a longer one pushes its facts off the screen."""
    lines = ["python -m srexp"]
    for word in map(shlex.quote, typed):
        if len(lines[-1]) + len(word) > _COLUMNS:
            lines[-1] += " \\"
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return lines


def _parts(
    *texts: str, limits: Iterable[str] | None = None, following: Sequence[str] = (), typed: Sequence[str] = ()
) -> str:
    parts = [text for text in texts if text]
    if limits is not None:
        parts += ["**What limits it**", "\n".join(f"- {escaped(each)}" for each in limits) or f"- {_NOTHING}"]
    for title, commands in {"Next": following, "Typed": typed}.items():
        if commands:
            # A line that is indented is code, in which nothing is read as Markdown.
            parts += [f"**{title}**", "\n".join(f"    {' '.join(command.split())}" for command in commands)]
    return "\n\n".join(parts)
