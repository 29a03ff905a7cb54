"""`train`: from a configuration to a tracked, scored and registered model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from srexp.commands import multirun, show
from srexp.commands.gallery import Gallery
from srexp.commands.measure import Profile, Stopwatch, peak_rss_mb
from srexp.commands.task import Task
from srexp.config.build import build
from srexp.config.schema import Config
from srexp.data.findings import tags
from srexp.tracking.run import Run
from srexp.tracking.start import Tracking

if TYPE_CHECKING:
    import keras

    from srexp.evaluation.score import Scores
    from srexp.tracking.registry import Registered
    from srexp.training.fit import Fitted


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
    with watch("data"):
        task = Task(config)
    same = multirun.identity(config, task.prepared.fingerprint)
    if earlier := multirun.finished_before(tracking, config, same):
        print(f"skipped {' '.join(config.overrides)}: finished before as run {earlier['run_id']}")
        return earlier
    known = {**config.tags, **_tags(task), multirun.IDENTITY_TAG: same}
    with (
        Profile(config.run_dir) if config.trainer.profile else nullcontext(),
        tracking.run(
            task.name, name=_run_name(config), parent=multirun.parent(tracking, config), tags=known
        ) as tracked,
    ):
        with watch("track"):
            _log_request(tracked, config, task)
        with watch("train"):
            model, fitted = _fit(config, task, tracked)
        with watch("evaluate"):
            scores, validation = _score(model, task, tracked, fitted)
        with watch("track"):
            model_uri, registered = _keep(model, task, tracked, fitted.best_epoch, _figures(scores, validation))
        result = _result(config, task, tracked, fitted, scores)
        result |= {"validation": validation, "model_uri": model_uri, "registered": registered}
        result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
        tracked.log_dict(result, "result.json")
    show.training(result, {"model": scores.summary("model"), "bicubic": scores.summary("baseline")}, config.model.name)
    return result


def _run_name(config: Config) -> str:
    return config.run_name or f"{config.model.name} seed {config.seed}"


def _tags(task: Task) -> dict[str, object]:
    config = task.config
    return {
        "task": task.name,
        "model": config.model.name,
        "scale": config.scale,
        "seed": config.seed,
        "degenerate": str(task.degenerate).lower(),
        "protocol": task.protocol(),
        **tags(task.audit),
        "overrides": " ".join(config.overrides),
    }


def _log_request(tracked: Run, config: Config, task: Task) -> None:
    """Log what was asked for, on which data, before anything can fail."""
    from omegaconf import OmegaConf

    tracked.log_config(config.resolved, OmegaConf.to_yaml(OmegaConf.create(config.resolved)))
    tracked.log_environment(config.overrides)
    prepared = task.prepared
    tracked.log_dataset(
        name=config.dataset.name,
        source=str(config.resolved["dataset"].get("root") or task.parts.source.attribution),
        fingerprint=prepared.fingerprint,
        splits={split: {"images": len(entries)} for split, entries in prepared.entries.items()},
        manifest=prepared.manifest(),
    )


def _fit(config: Config, task: Task, tracked: Run) -> tuple[keras.Model, Fitted]:
    """Train; give a float32 model with the best weights, whatever precision it was trained in."""
    from srexp.data.pipeline import training_batches
    from srexp.training import numerics
    from srexp.training.fit import Fitted, Plan, fit

    trainer = config.trainer
    numerics.load_quietly()
    numerics.prepare(seed=config.seed, deterministic=trainer.deterministic)
    precision = numerics.resolve_precision(trainer.precision)
    tracked.set_tags({"precision": precision})
    with numerics.policy("float32"):
        restorer = build(config.model, scale=config.scale, channels=task.channels)
    if not restorer.trainable_weights:
        return restorer, Fitted()
    validate, bicubic_psnr = _validation(restorer, task)
    with numerics.strategy_scope(trainer.strategy):
        with numerics.policy(precision):
            network = build(config.model, scale=config.scale, channels=task.channels)
        network.set_weights(restorer.get_weights())

        def score_network() -> Mapping[str, float]:
            restorer.set_weights(network.get_weights())
            return validate()

        steps = trainer.epochs * trainer.steps_per_epoch
        with training_batches(task.sampler(), start_step=0, total_steps=steps, workers=trainer.workers) as batches:
            fitted = fit(
                network,
                batches.take(few).cache().repeat() if (few := trainer.overfit_batches) else batches,
                loss=build(config.loss),
                optimizer=build(config.optimizer),
                schedule=build(config.schedule),
                plan=Plan(
                    epochs=trainer.epochs,
                    steps_per_epoch=trainer.steps_per_epoch,
                    max_minutes=trainer.max_minutes,
                    patience=trainer.patience,
                ),
                validate=score_network,
                bicubic_psnr=bicubic_psnr,
                on_epoch=lambda epoch, numbers: tracked.log_metrics(numbers, step=epoch),
            )
    restorer.set_weights(network.get_weights())
    return restorer, fitted


def _validation(model: keras.Model, task: Task) -> tuple[Callable[[], Mapping[str, float]], float]:
    """Give a function that scores a model on the validation crops, and bicubic's PSNR on them."""
    from srexp.enhance.predict import predictor
    from srexp.evaluation.score import score

    samples = task.validation_samples()
    protocol, scale = task.parts.protocol, task.config.scale
    predict = predictor(model, scale, task.config.trainer.memory_mb)
    bicubic = score(_bicubic(task), samples, protocol, scale).means()["psnr"]

    def validate() -> Mapping[str, float]:
        means = score(predict, samples, protocol, scale).means()
        return {f"val_{name}": math.inf if mean is None else mean for name, mean in means.items()}

    return validate, math.inf if bicubic is None else bicubic


