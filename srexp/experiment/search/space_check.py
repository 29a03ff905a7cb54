"""Whether a search can begin: its space against the configuration, its study against what it began with."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from srexp.config.builders import build
from srexp.config.compose import check, composed
from srexp.config.frozen_files import Files
from srexp.config.identity import digest
from srexp.config.sections.verbs import SearchConfig
from srexp.data.batches.patches import require_divisible
from srexp.errors import RequestError, SrexpError, did_you_mean
from srexp.experiment.preflight import require_ranked_by_psnr, require_trainable
from srexp.experiment.search.search_job import (
    ENGINE,
    base_overrides,
    noted_engine,
    refused,
    study_folder,
    trial_overrides,
)
from srexp.experiment.task import Task, require_whole_visits
from srexp.search.space import Space, difference
from srexp.search.study import Search, Study
from srexp.tracking.store.parameters import flatten

#: Sections that decide on which images, or how, trials are scored: values of theirs can't be compared.
SCORING = ("dataset", "degradation", "protocol", "scale", "seed", "audit")
#: Keys of the trainer that do so.
SCORING_KEYS = ("trainer.validation_images", "trainer.validation_size", "trainer.test_size", "trainer.max_minutes")
#: Keys whose values must go into each other.
SIZES = ("trainer.batch_size", "trainer.patches_per_image", "trainer.patch_size")
#: Sections in which a search may choose.
SEARCHED = ("model", "loss", "optimizer", "schedule", "augmentation", "trainer")


@dataclass(frozen=True)
class Request:
    """What a search is asked for, besides its space and data.

    Args:
        typed: What the configuration would be typed as.
        composed: From `require_composable`.
        files: What was read for it.
    """

    typed: Sequence[str]
    composed: Sequence[str]
    files: Files


def searchable(config: SearchConfig) -> tuple[Search, list[str]]:
    """Build the engine of a search, and see that trials of its space can be composed.

    Args:
        config: Of the search.

    Returns:
        The engine, and what `require_composable` gives.

    Raises:
        RequestError: The search can't begin, whatever is in the study of its name.
    """
    name = str(config.search.options.get("name", ""))
    if name and (name == "experiment" or not re.fullmatch(r"\w[\w.-]*", name)):
        raise RequestError(
            "search.name is no name of a folder",
            got=name,
            expected="letters, digits, _ . and -, no . or - first, and not experiment, where the presets are",
            fix="search.name=my_search",
        )
    if config.trainer.strategy == "multi_worker":
        raise RequestError(
            "a search doesn't go with trainer.strategy=multi_worker",
            expected="auto, single or mirrored: each worker of a search trains networks of its own",
            fix="leave trainer.strategy out; drivers on several machines join one search",
        )
    engine: Search = build(config.search, folder=study_folder(config))
    _require_folder(engine.folder)
    mark = engine.folder / ENGINE
    if mark.is_file() and (theirs := noted_engine(mark)) != kind_of(engine, config):
        raise RequestError(
            f"the study {engine.name} was begun with another engine or storage", got=theirs["engine"],
            expected=config.search.target, fix=f"search.name={engine.name}_2",
        )  # fmt: skip
    return engine, require_composable(config, engine.parsed)


def _require_folder(folder: Path) -> None:
    """Refuse a place where the folder of a study can't be, before anything is tried."""
    place = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not os.path.isdir(place) or not os.access(place, os.W_OK | os.X_OK):  # noqa: PTH112  # never raises
        raise RequestError(
            "the folder of the study can't be written",
            got=str(place),
            expected="a folder that this user may write",
            fix="another search.name, or paths.studies=FOLDER",
        )


def kind_of(engine: Search, config: SearchConfig) -> dict[str, Any]:
    """Give what `noted_engine` reads of a study: its engine, and whether it is in a storage."""
    return {"engine": config.search.target, "storage": bool(engine.storage)}


