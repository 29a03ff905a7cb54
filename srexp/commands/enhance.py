"""`enhance`: super-resolve files and folders with a model."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from srexp.config.schema import EnhanceConfig
from srexp.data.formats.registry import frames_in, kind_of
from srexp.data.formats.writers import output_names, target_format, target_names
from srexp.data.image import Kind, UnreadableImageError
from srexp.data.restored_image import Origin
from srexp.data.sources.discovery import find_images
from srexp.enhance.output_manifest import NAME, Ledger, sha256
from srexp.errors import RequestError, SrexpError
from srexp.experiment.file_restoration import Restorer
from srexp.experiment.loaded_model import Opened, chosen_runtime, opened
from srexp.experiment.profiling import Stopwatch
from srexp.system.memory import peak_rss_mb
from srexp.system.signals import Shield, interruptible

LISTED = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One file to restore.

    Args:
        name: Its path relative to the input.
        path: The file.
        kind: What it is.
        target: Path to write, relative to the output.
        target_kind: What to write.
    """

    name: str
    path: Path
    kind: Kind
    target: str
    target_kind: Kind


@dataclass(slots=True)
class Outcome:
    """What became of the files, by their relative names."""

    restored: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)


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
    watch, outcome, output = Stopwatch(), Outcome(), config.output.expanduser()
    jobs = _jobs(config, output, outcome)
    with watch("model"):
        model = opened(config, config.model_uri)
        plain = (config.runtime, config.precision) == ("keras", "float32")
        chosen = None if plain else chosen_runtime(config, model, config.runtime, config.precision)
        intensity = config.intensity or model.intensity
        restorer = Restorer(model, intensity, config.self_ensemble, config.memory_mb, chosen)
        work = _Work(config, output, restorer)
    _require_same_model(work.ledger, [job.name for job in jobs], config)
    # The outer scratch folder is what an interruption can't leave behind, whatever it does to those of single files.
    with watch("files"), _scratch(output) as scratch, interruptible() as shield, _progress(len(jobs)) as show:
        for number, job in enumerate(jobs):
            work.do(job, outcome, partial(show, number, job.name), shield, scratch)
    result = _result(config, model, restorer, outcome)
    result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
    _show(result, restorer)
    _require_success(result)
    return result


def _jobs(config: EnhanceConfig, output: Path, outcome: Outcome) -> list[Job]:
    """Find the files and name what each becomes; what is no image fails here."""
    found, kinds = find_images(config.input, "input"), {}
    files = {name: path for name, path in found.items() if not path.resolve().is_relative_to(output.resolve())}
    for name, path in files.items():
        try:
            kind = kind_of(path)
            kinds[name] = kind, target_format(kind, config.format)
        except RequestError as error:
            outcome.failed[name] = _reason(error)
    targets = target_names(kinds)
    if not files or {(output / target).resolve() for target in targets.values()} & {*map(Path.resolve, files.values())}:
        raise RequestError(
            "output would replace the images of input",
            got=str(config.output),
            expected="a folder that holds none of them",
            fix="output= another folder, which may lie within input",
        )
    return [Job(name, files[name], kind, targets[name], wanted) for name, (kind, wanted) in kinds.items()]


def _require_same_model(ledger: Ledger, names: Sequence[str], config: EnhanceConfig) -> None:
    """Refuse to mix in one folder what two models, or two settings, made of the same images."""
    if not config.overwrite and (others := ledger.others(names)):
        raise RequestError(
            "output holds what another model, or this one with other options, made of these images",
            got=f"{config.output}: made with {', '.join(others[:LISTED])}",
            expected=f"results of {ledger.model} with the same options, or none",
            fix="output= another folder, or overwrite=true",
        )


