"""What a person reads at the end of a verb."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.styled import Styled
from rich.table import Column, Table

from srexp.metrics.table import NONE, QUICK, counted, figure, heading, plus_minus, with_interval, with_unit
from srexp.system.masking.pseudonyms import where
from srexp.system.stdio import say
from srexp.system.terminal import Terminal
from srexp.tracking.pages import LOCAL
from srexp.tracking.runs.run import NOTHING_KEPT, Kept

if TYPE_CHECKING:
    from srexp.config.sections.base import Config
    from srexp.experiment.fitting import Beginning
    from srexp.experiment.multirun.shards import Shared
    from srexp.experiment.multirun.summary import Row, Summary
    from srexp.experiment.pipeline import Outcome
    from srexp.experiment.task import Task
    from srexp.search.study import Search

#: Stands beside every model but itself.
_BASELINE = "bicubic"


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many images are done, on a terminal.

    Args:
        what: What is done with them.
    """
    from rich.progress import Progress

    console = Terminal(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def beginning(task: Task, known: Beginning) -> None:
    """Print what will be trained, on what and how long, before the first step.

    Args:
        task: Data and configuration.
        known: What was found out since.
    """
    config, trainer = task.config, task.config.trainer
    console = Terminal(stderr=True)
    _task(console, task)
    console.about("network", f"{config.model.name}, {known.weights:,} weights, {known.precision} on {known.devices}")
    ends = [f"{counted(trainer.epochs, 'epoch')} of {counted(trainer.steps_per_epoch, 'step')}"]
    ends += [f"{trainer.max_minutes:g} minutes"] if trainer.max_minutes else []
    ends += [f"{counted(trainer.patience, 'epoch')} without a gain"] if trainer.patience else []
    done = f", {known.steps_done} steps done before" if known.steps_done else ""
    console.about("ends after", f"{' or '.join(ends)}{done}; then scored on the test images and registered")
    bicubic = with_unit(known.bicubic_psnr, fine=True)
    console.about("each epoch", f"loss: {known.loss_unit}; gain over bicubic's {bicubic}; patches/s")


def _task(console: Terminal, task: Task) -> None:
    config, entries = task.config, task.prepared.entries
    console.about("task", f"{task.name}: x{config.scale}, {config.degradation.name}, scored in {task.channel}")
    patients = len({entry.patient for split in entries.values() for entry in split})
    splits = ", ".join(f"{len(of_split)} {split}" for split, of_split in entries.items())
    of = f"{counted(patients, 'patient')}: " if config.dataset.options.get("patients") else ""
    console.about("data", f"{config.dataset.name}, {of}{splits} images")


def search_beginning(task: Task, engine: Search, done: int) -> None:
    """Print what will be searched, before the first trial.

    Args:
        task: Data and configuration.
        engine: What was asked for.
        done: Trials that are finished or pruned.
    """
    console, trainer = Terminal(stderr=True), task.config.trainer
    before = f", {done} of them done before" if done else ""
    workers = counted(engine.workers, "worker")
    console.about("search", f"{engine.name}: {counted(engine.trials, 'trial')} by {workers}{before}")
    _task(console, task)
    lasts = f"{counted(trainer.epochs, 'epoch')} of {counted(trainer.steps_per_epoch, 'step')}"
    lasts += f" or {trainer.max_minutes:g} minutes" if trainer.max_minutes else ""
    console.about("each trial", f"{lasts}; {', '.join(each.name for each in engine.parsed.parameters)}")
    console.about("seeks", f"{' and '.join(engine.objectives)} on the validation images")
    workers_at = engine.folder / "workers"
    console.about("logs", str(workers_at), link=workers_at)


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
        table.add_row("gain", with_interval(result["gain_db"], result["gain_ci95"]), better)
    console.print(table)
    _protocol(console, result)
    validation = with_unit(result["validation"]["psnr"], fine=True)
    if best := result["best_epoch"]:
        console.about("best epoch", f"{best} (validation {validation})")
    else:
        console.about("validation", f"{validation}; nothing was trained")
    console.about("run", result["run_id"] or "not in the tracking store yet")
    if registered := result["registered"]:
        alias = f" as {registered['alias']}" if registered["alias"] else "; candidate stays with a whole training"
        console.about("registered", f"{registered['name']} version {registered['version']}{alias}")
    if waiting := result.get("pending"):
        console.about("not sent", f"{waiting['records']} records: {waiting['reason']}")
        console.about("", f"they lie in {waiting['folder']}", whole=True)
        console.about("send them", waiting["send"], whole=True)
    _kept(console, outcome.kept)


def _kept(console: Terminal, kept: Kept) -> None:
    """Name the files of a run, and say where MLflow shows it; a store of one's own first needs its server."""
    if kept.folder:
        console.files("files", kept.folder, kept.files)
    elif kept.files:
        console.about("artifacts", ", ".join(kept.files))
    if kept.page is None or kept.page.startswith(LOCAL):
        console.about("look at it", kept.ui, whole=True)
    if kept.page:
        console.about("its page", kept.page, link=kept.page)


def skipped(config: Config, earlier: Mapping[str, Any]) -> None:
    """Say that a job of a multirun finished before."""
    say(f"skipped {' '.join(config.overrides)}: finished before as run {earlier['run_id']}")


def evaluation(result: Mapping[str, Any], kept: Kept = NOTHING_KEPT) -> None:
    """Print all metrics of a model, beside bicubic unless it is that, and what limits their worth.

    Args:
        result: What `evaluate` returns.
        kept: Where what its run logged is to be looked at.
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
        cells = [*means, with_interval(gain["gain"], gain["ci95"], metric)]
        table.add_row(heading(metric) + fewer, *cells[: 1 + len(beside)])
    if leaked := result["trained_on"] and sum(result["trained_on"].values()):
        table.add_row("seen in training", f"{leaked} of {images}", style="bold red")
    console.print(table)
    _protocol(console, result)
    console.about("model", f"{result['model_uri']} ({result['model']['parameters']} parameters)")
    console.about("run", f"{result['run_id']} (rows in scores/, panels)")
    _kept(console, kept)


def shard(name: str, images: int, *, missing: Sequence[str] = (), joined: str | None = None) -> None:
    """Say how far the shards of an evaluation are.

    Args:
        name: The one that has ended.
        images: That were scored.
        missing: Shards that have not ended.
        joined: Run that has the scores of all of them.
    """
    ended = (
        f"the scores of all are in run {joined}"
        if joined
        else f"the last to end joins them; missing: {', '.join(missing)}"
    )
    say(f"shard {name}: {counted(images, 'image')} scored; {ended}")


def shards(found: Sequence[Shared], folder: Path) -> None:
    """Say what shards came to, for each input that was shared out.

    Args:
        found: From `shards.gathered`.
        folder: Of the multirun.
    """
    console = Terminal()
    for each in found:
        states = ", ".join(f"{count} {state}" for state, count in each.states.items())
        console.about("shards", f"{sum(each.states.values())} of {each.verb}: {states}")
        result = each.result
        if "test" in result:
            images = counted(result["test"]["n_images"], "image")
            console.about(
                "scores", f"{with_unit(result['test']['psnr'], fine=True)} on {images}, run {result['run_id']}"
            )
        elif "restored" in result:
            done = f"{counted(len(result['restored']), 'file')} restored, {len(result['skipped'])} finished before"
            console.about("files", f"{done}, {len(result['failed'])} failed; {result['ledger']} lists all of them")
    console.files("files", folder, ("shards.json",))


def multirun(summary: Summary, folder: Path) -> None:
    """Print the rows of a multirun, what limits their worth, and where they are kept.

    Args:
        summary: From `summary.summarise`.
        folder: Of the multirun.
    """
    console = Terminal()
    beside, below = (_combinations(summary, below=below) for below in (False, True))
    room = console.measure(beside, options=console.options.update(width=10_000)).maximum
    console.table(beside if room <= console.width else below)
    for note in summary.notes:
        console.about("note", note, "yellow")
    console.files("files", folder, ("summary.csv", "summary.json"))


def _combinations(summary: Summary, *, below: bool) -> Table:
    """Lay out the rows; where there is little room, each deviation stands below its mean."""
    swept = [Column(key, overflow="fold") for key in summary.keys]
    numbers = [Column(each, justify="right") for each in ("seeds", "val PSNR", "test PSNR", "test SSIM", "gain dB")]
    title = f"multirun, {counted(len(summary.rows), 'combination')}: mean ± standard deviation over seeds"
    table = Table(
        *swept, *numbers, "data", "state", title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False
    )
    for row in summary.rows:
        means = (_mean(row, name) for name in row.figures)
        figures = [_below(text, " ± ") if below else text for text in means]
        splits = f"{len(row.data)} splits *" if len(row.data) > 1 else "".join(row.data)[:8]
        best = row is summary.best
        state = ": ".join([f"{row.state}, best" if best else row.state, *row.reasons[:1]])
        look = "bold" if best else None
        ended = _below(state, ", best") if below else state
        table.add_row(*row.swept.values(), str(row.seeds), *figures, splits, ended, style=look)
    return table


def _below(text: str, mark: str) -> RenderableType:
    """Put what a mark begins below what stands before it."""
    before, found, after = text.partition(mark)
    return Group(before, f"{found.strip(' ,')} {after}".strip()) if found else text


def _mean(row: Row, name: str) -> str:
    found = row.figures[name]
    text = plus_minus(found.mean, found.std, "ssim" if name == "test_ssim" else "psnr", sign=name == "gain_db")
    return f"{text} ({found.n})" if found.n < row.seeds else text


def search(result: Mapping[str, Any], kept: Kept) -> None:
    """Print what a search found and where to look next.

    Args:
        result: What `search` returns.
        kept: Where what its run logged is to be looked at.
    """
    console, best = Terminal(), result["best"]
    counted = ", ".join(f"{count} {state}" for state, count in result["trials"].items() if count)
    console.about("search", f"{result['study']}: {counted}")
    console.about("best", f"trial {best['number']}: {shlex.join(best['overrides'])}", whole=True)
    again = result.get("again") or f"python -m srexp {result['preset']}"  # older ones lack it
    console.about("again", again, whole=True)
    console.about("run", result["run_id"])
    _kept(console, kept)


def promotion(result: Mapping[str, Any], kept: Kept = NOTHING_KEPT) -> None:
    """Print who was compared, the gate line by line, where the aliases point, and where the evidence is.

    Args:
        result: What `promote` returns, or would return.
        kept: Where what its run logged is to be looked at.
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
    warnings(console, result)
    if digest := result.get("digest"):
        console.about("digest", f"{digest} (version {result['version']})")
    console.about("champion", _outcome(result))
    if kept.page:
        _kept(console, kept)


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


def _figures(title: str, *headings: str) -> Table:
    """Begin a table of figures, whose first column says whose they are."""
    return Table("", *(Column(each, justify="right") for each in headings), title=title)


def warnings(console: Terminal, result: Mapping[str, Any]) -> None:
    """Print what limits the worth of a result."""
    for warning in result["warnings"]:
        console.about("warning", warning, "yellow")
    if place := where(result["warnings"]):
        console.about("names", place)


def _protocol(console: Terminal, result: Mapping[str, Any]) -> None:
    protocol = result["protocol"]
    rounded = "rounded to the stored bits" if protocol["quantize"] else "not rounded"
    told = f"{protocol['channel']}, border {protocol['shave']}, {rounded}, range {protocol['data_range']}"
    console.about("protocol", told)
    warnings(console, result)


def _difference(summary: Mapping[str, Mapping[str, Any]], metric: str) -> float | None:
    model, bicubic = summary["model"][metric], summary["bicubic"][metric]
    return None if model is None or bicubic is None else model - bicubic
