"""A task as its run keeps it: recorded when the run begins, and composed again from that when it is over or goes on."""

from __future__ import annotations

import dataclasses
import re
import shlex
import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from srexp.config.allowed_targets import renewed
from srexp.config.compose import check, composed
from srexp.config.frozen_files import Files, folder_beside, frozen
from srexp.config.identity import IDENTITY_TAG, PLACES, digest
from srexp.config.override_grammar import key_of
from srexp.config.sections.base import CONFIG_DIR, Config
from srexp.config.sections.verbs import TrainConfig
from srexp.data.audit import findings
from srexp.errors import RequestError
from srexp.experiment import start
from srexp.experiment.task import Task
from srexp.system.files.moved_files import here, moved, with_moved
from srexp.system.kernels import choice
from srexp.system.masking import pseudonyms
from srexp.system.masking.redaction import mask, printable
from srexp.tracking.journal.writer import SYNC
from srexp.tracking.names import CHECKPOINTS_TAG, without_own
from srexp.tracking.runs import queries
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.parameters import shorten
from srexp.tracking.store.store import Store

#: Sections that decide how a model is trained; they say nothing of one that is given.
TRAINING = ("model", "loss", "training", "optimizer", "schedule", "augmentation")
#: What decides which images are scored, and how; it is taken from the training.
DECISIVE = ("dataset", "degradation", "protocol", "scale", "seed", "experiment_name")
#: The same of the trainer.
DECISIVE_OF_TRAINER = (
    "batch_size", "patch_size", "patches_per_image", "validation_images", "validation_size", "test_size",
)  # fmt: skip
#: What of the protocol this command says and not the training: LPIPS's file of weights. Other scores don't need it.
_WEIGHTS = "lpips"
#: Its key comes after all that decide a task.
_KEPT, _LAST = "config.yaml", "verb"
_LONGEST_NAME = 100  # a longer one is cut, before the minute that it ends with


def task_tags(task: Task) -> dict[str, object]:
    """Give the tags by which the runs of a task are filtered."""
    config = task.config
    return {
        "task": task.name,
        "model": config.model.name,
        "scale": config.scale,
        "seed": config.seed,
        "degenerate": str(task.degenerate).lower(),
        "protocol": task.protocol(),
        **findings.tags(task.audit),
        "overrides": shlex.join(config.typed),
        pseudonyms.TAG: pseudonyms.fingerprint(),
    }


def run_name(config: Config) -> str:
    """Name a training by its network, what was typed of its making, and when: so that a list tells it from others.

    Args:
        config: Of the training.
    """
    told = []
    for typed in config.overrides:
        key, _, value = typed.partition("=")
        if (
            key_of(typed).partition(".")[0] in (*TRAINING, "trainer", "seed", "experiment", "debug")
            and key_of(typed) != "model"
        ):
            told.append(f"{key.rpartition('.')[2].lstrip('+')}={value}")
    return dated(" ".join([config.model.name, *told]))


def dated(name: str) -> str:
    """Add the minute to the name of a run, for the same command may be given again."""
    return f"{shorten(printable(mask(name)), _LONGEST_NAME)} {time.strftime('%m-%d %H:%M')}"


def undated(name: str) -> str:
    """Leave out what `dated` added.

    Example:
        >>> undated("vdsr lr=0.001 11-29 21:55")
        'vdsr lr=0.001'
    """
    return re.sub(r" \d\d-\d\d \d\d:\d\d$", "", name)


def run_of(
    task: Task,
    tracking: Tracking,
    *,
    name: str,
    tags: Mapping[str, object],
    parent: str | None = None,
    resume: str | None = None,
) -> AbstractContextManager[Run]:
    """Open a run of a task.

    Args:
        task: Says the experiment, the folder, and most tags.
        tracking: Where the run is kept.
        name: Of the run, where `run_name` gives none.
        tags: Further tags, which win.
        parent: Run that this one belongs to.
        resume: Run to go on with.

    Returns:
        A context manager that gives the open run.
    """
    config = task.config
    kernels = {} if resume else {choice.KERNELS: choice.in_force()}  # a run keeps what it began with
    return tracking.run(
        task.name,
        name=config.run_name or name,
        parent=parent,
        tags={**config.tags, **task_tags(task), **kernels, **tags},
        resume=resume,
        folder=config.run_dir,
    )


def log_request(tracked: Run, task: Task, *, without: Collection[str] = ()) -> None:
    """Log what was asked for, on which data, before anything can fail; sections in `without` played no part."""
    config = task.config
    log_config(tracked, config, without=without)
    prepared = task.prepared
    places = [str(place) for key in ("root", "test_root") if (place := config.resolved["dataset"].get(key))]
    tracked.log_dataset(
        name=config.dataset.name,
        source=" and ".join(places) or task.parts.source.attribution,
        fingerprint=prepared.fingerprint,
        splits={split: {"images": len(entries)} for split, entries in prepared.entries.items() if entries},
        manifest=prepared.manifest(),
    )