def require_composable(config: SearchConfig, space: Space) -> list[str]:
    """Refuse a space whose keys or values the configuration doesn't have, before anything is loaded or trained.

    Args:
        config: Of the search.
        space: Its space.

    Returns:
        The digest of what a trial is composed to, for each choice of groups that the space has.

    Raises:
        RequestError: A key does not exist or may not be searched, or a value at an edge is refused.
    """
    for name in (key.name for key in space.parameters):
        if name.partition(".")[0] in SCORING or name in SCORING_KEYS:
            raise RequestError(
                f"search.space.{name} decides on which images, or for how long, trials are compared",
                expected=f"keys of {', '.join(SEARCHED)}",
                fix="one search for each of its values",
            )
        if "." not in name and name not in SEARCHED:
            raise RequestError(f"search.space.{name} can't be searched", expected=f"one of {', '.join(SEARCHED)}")
    base = base_overrides(config)
    trees: dict[tuple[str, ...], DictConfig] = {}
    digests: dict[tuple[str, ...], str] = {}
    for values in space.extremes():
        groups = {key: value for key, value in values.items() if "." not in key}
        typed = tuple(trial_overrides(base, groups))
        refusing = groups
        try:
            if typed not in trees:
                trees[typed] = composed("train", typed)
            tree, refusing = trees[typed].copy(), values
            for key, value in values.items():
                if key not in groups:
                    _set(tree, key, value)
            trial = check(tree, overrides=base)
            _ = trial.trainer.patches  # a number: trials of different sizes aren't comparable
            require_trainable(trial, build(trial.protocol))
            require_ranked_by_psnr(trial)
            digests.setdefault(typed, digest(trial))
        except SrexpError as error:
            fix = error.fix or "mend search.space"
            raise refused(refusing, error, "the configuration refuses", fix=fix) from error
    _require_sizes(config, space)
    return list(digests.values())


def _require_sizes(config: SearchConfig, space: Space) -> None:
    """Refuse sizes that don't go into each other; what fits at the edges need not between them."""
    for values in space.combined(SIZES):
        batch, visit, patch = (values.get(key, getattr(config.trainer, key.partition(".")[2])) for key in SIZES)
        try:
            require_whole_visits(batch, visit)
            for scale in config.trainer.scales or [config.scale]:
                require_divisible(patch, scale)
        except SrexpError as error:
            refusing = {key: values[key] for key in SIZES if key in values}
            raise refused(refusing, error, "the configuration refuses", fix=error.fix) from error


def require_same_search(study: Study, engine: Search, task: Task, request: Request) -> None:
    """Refuse to go on with a study that began with another space, other data or another configuration.

    Args:
        study: New or known; a new one notes all of this.
        engine: Has space and objectives.
        task: Has the fingerprint of the data.
        request: What else is asked for.

    Raises:
        RequestError: Something differs; the difference is shown. Or the study is new, and its folder is not.
    """
    asked: dict[str, Any] = {
        "space": engine.parsed.describe(),
        "objectives": list(engine.objectives),
        "configuration": list(request.typed),
        "composed": list(request.composed),
        "data_fingerprint": task.prepared.fingerprint,  # the last one, which says that the others are there
    }
    began = study.about()
    if "data_fingerprint" not in began:
        _require_unused(engine)
        study.describe(began=time.time(), **asked)
        return
    changes = [f"search.space.{line}" for line in difference(began["space"], asked["space"])]
    changes += [
        f"{name}: {_shown(began[name])} -> {_shown(asked[name])}"
        for name in ("objectives", "data_fingerprint")
        if began[name] != asked[name]
    ]
    before, now = set(began["configuration"]), set(asked["configuration"])
    changes += [f"configuration: without {typed}" for typed in sorted(before - now)]
    changes += [f"configuration: with {typed}" for typed in sorted(now - before)]
    # A study of an earlier version doesn't say what it was composed to.
    if not changes and began.get("composed", asked["composed"]) != asked["composed"]:
        files = ", ".join(request.files.changed_since(began["began"])) or "srexp or the environment, but no file"
        changes = [f"the same words were composed to something else; changed since: {files}"]
    if changes:
        raise RequestError(
            f"the study {engine.name} began otherwise:",
            lines=changes,
            expected="the same space, data and configuration, so that its trials can be compared",
            fix=f"search.name={engine.name}_2 begins another study",
        )


def _require_unused(engine: Search) -> None:
    """Refuse a new study over the trials of one that was lost, or dropped from its database."""
    trials = engine.folder / "trials"
    if trials.is_dir() and any(trials.iterdir()):
        raise RequestError(
            f"the study {engine.name} is not in its storage any more, but its trials are in {trials}",
            expected="the storage it began with, or an unused name",
            fix=f"bring back its database, or the files of {engine.folder} as they were;"
            f" or search.name={engine.name}_2 begins another study",
        )


def _set(tree: DictConfig, key: str, value: Any) -> None:
    """Set a key that exists; one that doesn't is refused with the nearest that does."""
    section = key.partition(".")[0]
    if section not in SEARCHED:
        raise RequestError(f"{key} does not exist", expected=f"a key of {', '.join(SEARCHED)}")
    if OmegaConf.select(tree, key, default=_MISSING) is _MISSING:
        leaves = flatten({section: OmegaConf.to_container(tree[section])})
        names = [name for name in leaves if not name.endswith("._target_")]
        raise RequestError(
            f"{key} does not exist",
            expected=f"a key of {section}: {', '.join(names)}",
            fix=did_you_mean(key, names),
        )
    OmegaConf.update(tree, key, value)


_MISSING = object()


def _shown(value: Any) -> str:
    return value[:16] if isinstance(value, str) else str(value)
