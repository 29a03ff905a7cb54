"""`enhance`: super-resolve files and folders with a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from srexp.config.sections.verbs import EnhanceConfig
from srexp.enhance.output_manifest import NAME
from srexp.errors import RequestError, SrexpError
from srexp.experiment.restoration.archive_enhancement import at_hand
from srexp.experiment.restoration.file_restoration import Restorer
from srexp.experiment.restoration.folder_enhancement import FolderEnhancement, Show, restorer_of, result_of
from srexp.experiment.restoration.gallery import write_gallery
from srexp.experiment.restoration.jobs import find_jobs
from srexp.experiment.restoration.sharing import Sharing
from srexp.metrics.table import counted
from srexp.system.memory import peak_rss_mb
from srexp.system.profiling import Stopwatch
from srexp.system.terminal import Terminal, linked

LISTED = 10


def run(config: EnhanceConfig) -> dict[str, Any]:
    """Restore every image that `input` names.

    Args:
        config: Checked configuration.

    Returns:
        What was written, what was there already, and what failed.

    Raises:
        RequestError: There is no such model or input, or no file could be used.
        SrexpError: Some files failed; the others are done.
    """
    watch = Stopwatch()
    _require_sense(config)
    with at_hand(config) as here:
        jobs, outcome = find_jobs(here.config)
        sharing = Sharing(here.config, jobs, outcome)
        sharing.join()
        with watch("model"):
            restorer = restorer_of(config)
            enhancement = FolderEnhancement(here.config, restorer, part=sharing.part)
        enhancement.require_same_model([job.name for job in sharing.jobs])
        left = here.left_to_do(list(sharing.jobs), outcome, restorer.made.identity)
        with watch("files"), _progress(len(left)) as show, sharing.at_work():
            enhancement.run(left, outcome, show)
        with watch("sending"):
            here.send(left, outcome)
        result = result_of(config, restorer, outcome)
        with watch("gallery"):
            whole = sharing.end(enhancement.manifest)
            shown = whole if here.config is config else None  # links would lead to what is here for a while only
            page, warning = write_gallery(config, jobs, shown, enhancement.manifest) if shown else (None, "")
    result |= {"gallery": page and str(page), "shard": config.shard, "all_shards_ended": whole is not None}
    result["warnings"] += [warning] * bool(warning)
    result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
    _print(result, restorer)
    _require_success(result)
    return result


def _require_sense(config: EnhanceConfig) -> None:
    """Refuse what contradicts itself, before anything is looked for."""
    if config.spread and not config.self_ensemble:
        raise RequestError(
            "spread=true has nothing to measure",
            got="self_ensemble=false, which restores each image once",
            expected="the eight restorations of a self-ensemble, which lie apart where the network is unsure",
            fix="self_ensemble=true",
        )


@contextmanager
def _progress(total: int) -> Iterator[Show]:
    """Show files and the time left, on a terminal."""
    console = Terminal(stderr=True)
    longest = max(8, console.width - 40)  # letters of a name, beside the bar and its numbers
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("", total=total)
        yield lambda done, name, part: bars.update(task, completed=done + part, description=name[-longest:])


def _print(result: Mapping[str, Any], restorer: Restorer) -> None:
    console = Terminal()
    restored, skipped = counted(len(result["restored"]), "file"), len(result["skipped"])
    console.print(f"model     {restorer.made.model}, x{result['scale']}")
    if restorer.chosen:
        console.print(f"runtime   {restorer.chosen.told()}")
    console.print(f"restored  {restored} in {result['seconds']['files']:.1f} s")
    if skipped:
        console.print(f"skipped   {skipped}, finished before")
    if distances := result["distances"]:
        furthest = max(distances, key=distances.__getitem__)
        console.print(
            f"fidelity  reduced again, at most {distances[furthest]:.2f} grey levels from the input ({furthest})"
        )
    if places := result["worst_places"]:
        furthest = max(places, key=places.__getitem__)
        console.print(f"          at the worst place {places[furthest]:.2f} % of the range it fills ({furthest})")
    if spreads := result["spreads"]:
        name, least_sure = max(spreads.items(), key=lambda each: each[1]["p99"])
        console.print(f"spread    of the eight, 99 % of pixels at most {least_sure['p99']:.2f} grey levels ({name})")
    if result["shard"]:
        others = "all shards have ended" if result["all_shards_ended"] else "other shards have not ended yet"
        console.print(f"shard     {result['shard']} of the input; {others}")
    for warning in result["warnings"]:
        console.print("warning   ", style="yellow", end="")
        console.print(warning)
    if result["gallery"]:
        console.print("gallery  ", linked(result["gallery"], Path(result["gallery"])))
    if "://" in result["output"]:
        console.print(f"output    {result['output']}")
        return
    output = Path(result["output"])
    told = linked(f"({NAME} lists what was made of what)", output / NAME)
    console.print("output   ", linked(str(output), output), told)


def _require_success(result: Mapping[str, Any]) -> None:
    """End with a code other than 0 when a file failed, after everything else was done."""
    if not (failed := result["failed"]):
        return
    total = len(failed) + len(result["restored"]) + len(result["skipped"])
    lines = [f"{each['file']}: {each['reason']}" for each in failed[:LISTED]]
    if len(failed) > LISTED:
        lines.append(f"and {len(failed) - LISTED} more, see result.json")
    kind = SrexpError if len(failed) < total else RequestError
    raise kind(f"{len(failed)} of {total} files failed", lines=lines, result=dict(result))