def log_config(tracked: Run, config: Config, *, without: Collection[str] = ()) -> None:
    """Log a configuration, what was typed and what it ran on; sections in `without` played no part."""
    asked = {key: value for key, value in config.resolved.items() if key not in without}
    tracked.log_config({**asked, choice.KERNELS: choice.in_force()}, OmegaConf.to_yaml(OmegaConf.create(asked)))
    tracked.log_environment(config.typed)


def kept_by(store: Store, run_id: str, root: Path) -> dict[str, Any]:
    """Read the configuration that a run logged, with today's names of builders and today's places.

    Args:
        store: Where the run is kept.
        run_id: Of the run.
        root: Folder that runs write to, which may have been moved or copied since.

    Returns:
        It, resolved; empty when the run was ended before it came to that. One that isn't whole is refused.
    """
    if (text := queries.read_text(store, run_id, _KEPT)) is None:
        return {}
    try:
        kept = OmegaConf.to_container(OmegaConf.create(text))
    except (YAMLError, OmegaConfBaseException, ValueError, AssertionError) as error:
        raise queries.damaged(store, run_id, _KEPT, f"it is no YAML, {error}") from error
    if not isinstance(kept, dict) or _LAST not in kept:  # what is lost would be taken from today's defaults
        raise queries.damaged(store, run_id, _KEPT, "it isn't whole" if text else "it is empty")
    kept, then = renewed(kept), (kept.get("paths") or {}).get("root")
    return _here_now(kept, Path(then), root) if then and "dataset" in kept else kept


def _here_now(kept: dict[str, Any], then: Path, now: Path) -> dict[str, Any]:
    """Put in today's folder, of runs or of one of them, for that of then, and images beside it that came along."""
    tree: dict[str, Any] = with_moved(kept, then, now)
    beside = with_moved(tree["dataset"], *moved(then, now))
    came = {key: value for key, value in beside.items() if isinstance(value, str) and Path(value).exists()}
    return {**tree, "dataset": tree["dataset"] | came}


def task_of(config: Config, store: Store, run_id: str, *, fingerprint: str) -> Task:
    """Prepare the data of a training once more.

    Only the place of the data set may be another one than then: what else the command line says of the task must agree.

    Args:
        config: Of this command; says where things are, and how much memory there is.
        store: Where the run is kept.
        run_id: The run that trained.
        fingerprint: That of its data and split.

    Returns:
        Its task.

    Raises:
        RequestError: The run kept no configuration, the command line asks for another task, or the data set isn't the
            one that the model was trained on.
    """
    kept = kept_by(store, run_id, config.paths.root)
    if "dataset" not in kept:
        raise RequestError(
            f"run {run_id} kept no configuration, so its test images can't be found again",
            expected="a training by srexp, with config.yaml among its artifacts",
            fix="choose another version",
        )
    composed = recomposed(config, kept)
    task = Task(composed)
    if task.prepared.fingerprint != fingerprint:
        raise RequestError(
            f"the data set is not the one of run {run_id}: its fingerprint differs",
            got=task.prepared.fingerprint,
            expected=f"{fingerprint}, that of the same images in the same split",
            fix=f"point to it: dataset={composed.dataset.name} dataset.root=/data/xrays",
        )
    return task


def recomposed(config: Config, kept: Mapping[str, Any]) -> Config:
    """Put the task of a training into a configuration of today.

    Args:
        config: Of this command.
        kept: The resolved configuration of the training.

    Returns:
        A configuration of `train` whose data, degradation, protocol, scale and seed are those of the training.

    Raises:
        RequestError: The command line asks for another task, or a section doesn't fit this version of srexp.
    """
    _require_same(config, kept)
    names = {field.name for field in dataclasses.fields(Config)}
    tree = {key: value for key, value in config.resolved.items() if key in names}
    tree |= {key: kept[key] for key in DECISIVE if key in kept}
    trainer = kept.get("trainer") or {}
    tree["trainer"] = {**tree["trainer"], **{key: trainer[key] for key in DECISIVE_OF_TRAINER if key in trainer}}
    tree["dataset"] = {**tree["dataset"], **_here(config, tree["dataset"])}
    tree["protocol"] = {**tree["protocol"], _WEIGHTS: config.resolved["protocol"].get(_WEIGHTS)}
    tree |= {"verb": "train", "audit": "warn"}
    return check(OmegaConf.create(tree), overrides=config.overrides, run_dir=config.run_dir)


