"""`promote`: a version that beats the champion takes its place, with evidence; or the champion before it returns."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from srexp.commands import console
from srexp.config.builders import build
from srexp.config.schema import PromoteConfig
from srexp.errors import RequestError, SrexpError
from srexp.evaluation.promotion_gate import Criterion, Gate
from srexp.experiment import network
from srexp.experiment.loaded_model import loaded_for
from srexp.experiment.profiling import Stopwatch
from srexp.experiment.promotion.candidate import Contestant, scored
from srexp.experiment.promotion.challenge import Contest, contest, evidence
from srexp.experiment.recorded_config import TRAINING, log_request, run_of, task_of
from srexp.experiment.task import Task
from srexp.system.memory import peak_rss_mb
from srexp.tracking.registry import promotion
from srexp.tracking.registry.promotion import Places
from srexp.tracking.runs import environment
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store import addresses
from srexp.tracking.store.store import Store

LOCK = "promote.lock"


def run(config: PromoteConfig) -> dict[str, Any]:
    """Score a version and today's champion on the same test images, and move the alias if the gate holds.

    Args:
        config: Checked configuration.

    Returns:
        `result.json`: the evidence, the gate line by line, and where the aliases point.

    Raises:
        RequestError: There is no such version, its data isn't there, or there is nothing to roll back to.
        SrexpError: The gate doesn't hold; nothing was moved.
    """
    watch = Stopwatch()
    _require_sense(config)
    build(config.promote)  # refuses numbers that make no sense before anything is scored
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    now = promotion.settle(tracking.store, config.paths.root / LOCK, config.name)
    if config.rollback:
        return _rollback(config, tracking, now)
    number = isinstance(config.version, int)
    found = addresses.find(tracking.store, f"models:/{config.name}{'/' if number else '@'}{config.version}")
    version = int(found.version or 0)
    if version == now.champion:
        result = _already(config, version, now)
    else:
        tags = promotion.version_tags(tracking.store, config.name, version)
        with watch("data"):
            task = _task(config, tracking.store, found, tags)
        known = {"verb": "promote", "model": tags.get("model", ""), "version": version}
        with run_of(task, tracking, name=f"promote version {version}", tags=known) as tracked:
            log_request(tracked, task, without=TRAINING)
            with watch("evaluate"):
                ours = _scored(tracking.store, found, task, version)
                result = _decide(config, tracked, task, ours, tags=tags)
            result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
            tracked.log_dict(result, "result.json")
    console.promotion(result)
    return result


def _require_sense(config: PromoteConfig) -> None:
    """Refuse what contradicts itself."""
    if config.force and not (config.reason and config.reason.strip()):
        raise RequestError(
            "force=true needs a reason, which is kept with the evidence",
            expected="why the gate doesn't matter this time",
            fix="reason='the first model of this task'",
        )
    if config.rollback and (config.force or config.version != "candidate"):
        raise RequestError(
            "rollback=true takes no version and no force",
            expected="rollback=true alone, or with name= and reason=",
            fix="leave version and force out",
        )


def _task(config: PromoteConfig, store: Store, found: addresses.Found, tags: Mapping[str, str]) -> Task:
    """Prepare the test images of the version's training."""
    fingerprint = tags.get("data.fingerprint")
    if not found.run_id or not fingerprint:
        raise RequestError(
            f"{found.uri} doesn't say which run trained it on which data",
            expected="a version that srexp registered, with the tag data.fingerprint",
            fix="choose another version",
        )
    return task_of(config, store, found.run_id, fingerprint=fingerprint)


def _scored(store: Store, found: addresses.Found, task: Task, version: int) -> Contestant:
    network.prepare(task.config)
    return scored(loaded_for(task, store, found), task, version)


def _decide(
    config: PromoteConfig, tracked: Run, task: Task, ours: Contestant, *, tags: Mapping[str, str]
) -> dict[str, Any]:
    """Hold the version against the champion; against the next one, where another promotion was faster."""
    store = tracked.store
    gate: Gate = build(config.promote)
    while (now := promotion.places(store, config.name)).champion != ours.version:
        found = contest(store, config.name, task, ours, tags=tags, over=now.champion)
        criteria = gate.judge(found.case())
        told = _testimony(config, tracked, found, criteria)
        shown = {**told, "promoted": False, "previous": now.previous, "warnings": found.notes()}
        if any(not each.holds and (each.absolute or not config.force) for each in criteria):
            console.promotion(shown)
            raise _refusal(config, ours, criteria)
        if promotion.promote(store, config.paths.root / LOCK, config.name, ours.version, told, over=now.champion):
            tracked.set_tags({"promoted": "true"})
            return {**shown, "promoted": True, "previous": promotion.places(store, config.name).previous}
    return {"run_id": tracked.id, **_already(config, ours.version, now)}