class _Work:
    """What is the same for all files.

    Args:
        config: Checked configuration.
        output: Folder to write to.
        restorer: The model and what decides its result.
    """

    def __init__(self, config: EnhanceConfig, output: Path, restorer: Restorer) -> None:
        import tensorflow as tf

        self.config, self.output, self.restorer = config, output, restorer
        self.ledger = Ledger(output, model=restorer.made.model, settings=restorer.made.identity)
        self.failures: tuple[type[Exception], ...] = (SrexpError, OSError, MemoryError, tf.errors.OpError)

    def do(self, job: Job, outcome: Outcome, show: Callable[[float], None], shield: Shield, scratch: str) -> None:
        """Restore a file unless that is done; one that fails is noted, and the next one comes."""
        try:
            names = self._restore(job, show, scratch)
        except self.failures as error:
            if shield.received:  # a decoder in C made its own exception of the interruption; the file isn't to blame
                raise
            outcome.failed[job.name] = _reason(error)
            log.info("%s: %s", job.name, outcome.failed[job.name])
            return
        (outcome.restored if names else outcome.skipped).append(job.name)
        outcome.outputs += names
        log.info("%s: %s", job.name, ", ".join(names) or "finished before")

    def _restore(self, job: Job, show: Callable[[float], None], scratch: str) -> list[str]:
        """Give the names of the files written, none when they were there."""
        show(0)
        frames = tuple(frames_in(job.path))
        origin = Origin(job.path, job.kind, frames, self.restorer.intensity)
        compare = f"{job.target}.compare.png" if self.config.compare else None
        names = [*output_names(job.target, job.target_kind, frames), *([compare] if compare else [])]
        digest = sha256(job.path)
        state = self.ledger.state(job.name, digest, names)
        if state == "finished":
            return []
        if state == "foreign" and not self.config.overwrite:
            raise SrexpError(
                "a file of that name in output is not what this would write", fix="overwrite=true, or another output="
            )
        target = self.output / job.target
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as fresh:
            self.restorer.restore_file(
                origin,
                job.target_kind,
                Path(fresh, target.name),
                compare=compare and Path(compare).name,
                on_frame=lambda done: show(done / len(frames)),
            )
            made = {name: Path(fresh, Path(name).name) for name in names}
            self.ledger.add(job.name, digest, {name: sha256(path) for name, path in made.items()})
            for name, path in made.items():
                path.replace(self.output / name)
        return names


def _scratch(output: Path) -> tempfile.TemporaryDirectory[str]:
    """Make a folder within output, where files become whole before they get their names."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=output, prefix=".srexp-")
    except OSError as error:
        raise RequestError(
            f"output can't be written: {error.strerror or type(error).__name__}",
            got=str(output),
            expected="a folder, which is made if need be",
            fix="output= another folder",
        ) from error


def _reason(error: Exception) -> str:
    """Say in one line why a file failed."""
    if isinstance(error, UnreadableImageError):
        return error.told().replace("dataset.", "")
    if isinstance(error, SrexpError):
        return f"{error.what}{f' (fix: {error.fix})' * bool(error.fix)}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"the model could not be run ({type(error).__name__}); a smaller memory_mb may help"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, str, float], None]]:
    """Show files and the time left, on a terminal."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("", total=total)
        yield lambda done, name, part: bars.update(task, completed=done + part, description=name[-40:])


def _result(config: EnhanceConfig, model: Opened, restorer: Restorer, outcome: Outcome) -> dict[str, Any]:
    loaded, found = model.loaded, model.loaded.found
    warnings = []
    if restorer.intensity != "bits":
        warnings.append(
            f"intensity={restorer.intensity}: files hold the values that the model saw, not those of the input"
        )
    if loaded.facts.get("degenerate") == "true":
        warnings.append("the model was trained with its target as input, so it restores nothing")
    return {
        "model_uri": found.uri,
        "model": {
            "address": found.address,
            "name": found.registered,
            "version": found.version,
            "sha256": loaded.sha256,
        },
        "scale": model.scale,
        "intensity": restorer.intensity,
        "self_ensemble": config.self_ensemble,
        "runtime": restorer.chosen.runtime if restorer.chosen else "keras",
        "precision": restorer.chosen.precision if restorer.chosen else "float32",
        "loss_db": restorer.chosen.loss_db if restorer.chosen else 0.0,
        "output": str(config.output),
        "ledger": NAME,
        **{key: value for key, value in asdict(outcome).items() if key != "failed"},
        "failed": [{"file": name, "reason": reason} for name, reason in outcome.failed.items()],
        "warnings": warnings,
    }


def _show(result: Mapping[str, Any], restorer: Restorer) -> None:
    console = Console(soft_wrap=True, highlight=False)
    counts = Counter({key: len(result[key]) for key in ("restored", "skipped", "failed")})
    console.print(f"model     {escape(restorer.made.model)}, x{result['scale']}")
    if restorer.chosen:
        console.print(f"runtime   {restorer.chosen.told()}")
    console.print(
        f"restored  {counts['restored']} file{'s' * (counts['restored'] != 1)} in {result['seconds']['files']:.1f} s"
    )
    if counts["skipped"]:
        console.print(f"skipped   {counts['skipped']}, finished before")
    for warning in result["warnings"]:
        console.print(f"[yellow]warning[/yellow]   {escape(warning)}")
    console.print(f"output    {escape(result['output'])} ({NAME} lists what was made of what)")


def _require_success(result: Mapping[str, Any]) -> None:
    """End with a code other than 0 when a file failed, after everything else was done."""
    if not (failed := result["failed"]):
        return
    total = len(failed) + len(result["restored"]) + len(result["skipped"])
    lines = [f"  {each['file']}: {each['reason']}" for each in failed[:LISTED]]
    if len(failed) > LISTED:
        lines.append(f"  and {len(failed) - LISTED} more, see result.json")
    kind = SrexpError if len(failed) < total else RequestError
    raise kind("\n".join([f"{len(failed)} of {total} files failed", *lines]), result=dict(result))
