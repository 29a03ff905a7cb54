"""Scores that several processes share out among each other: each leaves those of its shard, the last one joins them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from srexp.config.identity import identity
from srexp.config.shards import Shard
from srexp.data.sources.source import Split
from srexp.errors import SrexpError
from srexp.evaluation.score import Row, Scores
from srexp.experiment.network import Predict
from srexp.experiment.scoring import score_split
from srexp.experiment.task import Task
from srexp.system.files.atomic_files import write_whole
from srexp.system.files.file_locks import in_turn
from srexp.system.files.json_files import DamagedError, read_note
from srexp.system.kernels.choice import in_force
from srexp.system.versions import code

_WAIT = 3600.0  # seconds for another shard that joins the scores, draws pictures and sends them


class SharedScores:
    """The scores of all shards of the images of a task.

    They lie in the cache, under a name that says what decides them: configuration, data, model, code, convolution
    kernels. So a command that is repeated scores only what is missing, and nothing is joined that differs in these.
    A file that is damaged counts as missing.

    Args:
        task: Whose images, and how they are scored.
        split: Which of them.
        shard: The one of this process.
        model: Digest of the model's file; None for interpolation, which the configuration names.
    """

    def __init__(self, task: Task, split: Split, shard: Shard, *, model: str | None) -> None:
        self.task, self.split, self.shard = task, split, shard
        decides = [identity(task.config, task.prepared.fingerprint), model, code(), in_force(), shard.count]
        if weights := task.protocol().get("lpips"):  # another file may lie at the same place
            decides.append(weights)
        name = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]
        self.folder = task.config.paths.cache / "shards" / name
        self._keys = [entry.key for entry in task.prepared.entries[split]]

    @property
    def images(self) -> int:
        """Number of images of the shard."""
        return sum(key in self.shard for key in self._keys)

    def score(self, predict: Predict) -> None:
        """Score the images of the shard, and leave that; nothing is done where it is there."""
        if self._scores_of(self.shard):
            return
        started = time.perf_counter()
        rows = score_split(predict, self.task, self.split, within=self.shard).rows if self.images else ()
        kept = {"rows": [asdict(row) for row in rows], "seconds": time.perf_counter() - started}
        write_whole(self.folder / f"{self.shard.file_name}.json", json.dumps(kept))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Look at the scores of all shards, and join them, while no other process does."""
        busy = SrexpError("another process joins the scores of these shards", got=str(self.folder), fix="try again")
        with in_turn(self.folder / "join.lock", _WAIT, busy):
            yield

    def missing(self) -> list[str]:
        """Name the shards of which there are no scores yet."""
        return [str(each) for each in self.shard.all if not self._scores_of(each)]

    def joined(self) -> tuple[Scores, list[dict[str, Any]]]:
        """Give the scores of all images in the order in which one process scores them, and how long each shard took."""
        parts = [self._scores_of(each) or {} for each in self.shard.all]
        rows = {row["key"]: Row(**row) for part in parts for row in part["rows"]}
        took = [
            {"shard": str(each), "n_images": len(part["rows"]), "evaluate_seconds": part["seconds"]}
            for each, part in zip(self.shard.all, parts, strict=True)
        ]
        return Scores(tuple(rows[key] for key in self._keys)), took

    def keep(self, result: Mapping[str, Any]) -> None:
        """Keep what the joined scores came to."""
        write_whole(self.folder / "result.json", json.dumps(result))

    def kept(self) -> dict[str, Any] | None:
        """Give what the joined scores came to; None where they weren't joined yet."""
        return self._read("result.json", "run_id", "test")

    def _scores_of(self, shard: Shard) -> dict[str, Any] | None:
        return self._read(f"{shard.file_name}.json", "rows", "seconds")

    def _read(self, name: str, *keys: str) -> dict[str, Any] | None:
        with suppress(DamagedError):
            return read_note(self.folder / name, keys=keys, fix="remove it")
        return None
