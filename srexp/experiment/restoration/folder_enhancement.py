"""A folder of images through a model: what a run before left to do, and what became of each file."""

from __future__ import annotations

import errno
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from srexp.config.sections.verbs import EnhanceConfig
from srexp.data.degradation.reduced_again import PLACE as SIDE
from srexp.data.degradation.reduced_again import Distance
from srexp.data.formats.registry import read_ahead
from srexp.data.restored_image import Origin
from srexp.enhance.manifest_parts import unwritable
from srexp.enhance.output_manifest import DISTANCE, NAME, PLACE, SPREAD_MEAN, SPREAD_P99, OutputManifest, State
from srexp.enhance.scratch import scratch_folder
from srexp.errors import RequestError, SrexpError, some
from srexp.evaluation.figures.spread_map import Spread
from srexp.experiment.restoration.failure import told
from srexp.experiment.restoration.file_restoration import Part, Restorer, chosen_runtime
from srexp.experiment.restoration.jobs import Job, Outcome, marks_of, wanted_of
from srexp.experiment.trained.loaded_model import opened
from srexp.metrics.table import counted
from srexp.system.files.digests import sha256
from srexp.system.one_ahead import one_ahead
from srexp.system.signals import Shield, interruptible
from srexp.tracking.names import DEBUG_TAG

_NAMED = 10

log = logging.getLogger(__name__)

#: Receives the number of files that are done, the name of the next one, and the share of it that is done.
Show = Callable[[int, str, float], None]


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
    intensity = config.intensity or model.intensity
    return Restorer(model, intensity, config.self_ensemble, config.memory_mb, config.spread, chosen)


@dataclass(slots=True, eq=False)
class _Turn:
    """A file whose turn it is, or almost.

    Args:
        job: The file.
        digest: SHA-256 of its content.
        known: What is known of its result, where that was finished before.
        over: Whether nobody needs any more of it.
    """

    job: Job
    digest: str = ""
    known: dict[str, float] | None = None
    over: bool = False


@dataclass(slots=True)
class _Step:
    """What comes next of a file: rows of it, why there are none, or neither where it was finished before."""

    turn: _Turn
    part: Part | None = None
    error: Exception | None = None


class FolderEnhancement:
    """Restores files into a folder, whose list says what was made of what.

    Args:
        config: Checked configuration, with `output`, `overwrite` and `compare`.
        restorer: The model and what decides its result.
        part: Of the list, to which a shard's rows are added; None for the list itself.
    """

    def __init__(self, config: EnhanceConfig, restorer: Restorer, *, part: str | None = None) -> None:
        self.config, self.output = config, Path(config.output).expanduser()
        self.restorer = replace(restorer, ahead=True)
        self.manifest = OutputManifest(
            self.output, model=restorer.made.model, settings=restorer.made.identity, shard=part
        )

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
        with (
            _scratch(self.output) as scratch,
            interruptible() as shield,
            one_ahead(self._steps(jobs), self._leaves_room) as steps,
        ):
            for number, job in enumerate(jobs):
                on_part = partial(show, number, job.name)
                on_part(0)
                first = next(step for step in steps if step.turn.job is job)  # of one before may be left
                self._do(job, partial(self._write, first, steps, outcome, on_part, scratch), outcome, shield)
                first.turn.over = True

    def _leaves_room(self, step: _Step) -> bool:
        return step.part is None or self.restorer.leaves_room(step.part)

    def _steps(self, jobs: Sequence[Job]) -> Generator[_Step]:
        """Look at files, read and restore them, while what was made of the one before is written."""
        with read_ahead((job.path, frame, self.restorer.intensity) for job in jobs for frame in job.frames):
            for job in jobs:
                turn = _Turn(job)
                try:
                    if not self._is_to_do(turn):
                        yield _Step(turn)
                        continue
                    for part in self.restorer.parts(self._origin(job)):
                        yield _Step(turn, part)
                        if turn.over:
                            break
                except Exception as error:  # noqa: BLE001 - raised when the turn of its file has come
                    yield _Step(turn, error=error)

    def _origin(self, job: Job) -> Origin:
        return Origin(job.path, job.kind, job.frames, self.restorer.intensity)

    def _is_to_do(self, turn: _Turn) -> bool:
        """Whether a file has no result, or isn't known of that what is asked for, as far as the list can note it."""
        job = turn.job
        turn.digest = sha256(job.path)
        state = self.manifest.state(job.name, turn.digest, job.outputs)
        if state == "finished":
            turn.known = self.manifest.measured(job.outputs, wanted_of(self.config))
        if turn.known is None:
            self._require_free(job, state)
            with _into_output():
                self.manifest.make_folder(job.target)
        return turn.known is None

    def _do(self, job: Job, write: Callable[[], list[str]], outcome: Outcome, shield: Shield) -> None:
        """Write what a file became unless that is done; one that fails is noted, and the next one comes."""
        try:
            names = write()
        except Exception as error:
            if shield.received:  # a decoder in C made its own exception of the interruption; the file isn't to blame
                raise
            outcome.failed[job.name] = told(error, private="dicom" in (job.kind, job.target_kind))
            log.info("%s: %s", job.name, outcome.failed[job.name])
            return
        (outcome.restored if names else outcome.skipped).append(job.name)
        outcome.outputs += names
        log.info("%s: %s", job.name, ", ".join(names) or "finished before")

    def _write(
        self, first: _Step, others: Iterator[_Step], outcome: Outcome, show: Callable[[float], None], scratch: Path
    ) -> list[str]:
        """Give the names of the files written, none when they were there."""
        turn, job, names = first.turn, first.turn.job, first.turn.job.outputs
        if first.error:
            raise first.error
        if turn.known is not None:
            outcome.note(job.name, turn.known)
            return []
        target = self.output / job.target
        distances: list[Distance] = []
        spreads: list[Spread] = []
        with tempfile.TemporaryDirectory(dir=scratch) as fresh:
            lost = self.restorer.restore_file(
                self._origin(job),
                job.target_kind,
                Path(fresh, target.name),
                compare=job.compare and Path(job.compare).name,
                spread=job.spread and Path(job.spread).name,
                on_part=lambda done: show(done / len(job.frames)),
                on_distance=distances.append if self.config.check else None,
                on_spread=spreads.append,
                parts=_parts(first, others),
            )
            made = {name: Path(fresh, Path(name).name) for name in names}
            digests = {name: sha256(path) for name, path in made.items()}
            measured = _worst(distances, spreads)
            with _into_output():
                self.manifest.add(job.name, turn.digest, digests, lost, measured, marks=marks_of(self.config, measured))
                self.manifest.place(made, job.path)
        outcome.note(job.name, measured)
        if lost:
            outcome.lost[job.name] = lost
            log.info("%s: %s", job.name, "; ".join(lost))
        return names

    def _require_free(self, job: Job, state: State) -> None:
        """Refuse to overwrite what wasn't asked to be; what another file became never is, whatever was asked."""
        if owned := self.manifest.of_another(job.name, job.outputs):
            raise SrexpError(
                f"{owned[0]} in output is what {owned[1]} became", fix="another output=, or move that file away"
            )
        if state == "foreign" and not self.config.overwrite:
            raise SrexpError(
                "a file of that name in output is not what this would write", fix="overwrite=true, or another output="
            )


