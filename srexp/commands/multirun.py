"""Runs of one multirun: their parent, and which of them finished before."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from srexp.config.schema import Config
from srexp.tracking import family
from srexp.tracking.start import Tracking

#: What may differ between two runs that give the same numbers.
INDIFFERENT = ("paths", "tracking", "run_name", "tags", "verb")
#: Keys of a data set that say where its files are; what they hold is in its fingerprint.
PLACES = ("root", "cache", "url")
IDENTITY_TAG = "srexp.identity"
PARENT = "parent.json"
#: Tells the jobs of a multirun, perhaps in other processes, which process drives it.
DRIVER = "SREXP_DRIVER_PID"


def identity(config: Config, fingerprint: str) -> str:
    """Say in a few letters what decides the numbers of a run: its configuration and its data.

    Args:
        config: Checked configuration.
        fingerprint: Of the data and its split.

    Returns:
        64 hexadecimal digits.
    """
    decisive = {key: value for key, value in config.resolved.items() if key not in INDIFFERENT}
    decisive["dataset"] = {key: value for key, value in decisive["dataset"].items() if key not in PLACES}
    text = json.dumps({"configuration": decisive, "data": fingerprint}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


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
    earlier = family.find_finished(tracking.store, config.experiment_name, {IDENTITY_TAG: same})
    result = family.read_json(tracking.store, earlier, "result.json") if earlier else None
    return result and {**result, "skipped": True}


def parent(tracking: Tracking, config: Config) -> str | None:
    """Give the parent run of this multirun; the first job that comes opens it.

    Args:
        tracking: Store.
        config: Checked configuration.

    Returns:
        Run id; None when this is no multirun.
    """
    if config.sweep is None:
        return None
    from filelock import FileLock

    note = config.sweep / PARENT
    with FileLock(f"{note}.lock"):
        if note.is_file():
            return str(json.loads(note.read_text(encoding="utf-8"))["run_id"])
        run_id = family.open_parent(
            tracking.store,
            config.experiment_name,
            name=f"multirun {'/'.join(config.sweep.parts[-2:])}",
            tags={"srexp.sweep": config.sweep.name},
            pid=int(os.environ.get(DRIVER, os.getpid())),
        )
        opened = {"run_id": run_id, "folder": str(tracking.folder), "uri": tracking.uri}
        note.write_text(json.dumps(opened), encoding="utf-8")
    return run_id


def close(sweep: Path, status: str) -> None:
    """End the parent of a multirun; called by its driver, whatever happened to the jobs.

    Args:
        sweep: Folder of the multirun.
        status: FINISHED, FAILED or KILLED.
    """
    note = sweep / PARENT
    if note.is_file():
        opened = json.loads(note.read_text(encoding="utf-8"))
        store = Tracking(folder=Path(opened["folder"]), uri=opened["uri"]).store
        family.close(store, opened["run_id"], status)
