"""Which files there are to restore, and what each becomes: every file that is written belongs to one of them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from srexp.config.sections.verbs import EnhanceConfig
from srexp.data.formats.registry import frames_in
from srexp.data.formats.signatures import kind_of
from srexp.data.formats.writers import output_names, target_format, target_names
from srexp.data.image import Kind
from srexp.data.sources.discovery import find_images
from srexp.enhance.output_manifest import DISTANCE, NAME, PLACE, SPREAD_MEAN, SPREAD_P99
from srexp.errors import RequestError
from srexp.evaluation.figures.spread_map import Spread
from srexp.experiment.restoration.failure import told
from srexp.system.masking.pseudonyms import note, remember


@dataclass(frozen=True, slots=True)
class Job:
    """One file to restore.

    Args:
        name: Its path relative to the input.
        path: The file.
        kind: What it is.
        frames: Which images it holds.
        target: Path to write, relative to the output; several images may become several files.
        target_kind: What to write.
        compare: Path of the comparison, relative to the output; None for none.
        spread: The same of the map of where the restorations of a self-ensemble lie apart.
    """

    name: str
    path: Path
    kind: Kind
    frames: tuple[int, ...]
    target: str
    target_kind: Kind
    compare: str | None = None
    spread: str | None = None

    @property
    def images(self) -> list[str]:
        """The restored images, relative to the output."""
        return output_names(self.target, self.target_kind, self.frames)

    @property
    def outputs(self) -> list[str]:
        """All files that are written, relative to the output."""
        return [*self.images, *(picture for picture in (self.compare, self.spread) if picture)]


@dataclass(slots=True)
class Outcome:
    """What became of the files, by their relative names."""

    restored: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    lost: dict[str, list[str]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    distances: dict[str, float] = field(default_factory=dict)
    worst_places: dict[str, float] = field(default_factory=dict)
    spreads: dict[str, Spread] = field(default_factory=dict)

    def note(self, name: str, measured: Mapping[str, float]) -> None:
        """Tell what was measured of a file, now or by the command that made it.

        Args:
            name: Its relative name.
            measured: Values by the columns of the list, see `wanted_of`.
        """
        if DISTANCE in measured:
            self.distances[name] = measured[DISTANCE]
        if PLACE in measured:
            self.worst_places[name] = measured[PLACE]
        if SPREAD_MEAN in measured:
            self.spreads[name] = Spread(measured[SPREAD_MEAN], measured[SPREAD_P99])

    def measured(self, name: str) -> dict[str, float]:
        """Give what `check=true` found of a file, by the columns of the list."""
        found = {DISTANCE: self.distances.get(name), PLACE: self.worst_places.get(name)}
        return {column: value for column, value in found.items() if value is not None}


def wanted_of(config: EnhanceConfig) -> list[str]:
    """Give the columns of the list that a configuration asks for."""
    return [*[DISTANCE, PLACE] * config.check, *[SPREAD_MEAN, SPREAD_P99] * config.spread]


def marks_of(config: EnhanceConfig, measured: Mapping[str, float]) -> list[str]:
    """Say which of the values measured of a file are above what a configuration allows, and what that is."""
    bounds = {DISTANCE: config.check_levels, PLACE: config.check_percent}
    return [f"{column} above {most:g}" for column, most in bounds.items() if measured.get(column, 0) > most]


def find_jobs(config: EnhanceConfig) -> tuple[list[Job], Outcome]:
    """Find the files and name what each becomes.

    Args:
        config: Checked configuration, with `input`, `output`, `format` and `compare`.

    Returns:
        The files to restore, and an outcome in which those that are no images have failed already.

    Raises:
        RequestError: There is no such input, output would replace it, or two files would become one.
    """
    output, outcome = Path(config.output).expanduser(), Outcome()
    found, within = find_images(config.input, "input"), os.path.realpath(output)
    real = {name: os.path.realpath(path) for name, path in found.items()}
    files = {name: path for name, path in found.items() if not Path(real[name]).is_relative_to(within)}
    kinds: dict[str, tuple[Kind, Kind]] = {}
    frames: dict[str, tuple[int, ...]] = {}
    for name, path in files.items():
        try:
            kind = kind_of(path)
            wanted, frames[name] = target_format(kind, config.format), tuple(frames_in(path))
            kinds[name] = kind, wanted
        except RequestError as error:
            outcome.failed[name] = told(error)
    jobs = []
    for name, target in target_names(kinds).items():
        kind, wanted = kinds[name]
        compare, spread = (
            f"{target}.{picture}.png" if asked else None
            for picture, asked in (("compare", config.compare), ("spread", config.spread))
        )
        jobs.append(Job(name, files[name], kind, frames[name], target, wanted, compare, spread))
    written = (os.path.realpath(output / name) for job in jobs for name in job.outputs)
    if not files or {real[name] for name in files}.intersection(written):
        raise RequestError(
            "output would replace the images of input",
            got=str(config.output),
            expected="a folder that holds none of them",
            fix="output= another folder, which may lie within input",
        )
    remember(found)
    note(name for job in jobs for name in job.outputs)
    _require_own_files(jobs)
    return jobs, outcome


def _require_own_files(jobs: Sequence[Job]) -> None:
    """Refuse two jobs that write one file, or a file where the other one needs a folder."""
    owners = {_same(NAME): ("the list of what was made", NAME)}
    written = [(job.name, output) for job in jobs for output in job.outputs]
    for name, output in written:
        owner = owners.setdefault(_same(output), (name, output))
        if owner != (name, output):
            raise _meeting(owner, (name, output))
    for name, output in written:
        for folder in PurePosixPath(output).parents:
            if there := owners.get(_same(str(folder))):
                raise _meeting(there, (name, output))


def _same(name: str) -> str:
    """Give what is equal for names that some file system takes for one, by case or by the form of an accent."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _meeting(one: tuple[str, str], other: tuple[str, str]) -> RequestError:
    return RequestError(
        f"{one[0]} and {other[0]} would become the same file",
        got=" and ".join(dict.fromkeys((one[1], other[1]))),
        expected="files of their own, also where case or the form of an accent makes no other name",
        fix=f"rename {other[0]}, or leave it out and restore it alone with another output=",
    )
