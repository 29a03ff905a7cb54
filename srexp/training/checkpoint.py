"""What a training needs to go on exactly where it was, and files of it that a crash can't spoil."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import shutil
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from srexp.errors import SrexpError
from srexp.system.files.atomic_files import whole_file
from srexp.training.best_epoch import Arrays, History

log = logging.getLogger(__name__)

#: Of the newest checkpoints; the second is for when the first was damaged.
KEPT = 2
_NAME = re.compile(r"step-(\d+)-epochs-(\d+)-([0-9a-f]{16})\.npz")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The whole state of a training between two steps; by default before the first.

    Batches have no state: they are a function of seed and step.

    Args:
        step: Optimizer steps done.
        history: The epochs so far, and the weights of the best one.
        model: Variables of the network, random seeds of its layers included.
        optimizer: Variables of the optimizer.
        metrics: Variables of the running loss of the epoch.
        beside: Variables of what the course has beside network and optimizer, such as a discriminator with its own.
        seconds: Time spent training so far, interruptions left out, validation included.
        validation_seconds: The part of it that was validation.
        first_loss: Running loss after the first step, by which an explosion is known.
    """

    step: int = 0
    history: History = field(default_factory=History)
    model: Arrays = field(default=(), repr=False)
    optimizer: Arrays = field(default=(), repr=False)
    metrics: Arrays = field(default=(), repr=False)
    beside: Arrays = field(default=(), repr=False)
    seconds: float = 0.0
    validation_seconds: float = 0.0
    first_loss: float | None = None

    def finite(self) -> bool:
        """Whether all weights are numbers; otherwise there is nothing to go on with."""
        arrays = [*self.model, *self.beside]
        return all(bool(np.isfinite(array).all()) for array in arrays if array.dtype.kind == "f")


class Checkpoints:
    """The checkpoints of one run, in a folder of its own.

    A file is written under another name, brought to the disk, and then renamed, so that a crash leaves what was there
    before; its name holds the digest of its content, so that damage is noticed, and the one before is taken.

    Args:
        folder: Created when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._good: list[Path] = []

    @property
    def newest(self) -> Path | None:
        """The file that was written or read last."""
        return self._good[-1] if self._good else None

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then delete all but it and the one before.

        Args:
            checkpoint: With finite weights.

        Returns:
            The file.

        Raises:
            OSError: It can't be written; those before it are still there.
        """
        content = _packed(checkpoint)
        name = f"step-{checkpoint.step:09}-epochs-{len(checkpoint.history.epochs):05}-{_digest(content)}.npz"
        path = self.folder / name
        with whole_file(path) as file:
            file.write(content)
        self._good = [*(good for good in self._good if good != path), path][-KEPT:]
        for other in self.folder.iterdir():
            if other not in self._good and not other.is_dir():
                other.unlink(missing_ok=True)
        return path

    def latest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is whole.

        Returns:
            The checkpoint; None when there is none.

        Raises:
            SrexpError: Another version of srexp wrote it, or it can't be read: what may be whole isn't passed over.
        """
        for place in (self.folder.parent, self.folder):
            if os.path.lexists(place) and not place.is_dir():
                raise SrexpError(
                    f"{place} is no folder, and the checkpoints of the run were in it",
                    expected="the folder as it was",
                    fix="bring a copy of it back; or delete what is there, and training begins anew",
                )
        for path in reversed(self.files()):
            try:
                content = path.read_bytes() if path.is_file() else b""
            except OSError as error:
                raise SrexpError(
                    f"checkpoint {path} can't be read: {error.strerror or error}",
                    expected="files that this user may read",
                    fix="permit it; or delete it, and training goes on from the one before, or begins anew",
                ) from error
            if _digest(content) == path.stem[-16:]:
                self._good = [path]
                return _unpacked(content, path)
            log.warning("checkpoint %s is damaged; the one before it is taken", path)
        return None

    def files(self) -> list[Path]:
        """List what claims to be a checkpoint, the furthest last."""
        found = [(match, path) for path in self.folder.glob("*.npz") if (match := _NAME.fullmatch(path.name))]
        return [path for _, path in sorted(found, key=lambda pair: (int(pair[0][1]), int(pair[0][2]), pair[1].name))]

    def remove(self) -> None:
        """Delete all of them: the run finished. A folder that can't be deleted does no harm."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # of another run that trains into the same folder, something lies in it
            self.folder.parent.rmdir()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _packed(checkpoint: Checkpoint) -> bytes:
    groups = {
        "model": checkpoint.model,
        "optimizer": checkpoint.optimizer,
        "metrics": checkpoint.metrics,
        "best": checkpoint.history.best_weights,
    }
    if checkpoint.beside:  # else an older version can read it, too
        groups["beside"] = checkpoint.beside
    arrays: dict[str, Any] = {f"{name}/{i}": array for name, group in groups.items() for i, array in enumerate(group)}
    history = replace(checkpoint.history, best_weights=())
    rest = asdict(replace(checkpoint, history=history, model=(), optimizer=(), metrics=(), beside=()))
    del rest["beside"]
    course = rest.pop("history")
    rest["course"] = {"history": course.pop("epochs"), **course}  # as the first version of srexp called them
    rest["sizes"] = {name: len(group) for name, group in groups.items()}
    text = np.frombuffer(json.dumps(rest).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, state=text, **arrays)
    return file.getvalue()


def _unpacked(content: bytes, path: Path) -> Checkpoint:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            rest: dict[str, Any] = json.loads(file["state"].tobytes())
            arrays = {
                name: tuple(file[f"{name}/{index}"] for index in range(size))
                for name, size in rest.pop("sizes").items()
            }
        course = rest.pop("course")
        listed = {name: tuple(known) if isinstance(known, list) else known for name, known in course.items()}
        history: dict[str, Any] = {"epochs": listed.pop("history"), **listed, "best_weights": arrays.pop("best")}
        return Checkpoint(**{**rest, **arrays, "history": History(**history)})
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise SrexpError(
            f"checkpoint {path} is whole, but of another version of srexp",
            got=str(error),
            fix="resume with the version that wrote it, or train anew",
        ) from error
