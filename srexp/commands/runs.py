"""`runs`: the runs of the store, newest first; what it hasn't got; and an end for those whose process is gone."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from srexp.commands.printing import listings
from srexp.config.builders import build
from srexp.config.sections.verbs import RunsConfig
from srexp.errors import RequestError
from srexp.system.masking.redaction import mask
from srexp.system.process_identity import process_is_gone
from srexp.tracking.journal import recovery
from srexp.tracking.pages import run_page, server_of
from srexp.tracking.runs import groups, queries
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.locations import path_of
from srexp.tracking.store.store import Store, connect, relocate

ALL = "all"
_MOST_OPEN = 100_000


def run(config: RunsConfig) -> dict[str, Any]:
    """List runs; with `sync=true`, send first what runs left unsent; with `reap=true`, end those whose process is gone.

    With `relocate=true`, write into the database of a store that was moved or copied where its artifacts are now.
    With `id`, tell all of one run.

    Args:
        config: Checked configuration.

    Returns:
        One row for each run, what was sent, the ids of those that were ended, the open ones of other machines, and how
        many addresses of artifacts were rewritten.

    Raises:
        RequestError: There is no such experiment.
        SrexpError: The store is away.
    """
    if config.reap_hosts and not config.reap:
        raise RequestError(
            "reap_hosts says whose runs to end, and nothing is to be ended", fix="add reap=true, or leave it out"
        )
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    if config.id:
        row = _whole(tracking.store, config.id)
        listings.run(row)
        return {"runs": [row]}
    experiment = None if config.experiment_name == ALL else config.experiment_name
    moved, backup = relocate(tracking.store) if config.relocate else (0, None)
    synced = [asdict(each) for each in recovery.send(tracking.store, tracking.index)] if config.sync else []
    reaped, elsewhere = _reap(config, tracking.store, experiment) if config.reap else ([], [])
    found = queries.latest(tracking.store, experiment=experiment, limit=config.limit)
    result = {"runs": [_row(each) for each in found], "synced": synced, "reaped": reaped, "elsewhere": elsewhere}
    result |= {"relocated": moved, "backup": backup and str(backup)}
    listings.runs(result)
    return result


def _reap(config: RunsConfig, store: Store, experiment: str | None) -> tuple[list[str], list[dict[str, Any]]]:
    """End the open runs of dead processes of this machine, and those of the machines that were named."""
    reaped = groups.reap(store, experiment=experiment, reason="its process was gone when runs were reaped")
    elsewhere = []
    for each in queries.latest(store, experiment=experiment, limit=_MOST_OPEN, status="RUNNING"):
        host = each.tags.get("srexp.host", "")
        if process_is_gone(each.tags) is not None:
            continue
        if host in config.reap_hosts:
            groups.close(store, each.run_id, "KILLED", f"reaped from another machine: reap_hosts named {host}")
            reaped.append(each.run_id)
        else:
            elsewhere.append({"run_id": each.run_id, "name": each.name, "host": host or None})
    return reaped, elsewhere


def _whole(store: Store, run_id: str) -> dict[str, Any]:
    """Tell all of one run."""
    found = queries.get_run(store, run_id)
    info = connect(store).get_run(run_id).info
    place = path_of(info.artifact_uri)
    return {
        **_row(found),
        "page": run_page(server_of(store), info.experiment_id, run_id),
        "artifacts": str(place or mask(info.artifact_uri)),
        "metrics": found.metrics,
        "tags": found.tags,
    }


def _row(each: queries.StoredRun) -> dict[str, Any]:
    ended = each.ended if each.ended is not None else time.time() * 1000
    return {
        "run_id": each.run_id,
        "experiment_name": each.experiment,
        "name": each.name,
        "verb": each.tags.get("verb", "train" if "model" in each.tags else None),
        "state": each.status,
        "model": each.tags.get("model"),
        "val_psnr": _finite(each.metrics, "best_val_psnr", "val_psnr"),
        "test_psnr": _finite(each.metrics, "test_psnr"),
        "gain_db": _finite(each.metrics, "gain_db"),
        "started": each.started,
        "seconds": round((ended - each.started) / 1000, 1),
        "note": _note(each),
    }


def _note(each: queries.StoredRun) -> str:
    if each.status != "RUNNING":
        return ""
    gone = process_is_gone(each.tags)
    if gone is None:
        host = each.tags.get("srexp.host")
        return f"on {host}" if host else "of an unknown process"
    return "its process is gone" if gone else ""


def _finite(metrics: Mapping[str, float], *names: str) -> float | None:
    return next((metrics[name] for name in names if math.isfinite(metrics.get(name, math.nan))), None)
