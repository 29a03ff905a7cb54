"""One of several processes that share out the files of an input: what is its own, and what the last one does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srexp.config.sections.verbs import EnhanceConfig
from srexp.config.shards import Shard
from srexp.enhance import manifest_parts
from srexp.enhance.output_manifest import OutputManifest, join_parts
from srexp.errors import RequestError
from srexp.experiment.restoration.jobs import Job, Outcome, wanted_of


class Sharing:
    """The share of a process in the files of an input; all of them where `shard` isn't set.

    Every process finds all files and names all outputs, so that names are those of one process.

    Args:
        config: Checked configuration, with `output` and `shard`.
        jobs: All files.
        outcome: In which those that are no images have failed; only those of the shard are left in it.
    """

    def __init__(self, config: EnhanceConfig, jobs: Sequence[Job], outcome: Outcome) -> None:
        self.shard = Shard.read(config.shard) if config.shard else None
        self.config, self.output, self.all_jobs = config, Path(config.output).expanduser(), jobs
        self.jobs = [job for job in jobs if self.shard is None or job.name in self.shard]
        outcome.failed = {name: why for name, why in outcome.failed.items() if self.shard is None or name in self.shard}
        self.outcome = outcome

    @property
    def part(self) -> str | None:
        """Name of the part of the list that rows are added to; None for the list itself."""
        return self.shard.file_name if self.shard else None

    def join(self) -> None:
        """Put into the list what shards have made that have ended or died.

        Raises:
            RequestError: Some are at work that share out the files in another way, so that a file might be made twice.
        """
        at_work = join_parts(self.output, [job.name for job in self.all_jobs])
        mine = {each.file_name for each in self.shard.all} if self.shard else set()
        if others := sorted({*at_work} - mine):
            raise RequestError(
                "shards of these images are at work in output",
                got=f"{self.output}: {', '.join(others)}",
                expected="none, or as many shards as those",
                fix="wait for them, or output= another folder",
            )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold the shard, so that no other process works on it, too; its rows are in the list at the end."""
        if self.shard is None:
            yield
            return
        with manifest_parts.held(self.output, self.shard.file_name):
            yield
        join_parts(self.output, [job.name for job in self.all_jobs])

    def end(self, manifest: OutputManifest) -> Outcome | None:
        """Note that the shard has ended.

        Args:
            manifest: Of the output folder, as it was in the beginning.

        Returns:
            What became of the files of all shards, for a page of them, where this was the last shard to end; of the
            only process, always.
        """
        if self.shard is None:
            return self.outcome
        names = json.dumps([job.name for job in self.all_jobs])
        said: Mapping[str, Any] = {
            "settings": manifest.settings,
            "inputs": hashlib.sha256(names.encode()).hexdigest(),
            "failed": self.outcome.failed,
        }
        of_all = manifest_parts.ended(
            self.output, self.shard.file_name, said, [each.file_name for each in self.shard.all]
        )
        if of_all is None:
            return None
        now = OutputManifest(self.output, model=manifest.model, settings=manifest.settings)
        failed = {name: why for each in of_all for name, why in each["failed"].items()}
        done = [job for job in self.all_jobs if job.name not in failed]
        whole = Outcome(skipped=[job.name for job in done], failed=failed)
        for job in done:
            whole.note(job.name, now.measured(job.outputs, wanted_of(self.config)) or {})
        return whole
