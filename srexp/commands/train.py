"""`train`: from a configuration to a tracked, scored and registered model."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from srexp.commands import console
from srexp.config.builders import build
from srexp.config.schema import Config, TrainConfig
from srexp.data.audit import findings
from srexp.experiment import resume
from srexp.experiment.artifacts import Gallery
from srexp.experiment.batch_size import sized
from srexp.experiment.fitting import bicubic_baseline, fit_network, validation
from srexp.experiment.multirun import driver
from srexp.experiment.multiscale import other_tasks, score_others
from srexp.experiment.profiling import Profile, Stopwatch
from srexp.experiment.task import Task
from srexp.system.memory import peak_rss_mb
from srexp.tracking.registry.resumed import NOTHING, Already
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.training import memory
from srexp.training.checkpoint import Checkpoints

if TYPE_CHECKING:
    import keras

    from srexp.evaluation.score import Scores
    from srexp.experiment.resume import Earlier
    from srexp.tracking.registry.registry import Registered
    from srexp.training.fit import Fitted

Obtain: TypeAlias = "Callable[[Task, Run], tuple[keras.Model, Fitted]]"


def run(config: Config) -> dict[str, Any]:
    """Train a model, score it against bicubic, track it, and register it as a candidate.

    Args:
        config: Checked configuration.

    Returns:
        `result.json`, as the design fixes it.

    Raises:
        RequestError: The configuration or the data set is wrong; nothing was trained.
        SrexpError: Training failed; the run is FAILED.
    """
    watch = Stopwatch()
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    if isinstance(config, TrainConfig) and config.resume:
        return resume.run(config, tracking, watch)
    with watch("data"):
        task = Task(config)
    same = driver.identity(config, task.prepared.fingerprint)
    if earlier := driver.finished_before(tracking, config, same):
        print(f"skipped {' '.join(config.overrides)}: finished before as run {earlier['run_id']}")
        return earlier
    with watch("data"):
        task = sized(task)
    resume.mention(tracking, config, same)
    return conduct(task, tracking, watch, parent=driver.parent(tracking, config), tags={driver.IDENTITY_TAG: same})


def conduct(
    task: Task,
    tracking: Tracking,
    watch: Stopwatch,
    *,
    parent: str | None,
    tags: Mapping[str, object],
    obtain: Obtain | None = None,
    earlier: Earlier | None = None,
) -> dict[str, Any]:
    """Track a run that obtains a network, scores it on the test images, once, and registers it.

    Args:
        task: Data and configuration.
        tracking: Where the run is kept.
        watch: Times the stages; `data` is over.
        parent: Run that this one belongs to.
        tags: Tags of the run besides those of the task.
        obtain: Gives the network from where it was kept; None to train it, in a way that can go on when interrupted.
        earlier: The run to go on with; None for a new one.

    Returns:
        `result.json`, as the design fixes it.

    Raises:
        SrexpError: Training failed, or the store refused; the run is FAILED.
    """
    config = task.config
    checkpoints = Checkpoints(earlier.folder if earlier else resume.new_folder(config.run_dir))
    known = {**config.tags, **task_tags(task), **tags, resume.FOLDER_TAG: str(checkpoints.folder)}
    others = [] if obtain else other_tasks(task)
    run_id: str | None = None
    try:
        with (
            Profile(config.run_dir) if config.trainer.profile else nullcontext(),
            tracking.run(
                task.name,
                name=_run_name(config),
                parent=parent,
                tags=known,
                resume=earlier.run_id if earlier else None,
                folder=config.run_dir,
            ) as tracked,
        ):
            run_id = tracked.id
            result, scores, model, fitted = _work(
                task, tracked, watch, obtain=obtain, checkpoints=checkpoints, earlier=earlier
            )
            if others:
                result["other_scales"] = list(score_others(others, tracking, tracked, model, fitted))
            tracked.log_result(result)
    except KeyboardInterrupt:
        if run_id and obtain is None:
            resume.offer(config, run_id)
        raise
    checkpoints.remove()
    result = tracked.answered(result)
    console.training(
        result, {"model": scores.summary("model"), "bicubic": scores.summary("baseline")}, config.model.name
    )
    return result


def _work(
    task: Task,
    tracked: Run,
    watch: Stopwatch,
    *,
    obtain: Obtain | None,
    checkpoints: Checkpoints,
    earlier: Earlier | None,
) -> tuple[dict[str, Any], Scores, keras.Model, Fitted]:
    """Do the work of a run, or what of it is left."""
    config = task.config
    with watch("track"):
        already = earlier.reopen(tracked) if earlier else NOTHING
        if earlier is None or not earlier.logged:
            log_request(tracked, task)
    with watch("train"), memory.enough(batch_size=config.trainer.patches, patch_size=config.trainer.patch_size):
        if obtain:
            model, fitted = obtain(task, tracked)
        else:
            model, fitted = fit_network(task, tracked, checkpoints=checkpoints, already=already)
    watch.add("train", fitted.earlier_seconds)
    with watch("evaluate"):
        scores, chosen = _score(model, task, tracked, fitted, already)
    with watch("track"):
        figures = _figures(scores, chosen)
        model_uri, registered = _keep(model, task, tracked, fitted.best_epoch, figures=figures, already=already)
    result = _result(config, task, tracked, fitted, scores)
    result["warnings"] += earlier.warnings if earlier else []
    result |= {"validation": chosen, "model_uri": model_uri, "registered": registered}
    result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
    return result, scores, model, fitted


def _run_name(config: Config) -> str:
    return config.run_name or f"{config.model.name} seed {config.seed}"


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
        "overrides": shlex.join(config.overrides),
    }


def log_request(tracked: Run, task: Task, *, without: Collection[str] = ()) -> None:
    """Log what was asked for, on which data, before anything can fail; sections in `without` played no part."""
    from omegaconf import OmegaConf

    config = task.config
    asked = {key: value for key, value in config.resolved.items() if key not in without}
    tracked.log_config(asked, OmegaConf.to_yaml(OmegaConf.create(asked)))
    tracked.log_environment(config.overrides)
    prepared = task.prepared
    places = [str(place) for key in ("root", "test_root") if (place := config.resolved["dataset"].get(key))]
    tracked.log_dataset(
        name=config.dataset.name,
        source=" and ".join(places) or task.parts.source.attribution,
        fingerprint=prepared.fingerprint,
        splits={split: {"images": len(entries)} for split, entries in prepared.entries.items() if entries},
        manifest=prepared.manifest(),
    )


def _score(
    model: keras.Model, task: Task, tracked: Run, fitted: Fitted, already: Already
) -> tuple[Scores, dict[str, float | None]]:
    """Score the best weights on the test images, once, beside bicubic; make the pictures."""
    from srexp.enhance.predict import predictor
    from srexp.evaluation.score import score

    config = task.config
    best = fitted.history[fitted.best_epoch - 1] if fitted.history else validation(model, task)[0]()
    gallery = Gallery(
        tracked,
        task,
        model_name=config.model.name,
        step=fitted.best_epoch,
        most=config.tracking.max_images,
        already=already,
    )
    scores = score(
        predictor(model, config.scale, config.trainer.memory_mb),
        task.test_samples(),
        task.parts.protocol,
        config.scale,
        baseline=bicubic_baseline(task),
        intensity=config.dataset.intensity,
        full=True,
        on_image=gallery.add,
    )
    gallery.finish(model, fitted, scores)
    return scores, {name: _finite(best[f"val_{name}"]) for name in ("psnr", "ssim")}


def _keep(
    model: keras.Model, task: Task, tracked: Run, step: int, *, figures: Mapping[str, float], already: Already
) -> tuple[str, Registered | None]:
    """Log the model once; register it when it came back from the store unchanged."""
    from srexp.tracking.registry import registry

    model_uri = already.model_uri
    if model_uri is None:
        model_uri = registry.log_best(tracked, model, channels=task.channels, step=step, metrics=figures)
    else:  # interrupted since
        tracked.log_metrics(already.missing(figures, step), step=step)
    if not model.trainable_weights:
        return model_uri, None
    probe = next(task.test_samples()).low[np.newaxis, :70, :54]
    registry.verify(tracked, model_uri, model, probe)
    if already.registered:
        return model_uri, already.registered
    known = {**task_tags(task), **figures, "data.fingerprint": task.prepared.fingerprint}
    known |= {"test_images": len(task.prepared.entries["test"])}
    return model_uri, registry.register(tracked, model_uri, task.name, tags=known)


def _figures(scores: Scores, validation: Mapping[str, float | None]) -> dict[str, float]:
    """Name the final figures; those that are not available are left out."""
    test, bicubic = scores.means("model"), scores.means("baseline")
    named = {
        **{f"best_val_{name}": value for name, value in validation.items()},
        **{f"test_{name}": value for name, value in test.items()},
        **{f"bicubic_{name}": value for name, value in bicubic.items()},
        "gain_db": scores.gain().gain,
    }
    return {name: value for name, value in named.items() if value is not None}


def _result(config: Config, task: Task, tracked: Run, fitted: Fitted, scores: Scores) -> dict[str, Any]:
    gain = scores.gain(seed=config.seed)
    model, bicubic = scores.means("model"), scores.means("baseline")
    patches = fitted.steps * config.trainer.patches
    return {
        "run_id": tracked.id,
        "experiment_name": task.name,
        "best_epoch": fitted.best_epoch,
        "test": {**model, "n_images": len(scores.rows)},
        "baseline": {"bicubic": bicubic},
        "gain_db": gain.gain,
        "gain_ci95": gain.ci95,
        "p_value": gain.p_value,
        "protocol": task.protocol(),
        "data_fingerprint": task.prepared.fingerprint,
        "warnings": [*task.findings(), *fitted.warnings],
        "skipped_images": len(task.prepared.skipped),
        "train_patches_per_second": patches / fitted.train_seconds if patches else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