def _parts(first: _Step, others: Iterator[_Step]) -> Iterator[Part]:
    """Give the rows of a file, and raise what stood in the way of more."""
    for step in chain([first], others):
        if step.error:
            raise step.error
        if step.part:
            yield step.part


def _worst(distances: Sequence[Distance], spreads: Sequence[Spread]) -> dict[str, float]:
    """Give what was measured of several images, as the list keeps it: of each value the largest."""
    largest = {
        **dict(zip((DISTANCE, PLACE), map(max, zip(*distances, strict=True)), strict=False)),
        **dict(zip((SPREAD_MEAN, SPREAD_P99), map(max, zip(*spreads, strict=True)), strict=False)),
    }
    return {name: float(f"{value:.4g}") for name, value in largest.items()}


@contextmanager
def _scratch(output: Path) -> Iterator[Path]:
    """Make a folder within output, where files become whole before they get their names."""
    with ExitStack() as stack:
        try:
            output.mkdir(parents=True, exist_ok=True)
            scratch = stack.enter_context(scratch_folder(output))
        except OSError as error:
            raise unwritable(output, error) from error
        yield scratch


@contextmanager
def _into_output() -> Iterator[None]:
    """Say of what the disk refuses a file that it isn't the image, but the place of its result."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # it is the image's name, and has a mend of its own
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise SrexpError(
            f"output can't be written: {error.strerror or 'no reason is given'}",
            fix=f"{'make room' if full else 'permit it'}, or output= another folder",
        ) from error


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
    if debug := loaded.facts.get(f"tags.{DEBUG_TAG}"):
        warnings.append(f"the model is of a smoke test, debug={debug}: it restores nothing worth looking at")
    warnings += _too_far(config, outcome)
    warnings += [f"{counted(count, 'file')}: {each}" for each, count in Counter(chain(*outcome.lost.values())).items()]
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
        **{key: value for key, value in asdict(outcome).items() if key not in ("failed", "spreads")},
        "spreads": {name: each._asdict() for name, each in outcome.spreads.items()},
        "failed": [{"file": name, "reason": reason} for name, reason in outcome.failed.items()],
        "warnings": warnings,
    }


def _too_far(config: EnhanceConfig, outcome: Outcome) -> Iterator[str]:
    """Warn of files that are further from their inputs than allowed, as wholes or at a place."""
    bounds = (
        (outcome.distances, config.check_levels, "", "grey levels"),
        (outcome.worst_places, config.check_percent, f"at a place of {SIDE} x {SIDE} pixels ", "% of its range"),
    )
    for measured, most, where, unit in bounds:
        if far := {name: value for name, value in measured.items() if value > most}:
            furthest = sorted(far.items(), key=lambda each: -each[1])
            yield (
                f"{counted(len(far), 'file')} reduced again: {where}more than {most:g} {unit} from the input: "
                + some([f"{name} {value:.2f}" for name, value in furthest], _NAMED)
            )
