"""`promote`: a version that beats the champion takes its place, with evidence; or the champion before it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from srexp.commands.printing import console
from srexp.config.builders import build
from srexp.config.sections.verbs import PromoteConfig
from srexp.errors import RequestError, did_you_mean
from srexp.experiment import network
from srexp.experiment.promotion import decision
from srexp.experiment.promotion.candidate import scored, scored_rival
from srexp.experiment.recorded_config import TRAINING, dated, log_request, run_of, task_of
from srexp.experiment.task import Task
from srexp.experiment.trained.loaded_model import awaited, loaded_for
from srexp.system.memory import peak_rss_mb
from srexp.system.profiling import Stopwatch
from srexp.tracking.registry import catalog, promotion
from srexp.tracking.runs.run import NOTHING_KEPT
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store import addresses
from srexp.tracking.store.store import Store


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
    now = promotion.settle(tracking.store, config.paths.root / decision.LOCK, config.name)
    if config.rollback:
        result = decision.roll_back(config, tracking, now)
        console.promotion(result)
        return result
    found = _found(config, tracking.store)
    rivals = _rivals(config, tracking.store)
    version, kept = int(found.version or 0), NOTHING_KEPT
    if version == now.champion:
        result = decision.unchanged(config, version, now)
    else:
        tags = promotion.version_tags(tracking.store, config.name, version)
        with watch("data"):
            task = _task(config, tracking.store, found, tags)
        known = {"verb": "promote", "model": tags.get("model", ""), "version": version}
        with run_of(task, tracking, name=dated(f"promote version {version}"), tags=known) as tracked:
            log_request(tracked, task, without=TRAINING)
            with watch("evaluate"):
                network.prepare(task.config)
                ours = scored(loaded_for(task, tracking.store, found), task, version)
                others = [scored_rival(tracking.store, each, task) for each in rivals]

                def tell(told: dict[str, Any]) -> None:
                    console.promotion(told, tracked.kept(config.overrides))

                result = decision.decide(config, tracked, ours, task, tags=tags, others=others, tell=tell)
            result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
            tracked.log_dict(result, "result.json")
        kept = tracked.kept(config.overrides)
    console.promotion(result, kept)
    return result


def _require_sense(config: PromoteConfig) -> None:
    """Refuse what contradicts itself."""
    if config.force and not (config.reason and config.reason.strip()):
        raise RequestError(
            "force=true needs a reason, which is kept with the evidence",
            expected="why the gate doesn't matter this time",
            fix="reason='the first model of this task'",
        )
    if config.rollback and (config.force or config.rivals or config.version != "candidate"):
        raise RequestError(
            "rollback=true takes no version, no force and no rivals",
            expected="rollback=true alone, or with name= and reason=",
            fix="leave version, force and rivals out",
        )


def _found(config: PromoteConfig, store: Store) -> addresses.Found:
    """Find the version, by its number or an alias, and its files."""
    versions = catalog.versions(store, config.name)
    known = [*sorted({alias for each in versions for alias in each.aliases}), *(str(each.number) for each in versions)]
    if str(config.version) not in known:
        raise RequestError(
            f"{config.name} has no such version",
            got=f"version={config.version}",
            expected=f"one of {', '.join(known)}; one that was deleted doesn't come back" if known else "a version",
            fix=did_you_mean(str(config.version), known) or (f"version={known[0]}" if known else "train a model first"),
        )
    return awaited(store, config.address)


def _rivals(config: PromoteConfig, store: Store) -> list[addresses.Found]:
    """Find the models that are to be beaten as well, before anything is scored; each once."""
    found = {each.readable: each for each in (addresses.find(store, uri) for uri in config.rivals)}
    for each in found.values():
        addresses.require_files(store, each)
    return list(found.values())


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