def _bicubic(task: Task) -> Any:
    """Give bicubic interpolation, the way the models do it inside."""
    from srexp.enhance.predict import predictor
    from srexp.models import bicubic

    scale = task.config.scale
    return predictor(bicubic.build(scale, task.channels, name="bicubic"), scale, task.config.trainer.memory_mb)


def _score(model: keras.Model, task: Task, tracked: Run, fitted: Fitted) -> tuple[Scores, dict[str, float | None]]:
    """Score the best weights on the test images, once, beside bicubic; make the pictures."""
    from srexp.enhance.predict import predictor
    from srexp.evaluation.score import score

    config = task.config
    validate, bicubic_psnr = _validation(model, task)
    best = fitted.history[fitted.best_epoch - 1] if fitted.history else validate()
    gallery = Gallery(
        tracked, task, model_name=config.model.name, step=fitted.best_epoch, most=config.tracking.max_images
    )
    scores = score(
        predictor(model, config.scale, config.trainer.memory_mb),
        task.test_samples(),
        task.parts.protocol,
        config.scale,
        baseline=_bicubic(task),
        intensity=config.dataset.intensity,
        on_image=gallery.add,
    )
    gallery.finish(model, fitted, scores, _finite(bicubic_psnr))
    return scores, {name: _finite(best[f"val_{name}"]) for name in ("psnr", "ssim")}


def _keep(
    model: keras.Model, task: Task, tracked: Run, step: int, figures: Mapping[str, float]
) -> tuple[str, Registered | None]:
    """Log the model once; register it when it came back from the store unchanged."""
    from srexp.tracking import registry

    model_uri = registry.log_best(tracked, model, channels=task.channels, step=step, metrics=figures)
    if not model.trainable_weights:
        return model_uri, None
    probe = next(task.test_samples()).low[np.newaxis, :70, :54]
    registry.verify(tracked, model_uri, model, probe)
    known = {**_tags(task), **figures, "data.fingerprint": task.prepared.fingerprint}
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
    patches = fitted.steps * config.trainer.batch_size
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
