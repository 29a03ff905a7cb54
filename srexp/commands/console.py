"""What a person reads at the end of a verb."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.styled import Styled
from rich.table import Column, Table
from rich.text import Text

from srexp.metrics.table import NONE, QUICK, counted, figure, heading, interval, plus_minus, with_unit
from srexp.system.masking.pseudonyms import where
from srexp.system.stdio import say
from srexp.system.terminal import Terminal

if TYPE_CHECKING:
    from srexp.config.schema import Config
    from srexp.experiment.fitting import Beginning
    from srexp.experiment.multirun.summary import Row, Summary
    from srexp.experiment.pipeline import Outcome
    from srexp.experiment.task import Task

#: Width of what a line is about.
_LABEL_COLUMNS = 12
#: Stands beside every model but itself.
_BASELINE = "bicubic"


def beginning(task: Task, known: Beginning) -> None:
    """Print what will be trained, on what and how long, before the first step.

    Args:
        task: Data and configuration.
        known: What was found out since.
    """
    config, trainer = task.config, task.config.trainer
    console = Terminal(stderr=True)
    degraded, channel = config.degradation.name, task.channel
    _line(console, "task", f"{task.name}: x{config.scale}, {degraded}, scored in {channel}")
    entries = task.prepared.entries
    patients = len({entry.patient for split in entries.values() for entry in split})
    splits = ", ".join(f"{len(of_split)} {split}" for split, of_split in entries.items())
    of = f"{counted(patients, 'patient')}: " if config.dataset.options.get("patients") else ""
    _line(console, "data", f"{config.dataset.name}, {of}{splits} images")
    _line(console, "network", f"{config.model.name}, {known.weights:,} weights, {known.precision} on {known.devices}")
    ends = [f"{counted(trainer.epochs, 'epoch')} of {counted(trainer.steps_per_epoch, 'step')}"]
    ends += [f"{trainer.max_minutes:g} minutes"] if trainer.max_minutes else []
    ends += [f"{counted(trainer.patience, 'epoch')} without a gain"] if trainer.patience else []
    done = f", {known.steps_done} steps done before" if known.steps_done else ""
    _line(console, "ends after", f"{' or '.join(ends)}{done}; then scored on the test images and registered")
    bicubic = with_unit(known.bicubic_psnr, fine=True)
    _line(console, "each epoch", f"loss in {known.loss_unit}; gain over bicubic's {bicubic}; patches/s")


def training(outcome: Outcome) -> None:
    """Print the scores of a training beside bicubic, its run and where to look next.

    Args:
        outcome: Of the run; one of an earlier process has been told already.
    """
    result, summary = outcome.result, outcome.summary
    if not summary:
        return
    console = Terminal()
    images = counted(result["test"]["n_images"], "test image")
    table = _figures(f"{result['experiment_name']}, {images}", *map(heading, QUICK))
    for name, scores in {outcome.model_name: summary["model"], _BASELINE: summary["bicubic"]}.items():
        table.add_row(name, *(plus_minus(scores[metric], scores[f"{metric}_std"], metric) for metric in QUICK))
    if outcome.model_name != _BASELINE:
        better = figure(_difference(summary, "ssim"), "ssim", sign=True, fine=True)
        table.add_row("gain", _interval(result["gain_db"], result["gain_ci95"]), better)
    console.print(table)
    _protocol(console, result)
    validation = with_unit(result["validation"]["psnr"], fine=True)
    _line(console, "best epoch", f"{result['best_epoch']} (validation {validation})")
    _line(console, "run", result["run_id"] or "not in the tracking store yet")
    if registered := result["registered"]:
        _line(console, "registered", f"{registered['name']} version {registered['version']} as {registered['alias']}")
    if waiting := result.get("pending"):
        _line(console, "not sent", f"{waiting['records']} records: {waiting['reason']}")
        _line(console, "", f"they lie in {waiting['folder']}")
        _line(console, "send them", waiting["send"])
    _line(console, "look at it", "python -m srexp ui")


def skipped(config: Config, earlier: Mapping[str, Any]) -> None:
    """Say that a job of a multirun finished before."""
    say(f"skipped {' '.join(config.overrides)}: finished before as run {earlier['run_id']}")


def evaluation(result: Mapping[str, Any]) -> None:
    """Print all metrics of a model, beside bicubic unless it is that, and what limits their worth.

    Args:
        result: What `evaluate` returns.
    """
    console = Terminal()
    images, name = result["test"]["n_images"], result["model"]["name"]
    title = f"{result['experiment_name']}, {counted(images, 'image')} ({result['split']})"
    beside = [] if name == _BASELINE else [_BASELINE, "better by"]
    table = _figures(title, name, *beside)
    for metric, of_metric in result["metrics"].items():
        model, bicubic, gain = of_metric["model"], of_metric["bicubic"], of_metric["gain"]
        fewer = f" ({model['n']} images)" if model["n"] != images else ""
        means = (figure(each["mean"], metric, fine=True) for each in (model, bicubic))
        cells = [*means, _interval(gain["gain"], gain["ci95"], metric)]
        table.add_row(heading(metric) + fewer, *cells[: 1 + len(beside)])
    if leaked := result["trained_on"] and sum(result["trained_on"].values()):
        table.add_row("seen in training", f"{leaked} of {images}", style="bold red")
    console.print(table)
    _protocol(console, result)
    _line(console, "model", f"{result['model_uri']} ({result['model']['parameters']} parameters)")
    _line(console, "run", f"{result['run_id']} (rows in scores/, panels)")
    _line(console, "look at it", "python -m srexp ui")


def multirun(summary: Summary, folder: Path) -> None:
    """Print the rows of a multirun, what limits their worth, and where they are kept.

    Args:
        summary: From `summary.summarise`.
        folder: Of the multirun.
    """
    console = Terminal()
    count = counted(len(summary.rows), "combination")
    swept = [Column(key, no_wrap=True) for key in summary.keys]
    numbers = [Column(each, justify="right") for each in ("seeds", "val PSNR", "test PSNR", "test SSIM", "gain dB")]
    title = f"multirun, {count}: mean ± standard deviation over seeds"
    table = Table(*swept, *numbers, "data", "state", title=title)
    for row in summary.rows:
        figures = [_mean(row, name) for name in row.figures]
        splits = f"{len(row.data)} splits *" if len(row.data) > 1 else "".join(row.data)[:8]
        table.add_row(*row.swept.values(), str(row.seeds), *figures, splits, ": ".join([row.state, *row.reasons[:1]]))
    console.print(table)
    for note in summary.notes:
        _line(console, "note", note, "yellow")
    _line(console, "kept in", str(folder / "summary.csv"))


def _mean(row: Row, name: str) -> str:
    found = row.figures[name]
    text = plus_minus(found.mean, found.std, "ssim" if name == "test_ssim" else "psnr", sign=name == "gain_db")
    return f"{text} ({found.n})" if found.n < row.seeds else text


def search(result: Mapping[str, Any]) -> None:
    """Print what a search found and where to look next.

    Args:
        result: What `search` returns.
    """
    console, best = Terminal(), result["best"]
    counted = ", ".join(f"{count} {state}" for state, count in result["trials"].items() if count)
    _line(console, "search", f"{result['study']}: {counted}")
    _line(console, "best", f"trial {best['number']}: {shlex.join(best['overrides'])}")
    _line(console, "again", f"python -m srexp {result['preset']}")
    _line(console, "run", f"{result['run_id']} (figures below search/, best.yaml)")


def promotion(result: Mapping[str, Any]) -> None:
    """Print who was compared, the gate line by line, and where the aliases point.

    Args:
        result: What `promote` returns, or would return.
    """
    console = Terminal()
    if result.get("table"):
        images = counted(result["n_images"], "test image")
        table = _figures(f"{result['name']}, {images}", *map(heading, QUICK), "seconds")
        for row in result["table"]:
            champion = " (champion)" if row["who"] == f"version {result['champion']}" else ""
            seconds = NONE if row["seconds"] is None else f"{row['seconds']:.4f}"
            table.add_row(row["who"] + champion, *(figure(row[key], key, fine=True) for key in QUICK), seconds)
        console.print(table)
        gate = Table("", "measured", "required", "holds", title="gate")
        for line in result["gate"]:
            holds = Styled("yes", "") if line["holds"] else Styled("no", "bold red")
            gate.add_row(line["name"], line["measured"], line["required"], holds)
        console.print(gate)
    _warnings(console, result)
    if digest := result.get("digest"):
        _line(console, "digest", f"{digest} (version {result['version']})")
    _line(console, "champion", _outcome(result))


def _outcome(result: Mapping[str, Any]) -> str:
    version, before = f"version {result['version']} of {result['name']}", result["previous"]
    if result.get("rolled_back"):
        return f"{version} again; version {before} is previous"
    if result.get("already"):
        return f"{version}, as before: nothing was moved"
    if not result["promoted"]:
        return f"{result['champion'] or 'none'}, as before: nothing was moved"
    forced = f" (forced: {result['reason']})" if result["forced"] else ""
    return f"{version}{forced}" + (f"; version {before} is previous" if before else "")


def models(result: Mapping[str, Any]) -> None:
    """Print the registered models.

    Args:
        result: What the verb `models` returns.
    """
    console = Terminal()
    table = _stacked("name, version, age", "aliases", "PSNR, gain", "scored on", "audit")
    for row in result["models"]:
        table.add_row(
            Group(row["name"], f"{row['version']}, {row['model'] or 'unknown'}, {_ago(row['age_seconds'])}"),
            Group(*row["aliases"], *(["(forced)"] if row["forced"] else [])),
            Group(figure(row["psnr"], fine=True), figure(row["gain_db"], sign=True, fine=True)),
            Group(counted(row["n_images"] or "?", "image"), _under(row["protocol"])),
            "degenerate" if row["degenerate"] else Group(*(row["audit"] or "-").split()),
        )
    console.print(table if result["models"] else "no model was registered yet: train one with `python -m srexp`")
    _warnings(console, result)


def _under(protocol: Mapping[str, Any] | None) -> str:
    """Say under which protocol in a few letters; result.json has it whole."""
    if not protocol:
        return "-"
    rounding = "" if protocol.get("quantize", True) else ", not rounded"
    return f"{protocol.get('channel', '?')}, border {protocol.get('shave', '?')}{rounding}"


def runs(result: Mapping[str, Any]) -> None:
    """Print runs, and what was ended.

    Args:
        result: What the verb `runs` returns.
    """
    console = Terminal()
    table = _stacked("run, name, start", "task, model", "state, took", "PSNR, gain")
    for row in result["runs"]:
        started = time.strftime("%m-%d %H:%M", time.localtime(row["started"] / 1000))
        note = [Styled(row["note"], "yellow")] if row["note"] else []
        figures = {"test": row["test_psnr"], "val": row["val_psnr"], "gain": row["gain_db"]}
        table.add_row(
            Group(row["run_id"], f"{row['name'] or '-'}, {started}"),
            Group(row["experiment_name"], row["model"] or "-"),
            Group(row["state"], _ago(row["seconds"]), *note),
            Group(*(f"{name:<4} {figure(of, sign=name == 'gain')}" for name, of in figures.items() if of is not None)),
        )
    console.print(table if result["runs"] else "no run was kept yet: begin one with `python -m srexp`")
    for each in result["synced"]:
        left = f", {each['left']} wait still: {each['reason']}" if each["left"] else ""
        _line(console, "sent", f"{each['records']} records of {each['run_id']}{left}")
        for text in each["refused"]:
            _line(console, "refused", text)
    if result.get("relocated"):
        _line(console, "relocated", f"{result['relocated']} addresses of artifacts; before: {result['backup']}")
    for run_id in result["reaped"]:
        _line(console, "ended", run_id)
    for each in result["elsewhere"]:
        host = each["host"]
        hint = f" (reap_hosts=[{host}] ends it)" if host else ""
        _line(console, "left open", f"{each['run_id']}, of {host or 'an unknown machine'}{hint}")


def _figures(title: str, *headings: str) -> Table:
    """Begin a table of figures, whose first column says whose they are."""
    return Table("", *(Column(each, justify="right") for each in headings), title=title)


def _stacked(*headings: str) -> Table:
    """Begin a table whose cells have several lines, so that it fits where a terminal has 80 columns."""
    columns = (Column(title, overflow="fold", no_wrap=title.startswith("run")) for title in headings)
    return Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))


def _line(console: Terminal, about: str, text: str, style: str = "") -> None:
    """Print a line that begins with what it is about."""
    console.print(Text.assemble((about, style), " " * (_LABEL_COLUMNS - len(about)), text))


def _warnings(console: Terminal, result: Mapping[str, Any]) -> None:
    for warning in result["warnings"]:
        _line(console, "warning", warning, "yellow")
    if place := where(result["warnings"]):
        _line(console, "names", place)


def _ago(seconds: float) -> str:
    """Write a time in its largest unit.

    Example:
        >>> _ago(42.4), _ago(754), _ago(7290), _ago(200_000)
        ('42 s', '13 min', '2.0 h', '2.3 d')
    """
    for unit, length, digits in (("d", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= length:
            return f"{seconds / length:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def _protocol(console: Terminal, result: Mapping[str, Any]) -> None:
    protocol = result["protocol"]
    rounded = "rounded to the stored bits" if protocol["quantize"] else "not rounded"
    told = f"{protocol['channel']}, border {protocol['shave']}, {rounded}, range {protocol['data_range']}"
    _line(console, "protocol", told)
    _warnings(console, result)


def _interval(gain: float | None, ci95: Sequence[float] | None, metric: str = "psnr") -> str:
    text = figure(gain, metric, sign=True, fine=True)
    return f"{text} {interval(ci95, metric, sign=True, fine=True)}" if ci95 else text


def _difference(summary: Mapping[str, Mapping[str, Any]], metric: str) -> float | None:
    model, bicubic = summary["model"][metric], summary["bicubic"][metric]
    return None if model is None or bicubic is None else model - bicubic