def _testimony(config: PromoteConfig, tracked: Run, found: Contest, criteria: Sequence[Criterion]) -> dict[str, Any]:
    """Write the evidence into the run, before anything moves."""
    told = {
        "run_id": tracked.id,
        "experiment_name": found.task.name,
        "name": config.name,
        "version": found.ours.version,
        "forced": config.force and not all(each.holds for each in criteria),
        "reason": config.reason,
        **evidence(found, criteria),
    }
    path = config.run_dir / "promotion.json"
    path.write_text(json.dumps(told, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    tracked.log_file(path)
    tracked.log_rows(found.images(), "promotion.csv")
    tracked.set_tags({"promoted": "false", "failed": "; ".join(told["failed"]) or "nothing"})
    means = {f"test_{name}": value for name, value in found.ours.means().items() if value is not None}
    gains = {"gain_db": told["gains"].get("bicubic"), "gain_champion_db": told["gains"].get("the champion")}
    known = {name: gain["gain"] for name, gain in gains.items() if gain and gain["gain"] is not None}
    tracked.log_metrics({**means, **known}, step=0)
    _require_stored(tracked)
    return told


def _require_stored(tracked: Run) -> None:
    """Wait until the store has the evidence: a champion without it must not be there for a moment."""
    if not tracked.flush() or tracked.journal.refused:
        raise SrexpError(
            "the tracking store didn't take the evidence, so nothing was moved",
            got="; ".join(tracked.journal.refused) or "no answer",
            expected="a store that has the evidence before the champion changes",
            fix="start the server, and type the same command again",
        )


def _refusal(config: PromoteConfig, ours: Contestant, criteria: Sequence[Criterion]) -> SrexpError:
    failed = [each for each in criteria if not each.holds]
    lines = "".join(f"\n  {each.name}: {each.measured}; required: {each.required}{_allowing(each)}" for each in failed)
    if absolute := any(each.absolute for each in failed):
        fix = "train a better one"
    elif all(each.allow for each in failed):
        fix = " ".join(each.allow for each in failed)
    else:
        fix = "train a better one, or force=true reason='why it may serve all the same'"
    return SrexpError(
        f"version {ours.version} of {config.name} was not promoted, and nothing was moved:{lines}",
        expected="what not even force=true does without" if absolute else "a model for which all of this holds",
        fix=fix,
    )


def _allowing(each: Criterion) -> str:
    return f" ({each.allow} allows it)" if each.allow else ""


def _already(config: PromoteConfig, version: int, now: Places) -> dict[str, Any]:
    return {
        "name": config.name,
        "version": version,
        "promoted": False,
        "already": True,
        "champion": now.champion,
        "previous": now.previous,
        "warnings": [],
    }


def _rollback(config: PromoteConfig, tracking: Tracking, now: Places) -> dict[str, Any]:
    """Let champion and previous champion change places."""
    promotion.require_previous(config.name, now)
    known = {**config.tags, "verb": "promote", "task": config.name, "rollback": "true"}
    with tracking.run(config.name, name=config.run_name or "rollback", tags=known, folder=config.run_dir) as tracked:
        commit = environment.commit_of(Path(__file__))
        record = {
            "run_id": tracked.id,
            "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "commit": commit and commit.sha,
            "reason": config.reason,
        }
        tracked.log_dict(record, "promotion.json")
        _require_stored(tracked)
        to = promotion.rollback(tracking.store, config.paths.root / LOCK, config.name, record)
        tracked.set_tags({"version": to.champion, "rolled_back": to.previous})
        result: dict[str, Any] = {
            **record,
            "name": config.name,
            "version": to.champion,
            "rolled_back": True,
            "champion": to.champion,
            "previous": to.previous,
            "warnings": [],
        }
        tracked.log_dict(result, "result.json")
    console.promotion(result)
    return result
