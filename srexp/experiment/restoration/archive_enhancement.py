"""Studies of an archive (PACS) through `enhance`: fetched into a folder, restored there, and stored in an archive."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.uid import UID

from srexp.config.sections.verbs import EnhanceConfig
from srexp.data.dicom.derived import instance_uid, series_uid
from srexp.data.dicom.sop_classes import is_image_class
from srexp.data.formats.registry import identity_of
from srexp.enhance.pacs.addresses import WebAddress, is_web, web_address
from srexp.enhance.pacs.dicomweb import Archive, is_uid
from srexp.enhance.pacs.sending import AwayError, RefusedError
from srexp.errors import RequestError, SrexpError
from srexp.experiment.restoration.jobs import Job, Outcome
from srexp.system.files.file_locks import in_turn


@dataclass(frozen=True)
class Archives:
    """What is read from, and what is written to; None where that is a folder.

    Args:
        source: A study, or a series of one.
        target: An archive.
    """

    source: WebAddress | None
    target: WebAddress | None


def archives(config: EnhanceConfig) -> Archives:
    """Read the addresses of a configuration; nobody is asked yet.

    Args:
        config: Checked configuration.

    Raises:
        RequestError: One is none, a package is missing, or another key doesn't go with it.
    """
    source = web_address(config.input, "input", of_study=True) if is_web(config.input) else None
    target = web_address(str(config.output), "output", of_study=False) if is_web(config.output) else None
    if (source or target) and config.shard:
        raise RequestError("shard divides folders, and no study", got=f"shard={config.shard}", fix="shard=null")
    if target and config.format not in ("same", "dicom"):
        raise RequestError("an archive takes DICOM alone", got=f"format={config.format}", fix="format=dicom")
    if target and (config.compare or config.spread):
        key = "compare" if config.compare else "spread"
        raise RequestError(f"{key}=true writes pictures, which an archive doesn't take", fix="output= a folder")
    return Archives(source, target)


class AtHand:
    """A study at hand in a folder, and what goes from there to an archive.

    Args:
        config: Configuration with folders in place of addresses.
        target: The archive that gets what is made; None where it stays in the folder.
    """

    def __init__(self, config: EnhanceConfig, target: Archive | None = None) -> None:
        self.config, self._target = config, target

    def left_to_do(self, jobs: list[Job], outcome: Outcome, made: str) -> list[Job]:
        """Leave out what the archive has been sent already: it would get the same again.

        Args:
            jobs: The files.
            outcome: Told which ones are left out.
            made: What decides the result, see `srexp.data.restored_image.Provenance`.

        Returns:
            The others.

        Raises:
            RequestError: A file would become something else than DICOM.
            SrexpError: The archive can't be asked.
        """
        if not self._target:
            return jobs
        if other := next((job for job in jobs if job.target_kind != "dicom"), None):
            raise RequestError("an archive takes DICOM alone", got=other.target_kind, fix="format=dicom")
        there: dict[tuple[str, str], set[str]] = {}
        left = []
        for job in jobs:
            study, series, instance, _ = identity_of(job.path) if job.kind == "dicom" else ("", "", "", False)
            place = study, series_uid(series or instance, made)
            if self.config.overwrite or not instance or not is_uid(study):
                left.append(job)
                continue
            if place not in there:
                there[place] = {each.instance for each in self._target.instances(*place)}
            if instance_uid(instance, made) in there[place]:
                outcome.skipped.append(job.name)
            else:
                left.append(job)
        return left

    def send(self, jobs: list[Job], outcome: Outcome) -> None:
        """Store what was made; the archive takes the same object again as what it is.

        Args:
            jobs: The files.
            outcome: What became of them; told of objects that the archive refuses.

        Raises:
            SrexpError: The archive takes nothing now; what was made is kept.
        """
        if not self._target:
            return
        for job in jobs:
            paths = [path for name in job.outputs if (path := Path(self.config.output, name)).exists()]
            try:
                for path in paths:
                    self._target.store(path)
            except RefusedError as error:
                outcome.failed[job.name] = error.what
                for names in (outcome.restored, outcome.skipped):
                    if job.name in names:
                        names.remove(job.name)
            except AwayError as error:
                raise SrexpError(error.what, fix="the same command again, which goes on with what was made") from None


@contextmanager
def at_hand(config: EnhanceConfig) -> Iterator[AtHand]:
    """Bring what is to be restored into a folder, if it isn't in one.

    The folder lies below `paths.root` for as long as the work isn't done, so that the same command goes on with it
    after an interruption. Only the user can look into it.

    Args:
        config: Checked configuration.

    Yields:
        What to restore, and where to.

    Raises:
        RequestError: An address is none, or the archive has no such study.
        SrexpError: The archive can't be asked.
    """
    known = archives(config)
    if not (known.source or known.target):
        yield AtHand(config)
        return
    named = hashlib.sha256(f"{known.source!r}/{config.input}/{config.output}".encode()).hexdigest()[:16]
    folder = config.paths.root / "pacs" / named
    busy = RequestError("the same command is at work", fix="wait for it, or end it")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = folder.with_suffix(".lock")
    with in_turn(lock, 0, busy):
        changes: dict[str, Any] = {}
        if known.source:
            _fetch(Archive(known.source, "input"), known.source, folder / "input")
            changes["input"] = str(folder / "input")
        if known.target:
            changes["output"] = folder / "output"
        yield AtHand(config.changed(**changes), Archive(known.target, "output") if known.target else None)
        shutil.rmtree(folder)
        lock.unlink()  # while it is held: whoever comes next would have the old one, and another one a new one


def _fetch(archive: Archive, address: WebAddress, folder: Path) -> None:
    """Bring the images of a study into a folder, under names that say nothing of whose they are."""
    there = archive.instances(str(address.study), address.series)
    images = [each for each in there if is_image_class(UID(each.kind))]
    wanted = False
    for each in images:
        target = folder / _name(each.series) / f"{_name(each.instance)}.dcm"
        if not target.exists():
            archive.fetch(each, target)
        # What srexp made of a study lies in it, too, and isn't made still larger unless that is asked for.
        if address.series or not _is_restored(target):
            wanted = True
        else:
            target.unlink()
    if not wanted:
        raise RequestError(
            f"the archive has no such {'series' if address.series else 'study'}, or no image in it to restore",
            got=f"{len(there)} objects, {len(images)} of them images",
            expected="images that srexp hasn't made",
            fix="for what srexp made, input=dicomweb://HOST/PATH/studies/UID/series/UID",
        )


def _is_restored(path: Path) -> bool:
    try:
        return identity_of(path).restored
    except RequestError:  # it is refused by name later
        return False


def _name(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:16]
