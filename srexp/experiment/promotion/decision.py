"""Whether a version becomes champion: the gate is asked, the evidence is stored, and only then the alias moves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from srexp.config.builders import build
from srexp.config.sections.verbs import PromoteConfig
from srexp.errors import SrexpError
from srexp.evaluation.promotion_gate import Criterion, Gate
from srexp.experiment.promotion.candidate import Candidate
from srexp.experiment.promotion.challenge import Challenge, challenge, evidence, when_and_by_which_code
from srexp.experiment.task import Task
from srexp.tracking.registry import promotion
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.failures import advice, reason

LOCK = "promote.lock"


def decide(
    config: PromoteConfig,
    tracked: Run,
    ours: Candidate,
    task: Task,
    *,
    tags: Mapping[str, str],
    others: Sequence[Candidate],
    tell: Callable[[dict[str, Any]], object],
) -> dict[str, Any]:
    """Hold a version against the champion; against the next one, where another promotion was faster.

    Args:
        config: Of the promotion.
        tracked: The open run, which gets the evidence.
        ours: The version, scored.
        task: What it was scored on.
        tags: What the version's training said of it.
        others: Further models that it must beat, scored.
        tell: Receives the result of a promotion that is refused.

    Returns:
        `result.json`: the evidence, the gate line by line, and where the aliases point.

    Raises:
        SrexpError: The gate doesn't hold, or the store didn't take the evidence; nothing was moved.
    """
    store = tracked.store
    gate: Gate = build(config.promote)
    while (now := promotion.places(store, config.name)).champion != ours.version:
        found = challenge(store, config.name, task, ours, tags=tags, over=now.champion, others=others)
        criteria = gate.judge(found.case())
        told = _recorded(config, tracked, found, criteria)
        shown = {**told, "promoted": False, "previous": now.previous, "warnings": found.notes()}
        if any(not each.holds and (each.absolute or not config.force) for each in criteria):
            tell(shown)
            raise _refusal(config, ours, criteria)
        if promotion.promote(store, config.paths.root / LOCK, config.name, ours.version, told, over=now.champion):
            tracked.set_tags({"promoted": "true"})
            return {**shown, "promoted": True, "previous": promotion.places(store, config.name).previous}
    return {"run_id": tracked.id, **unchanged(config, ours.version, now)}


def unchanged(config: PromoteConfig, version: int, now: promotion.Places) -> dict[str, Any]:
    """Tell in `result.json` that a version is the champion already."""
    return {
        "name": config.name,
        "version": version,
        "promoted": False,
        "already": True,
        "champion": now.champion,
        "previous": now.previous,
        "warnings": [],
    }


def roll_back(config: PromoteConfig, tracking: Tracking, now: promotion.Places) -> dict[str, Any]:
    """Let champion and previous champion change places.

    Args:
        config: Of the promotion.
        tracking: Where models are kept.
        now: Where the aliases point.

    Returns:
        `result.json`.

    Raises:
        RequestError: There is no champion before this one.
        SrexpError: The store didn't take the evidence; nothing was moved.
    """
    promotion.require_previous(config.name, now)
    known = {**config.tags, "verb": "promote", "task": config.name, "rollback": "true"}
    with tracking.run(config.name, name=config.run_name or "rollback", tags=known, folder=config.run_dir) as tracked:
        known = when_and_by_which_code()
        record = {"run_id": tracked.id, "date": known["date"], "commit": known["commit"], "reason": config.reason}
        tracked.log_dict(record, "promotion.json")
        _require_stored(tracked)
        to = promotion.rollback(tracking.store, config.paths.root / LOCK, config.name, record)
        tracked.set_tags({"version": to.champion, "rolled_back": to.previous})
        moved = {"version": to.champion, "champion": to.champion, "previous": to.previous}
        result: dict[str, Any] = {**record, "name": config.name, **moved, "rolled_back": True, "warnings": []}
        tracked.log_dict(result, "result.json")
    return result


def _recorded(config: PromoteConfig, tracked: Run, found: Challenge, criteria: Sequence[Criterion]) -> dict[str, Any]:
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
        failure = tracked.failure or TimeoutError()
        raise SrexpError(
            "the tracking store didn't take the evidence, so nothing was moved",
            got="; ".join(tracked.journal.refused) or reason(failure),
            expected="a store that has the evidence before the champion changes",
            fix=f"{advice(failure).fix}; then type the same command again",
        )


def _refusal(config: PromoteConfig, ours: Candidate, criteria: Sequence[Criterion]) -> SrexpError:
    failed = [each for each in criteria if not each.holds]
    lines = [f"{each.name}: {each.measured}; required: {each.required}{_allowing(each)}" for each in failed]
    if absolute := any(each.absolute for each in failed):
        fix = "train a better one"
    elif all(each.allow for each in failed):
        fix = " ".join(each.allow for each in failed)
    else:
        fix = "train a better one, or force=true reason='why it may serve all the same'"
    return SrexpError(
        f"version {ours.version} of {config.name} was not promoted, and nothing was moved:",
        lines=lines,
        expected="what not even force=true does without" if absolute else "a model for which all of this holds",
        fix=fix,
    )


def _allowing(each: Criterion) -> str:
    return f" ({each.allow} allows it)" if each.allow else ""