def continued(config: TrainConfig, found: queries.StoredRun, kept: Mapping[str, Any], run_dir: Path) -> Config:
    """Give the configuration that a run began with, at today's places.

    Args:
        config: Of the command that goes on; says where things are now.
        found: The run.
        kept: What it logged; empty when it was ended before it came to that, and its overrides are composed again.
        run_dir: Its folder.

    Returns:
        The configuration to go on with.

    Raises:
        RequestError: The command names another data set than the run began with, or its overrides are composed to
            something else than then.
    """
    # Whose code may run is said by this command, not by the store.
    words = shlex.split(found.tags.get("overrides", ""))
    folders = [each.removeprefix(CONFIG_DIR) for each in words if each.startswith(CONFIG_DIR)]
    beside = config.beside or next(iter(folders), None)
    typed = [each for each in words if key_of(each) != "extensions" and not each.startswith(CONFIG_DIR)]
    typed += [each for each in config.overrides if key_of(each) == "extensions"]
    if beside:
        beside = str(here(Path(beside), config.paths.root, config.paths.root.parent))
    tree: Any = OmegaConf.create(dict(kept) if kept else _composed_again(found, typed, beside, run_dir))
    OmegaConf.resolve(tree)
    now = OmegaConf.create(config.resolved)
    _require_same_kind(config, tree["dataset"])
    tree = OmegaConf.unsafe_merge({key: now[key] for key in ("trainer", "training", "checkpoint")}, tree)
    # Addresses are logged without passwords, the folder of runs may have moved, and this command says who may read.
    places = ["paths"] if tree.paths.root != now.paths.root else []
    taken = ["tracking.uri", "tracking.artifacts", "paths.shared", *places]
    for key in [*taken, *(key for key in map(key_of, config.overrides) if key not in ("resume", "dataset"))]:
        OmegaConf.update(tree, key, OmegaConf.select(now, key), merge=False)
    tree.update(verb="train", resume=None, extensions=config.extensions, tags=without_own(tree.get("tags") or {}))
    return check(tree, overrides=typed, beside=beside, run_dir=run_dir)


def _composed_again(found: queries.StoredRun, typed: list[str], beside: str | None, run_dir: Path) -> dict[str, Any]:
    """Compose what was typed once more, where nothing else is left of a run, and refuse what isn't the same now."""
    if beside and not Path(beside).is_dir():
        raise RequestError(
            f"run {found.run_id} was composed from a folder that is gone",
            got=f"{CONFIG_DIR}{beside}",
            expected="its files, since the run was ended before its configuration was stored",
            fix=f"bring it back, or {CONFIG_DIR}FOLDER where it is now",
        )
    with frozen(None if beside == folder_beside() else Files(beside=beside)) as files:
        tree = composed("train", typed)
    settled = start.settled(check(tree, overrides=typed))
    tree.trainer.start = settled.trainer.start
    then, today = found.tags[IDENTITY_TAG].partition("-")[0], digest(settled)
    if then != today:
        changed = files.changed_since(found.started / 1000)
        raise RequestError(
            f"run {found.run_id} was ended before its configuration was stored, and what was typed is composed to "
            "another one now",
            got=f"changed since it began: {', '.join(changed) or 'srexp or the environment, but no file'}",
            expected="the files that it began with, since it would end as another run than it began",
            fix=f"`{SYNC}` if the run still waits to be sent; else take the change back, or train anew",
        )
    resolved: Any = OmegaConf.to_container(tree, resolve=True)
    return _here_now(resolved, Path(found.tags[CHECKPOINTS_TAG]).parents[1], run_dir)


def _here(config: Config, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Say where the data set is on this machine."""
    typed = {key_of(each) for each in config.overrides}
    here = {key: config.resolved["dataset"][key] for key in PLACES if f"dataset.{key}" in typed}
    return {"cache": str(config.paths.cache), **here} if "cache" in dataset else here


def _require_same(config: Config, kept: Mapping[str, Any]) -> None:
    """Refuse what the command line says of the task, where the training had another one."""
    trees = [OmegaConf.create(dict(each)) for each in (config.resolved, kept)]
    for key in map(key_of, config.overrides):
        group, _, rest = key.partition(".")
        if group not in DECISIVE or group == "experiment_name" or (group == "dataset" and rest in PLACES):
            continue
        if (group, rest) == ("protocol", _WEIGHTS):
            continue
        # The choice of a data set only names it: its keys are those of the training.
        place = ".".join([group, *([rest] if rest else ["_target_"] if group == "dataset" else [])])
        asked, trained = (OmegaConf.select(each, place, default="nothing") for each in trees)
        if asked != trained:
            raise RequestError(
                f"{place} is another one than in training",
                got=asked,
                expected=f"{trained}: the model is scored on the task of its run",
                fix=f"leave {key} out, or score it with `python -m srexp evaluate`",
            )


def _require_same_kind(config: TrainConfig, kept: Mapping[str, Any]) -> None:
    """Let the choice of a data set only name it, so that its place can be given; its keys are those of then."""
    asked = config.resolved["dataset"]["_target_"]
    if any(typed.startswith("dataset=") for typed in config.overrides) and asked != kept["_target_"]:
        raise RequestError("dataset is another one than the run began with", got=asked, expected=kept["_target_"])
