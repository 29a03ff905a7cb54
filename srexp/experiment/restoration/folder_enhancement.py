"""A folder of images through a model: which files there are, what each becomes, and what a run before left to do."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from srexp.config.schema import EnhanceConfig
from srexp.data.formats.registry import frames_in, kind_of
from srexp.data.formats.writers import output_names, target_format, target_names
from srexp.data.image import Kind, UnreadableImageError
from srexp.data.restored_image import Origin
from srexp.data.sources.discovery import find_images
from srexp.enhance.output_manifest import NAME, OutputManifest
from srexp.errors import RequestError, SrexpError
from srexp.experiment.loaded_model import opened
from srexp.experiment.restoration.file_restoration import Restorer, chosen_runtime
from srexp.system.digests import sha256
from srexp.system.signals import interruptible

_NAMED = 10

log = logging.getLogger(__name__)

#: Receives the number of files that are done, the name of the next one, and the share of it that is done.
Show = Callable[[int, str, float], None]


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


def find_jobs(config: EnhanceConfig) -> tuple[list[Job], Outcome]:
    """Find the files and name what each becomes.

    Args:
        config: Checked configuration, with `input`, `output` and `format`.

    Returns:
        The files to restore, and an outcome in which those that are no images have failed already.

    Raises:
        RequestError: There is no such input, or output would replace it.
    """
    output, outcome = config.output.expanduser(), Outcome()
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
    return [Job(name, files[name], kind, targets[name], wanted) for name, (kind, wanted) in kinds.items()], outcome


def restorer_of(config: EnhanceConfig) -> Restorer:
    """Load the model of a configuration, in its runtime.

    Args:
        config: Checked configuration.

    Returns:
        The model, ready to restore files.

    Raises:
        RequestError: There is no such model, or its runtime can't be had.
        SrexpError: The store can't be reached.
    """
    model = opened(config, config.model_uri)
    plain = (config.runtime, config.precision) == ("keras", "float32")
    chosen = None if plain else chosen_runtime(config, model)
    return Restorer(model, config.intensity or model.intensity, config.self_ensemble, config.memory_mb, chosen)


class FolderEnhancement:
    """Restores files into a folder, whose list says what was made of what.

    Args:
        config: Checked configuration, with `output`, `overwrite` and `compare`.
        restorer: The model and what decides its result.
    """

    def __init__(self, config: EnhanceConfig, restorer: Restorer) -> None:
        import tensorflow as tf

        self.config, self.output, self.restorer = config, config.output.expanduser(), restorer
        self.manifest = OutputManifest(self.output, model=restorer.made.model, settings=restorer.made.identity)
        self.failures: tuple[type[Exception], ...] = (SrexpError, OSError, MemoryError, tf.errors.OpError)

    def require_same_model(self, names: Sequence[str]) -> None:
        """Refuse to mix in one folder what two models, or two settings, made of the same images.

        Args:
            names: Files that will be read.

        Raises:
            RequestError: The folder has other results of them, and `overwrite` isn't set.
        """
        if not self.config.overwrite and (others := self.manifest.others(names)):
            raise RequestError(
                "output holds what another model, or this one with other options, made of these images",
                got=f"{self.config.output}: made with {', '.join(others[:_NAMED])}",
                expected=f"results of {self.manifest.model} with the same options, or none",
                fix="output= another folder, or overwrite=true",
            )

    def run(self, jobs: Sequence[Job], outcome: Outcome, show: Show) -> None:
        """Restore all files that aren't done; one that fails is noted, and the next one comes.

        Args:
            jobs: The files.
            outcome: Told what became of each.
            show: Told how far it is.

        Raises:
            RequestError: The folder can't be written.
        """
        # The outer scratch folder is what an interruption can't leave behind, whatever it does to those of the files.
        with _scratch(self.output) as scratch, interruptible() as shield:
            for number, job in enumerate(jobs):
                try:
                    names = self._restore(job, partial(show, number, job.name), scratch)
                except self.failures as error:
                    if shield.received:  # a decoder in C made its own exception of it; the file isn't to blame
                        raise
                    outcome.failed[job.name] = _reason(error)
                    log.info("%s: %s", job.name, outcome.failed[job.name])
                    continue
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
        state = self.manifest.state(job.name, digest, names)
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
            self.manifest.add(job.name, digest, {name: sha256(path) for name, path in made.items()})
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


def result_of(config: EnhanceConfig, restorer: Restorer, outcome: Outcome) -> dict[str, Any]:
    """Put together what `result.json` says, but for times.

    Args:
        config: Checked configuration.
        restorer: The model.
        outcome: What became of the files.

    Returns:
        The model, its settings, and what was written.
    """
    model = restorer.opened
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
