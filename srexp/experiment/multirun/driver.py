"""Runs of one multirun: their parent, which of them finished before, and what they come to together."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from srexp.config.builders import build
from srexp.config.identity import IDENTITY_TAG, digest, identity
from srexp.config.sections.base import Config
from srexp.experiment.multirun import job, page, shards, summary
from srexp.system import process_identity
from srexp.system.child_process import DRIVER
from srexp.system.files.atomic_files import write_whole
from srexp.system.files.json_files import read_note
from srexp.tracking.runs import groups, queries
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import Store

PARENT = "parent.json"
REAP = "the runs of the multirun stay open until `python -m srexp runs reap=true`"

T = TypeVar("T")

logger = logging.getLogger(__name__)


def announce(sweep: Path) -> None:
    """Begin a multirun in its driving process: say who drives it, and forget an earlier one into the same folder."""
    os.environ[DRIVER] = json.dumps(process_identity.process_tags())
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray, as a launcher, reports to its makers
    with suppress(OSError):  # a folder that can't be: Hydra's own attempt is told of
        (sweep / PARENT).unlink(missing_ok=True)
        job.forget(sweep)


def finished_before(tracking: Tracking, config: Config, same: str) -> dict[str, Any] | None:
    """Find what an earlier finished run of the same job of a multirun led to.

    Args:
        tracking: Store.
        config: Checked configuration.
        same: `identity` of the job.

    Returns:
        The earlier `result.json` with `skipped` true; None when there is none, or when this is no multirun.
    """
    if config.sweep is None:
        return None
    earlier = _found_before(tracking.store, config, same)
    result = queries.read_json(tracking.store, earlier, "result.json") if earlier else None
    return result and {**result, "skipped": True}


def _found_before(store: Store, config: Config, pattern: str) -> str | None:
    find = partial(groups.find_finished, store, config.experiment_name, IDENTITY_TAG, pattern)
    return _unless_away(store, find, "it isn't looked up what finished before")


def skipped(config: Config) -> dict[str, Any] | None:
    """Find what an earlier run led to, without TensorFlow, and reading the data only where a run is likely to be found.

    Args:
        config: Checked configuration of a job of a multirun.

    Returns:
        See `finished_before`.
    """
    from srexp.experiment.task import Task

    if config.resolved.get("resume"):
        return None  # this is not the configuration that it goes on with
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    if not _found_before(tracking.store, config, f"{digest(config)}-%"):
        return None
    return finished_before(tracking, config, identity(config, Task(config).prepared.fingerprint))


def parent(tracking: Tracking, config: Config) -> str | None:
    """Give the parent run of this multirun; the first job that comes opens it.

    Args:
        tracking: Store.
        config: Checked configuration.

    Returns:
        Run id; None when this is no multirun, or the store is away.
    """
    if config.sweep is None:
        return None
    from filelock import FileLock

    note = config.sweep / PARENT
    with FileLock(f"{note}.lock"):
        if known := _noted(note):
            return str(known["run_id"])
        driver = os.environ.get(DRIVER)
        about: dict[str, Any] = {
            "name": f"multirun {'/'.join(config.sweep.parts[-2:])}",
            "tags": {"srexp.sweep": config.sweep.name},
            "process": json.loads(driver) if driver else process_identity.process_tags(),
        }
        begin = partial(groups.open_parent, tracking.store, config.experiment_name, **about)
        run_id = _unless_away(tracking.store, begin, "this job has no parent run")
        if run_id is None:
            return None
        opened = {"run_id": run_id, "folder": str(tracking.folder), "uri": tracking.uri}
        write_whole(note, json.dumps(opened))
    return run_id


def end_lost(sweep: Path, *, status: str, reason: str) -> None:
    """End the runs of jobs whose process died without a word.

    Args:
        sweep: Folder of the multirun.
        status: FAILED or KILLED.
        reason: Why.
    """
    store, run_id = _opened(sweep)
    if store:
        _unless_away(store, lambda: groups.reap(store, parent=run_id, status=status, reason=reason), REAP)


def close(
    sweep: Path,
    status: str,
    tell: Callable[[summary.Summary, Path], object],
    tell_shards: Callable[[Sequence[shards.Shared], Path], object],
) -> None:
    """End a multirun, whatever happened to its jobs: its runs, its summary, its parent. Called by its driver.

    Args:
        sweep: Folder of the multirun.
        status: FINISHED, FAILED or KILLED.
        tell: Receives the summary, where there are trainings to sum up, and the folder.
        tell_shards: Receives what shards came to, where there are such, and the folder.
    """
    every = job.jobs(sweep)
    jobs = [each for each in every if each.verb == "train"]
    if shared := shards.gathered(every):
        shards.write(shared, sweep)
        tell_shards(shared, sweep)
    try:
        table = summary.summarise(jobs)
        files = summary.write(table, sweep) if jobs else []
        if jobs:
            tell(table, sweep)
        store, run_id = _opened(sweep)
        if store:
            interrupted = status == "KILLED"
            reason = "the multirun was interrupted" if interrupted else "its process ended without a word"
            end_lost(sweep, status="KILLED" if interrupted else "FAILED", reason=reason)
            shown = partial(page.show, store, run_id, jobs, table, files)
            if files:
                _unless_away(store, shown, "its summary is on disk only")
    finally:
        store, run_id = _opened(sweep)
        if store:
            _unless_away(store, lambda: groups.close(store, run_id, status), REAP)


def _unless_away(store: Store, work: Callable[[], T], otherwise: str) -> T | None:
    """Do what needs the store; its absence must end no other work, and what isn't done then is said."""
    from srexp.tracking.journal.replay import failures, is_away
    from srexp.tracking.store.failures import reason

    try:
        return work()
    except failures() as error:
        if not is_away(store, error):
            raise
        logger.warning("the tracking store is away, so %s: %s", otherwise, reason(error))
        return None


def _opened(sweep: Path) -> tuple[Store | None, str]:
    """Give store and run id of the parent; None when no job came to open one."""
    if not (opened := _noted(sweep / PARENT)):
        return None, ""
    return Tracking(folder=Path(opened["folder"]), uri=opened["uri"]).store, opened["run_id"]


def _noted(note: Path) -> dict[str, Any] | None:
    return read_note(note, keys=("run_id", "folder", "uri"), fix=f"repeat the multirun; {REAP}")
