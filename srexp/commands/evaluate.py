"""`evaluate`: a model that exists, or plain interpolation, scored beside bicubic on any data set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from srexp.commands import console
from srexp.commands.train import log_request, task_tags
from srexp.config.builders import build
from srexp.config.schema import EvaluateConfig
from srexp.errors import RequestError, SrexpError
from srexp.experiment.artifacts import Gallery
from srexp.experiment.fitting import bicubic_baseline
from srexp.experiment.profiling import Stopwatch
from srexp.experiment.task import Task
from srexp.models.interpolation import METHODS
from srexp.models.interpolation import build as interpolation
from srexp.system.memory import peak_rss_mb
from srexp.tracking.registry import models
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store import addresses
from srexp.tracking.store.lineage import input_of

if TYPE_CHECKING:
    import keras

    from srexp.data.sources.source import Split
    from srexp.evaluation.score import Scores

#: Sections that decide how a model is trained; they say nothing of one that is given.
TRAINING = ("model", "loss", "optimizer", "schedule", "augmentation")
_NAMED = 3
_PROBE = (24, 20)


def run(config: EvaluateConfig) -> dict[str, Any]:
    """Score a model on images of its task or of another one, and keep that as a run.

    Args:
        config: Checked configuration, with `model_uri` and `split`.

    Returns:
        `result.json`: `test` and `baseline` as of a training, all metrics with their spread, and what is known of the
        model; the rows lie beside it as CSV and Parquet.

    Raises:
        RequestError: There is no such model, it doesn't fit the data or the scale, or the data set is wrong.
        SrexpError: The model gives values that are no numbers, or the store refused.
    """
    watch = Stopwatch()
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    found = _found(tracking, config)
    with watch("data"):
        task = Task(config, whole=config.split == "all")
    split: Split = "test" if config.split == "all" else config.split
    _require_scorable(task, split)
    with watch("load"):
        model = _model(tracking, found, task)
    trained_on, warnings = _leak(tracking, found, task, split)
    known = {
        **config.tags,
        **task_tags(task),
        "verb": "evaluate",
        "model": model.name,
        "model_uri": config.model_uri,
        "split": config.split,
        "leak": "unknown" if trained_on is None else str(any(trained_on.values())).lower(),
    }
    name = config.run_name or f"evaluate {model.name}"
    with tracking.run(task.name, name=name, tags=known, folder=config.run_dir) as tracked:
        with watch("track"):
            log_request(tracked, task, without=TRAINING)
        with watch("evaluate"):
            scores = _score(model, task, tracked, split)
        scores.write_csv(config.run_dir / "test.csv")
        scores.write_parquet(config.run_dir / "test.parquet")
        result = {
            **_result(task, tracked, scores),
            "model_uri": config.model_uri,
            "model": _described(model, found),
            "split": config.split,
            "trained_on": trained_on,
            "warnings": [*warnings, *task.findings(split)],
        }
        with watch("track"):
            _log(tracked, task, found, split, scores)
        result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
        tracked.log_result(result)
    result = tracked.answered(result)
    console.evaluation(result)
    return result


def _found(tracking: Tracking, config: EvaluateConfig) -> addresses.Found | None:
    """Find the model before images are read; None stands for interpolation."""
    if config.model_uri in METHODS:
        return None
    if config.model_uri is None:
        raise RequestError(
            "model_uri is missing",
            expected=", ".join([*METHODS, addresses.ADDRESSES]),
            fix=f"model_uri=models:/{config.experiment_name}@candidate",
        )
    return addresses.find(tracking.store, config.model_uri, others=METHODS)


def _require_scorable(task: Task, split: Split) -> None:
    """Refuse images that are too small for the protocol, all of them at once and before anything is scored."""
    from srexp.metrics.ssim import WINDOW

    scale = task.config.scale
    least = WINDOW + 2 * task.parts.protocol.border(scale)
    entries = task.prepared.entries[split]
    small = [entry.key for entry in entries if min(entry.height, entry.width) // scale * scale < least]
    if small:
        raise RequestError(
            f"{len(small)} of {len(entries)} images are too small to be scored: {', '.join(small[:20])}",
            expected=f"{least} pixels each way: SSIM's window inside the border that the protocol leaves out",
            fix="leave these images out, or set protocol.shave=0",
        )


def _model(tracking: Tracking, found: addresses.Found | None, task: Task) -> keras.Model:
    from srexp.training import numerics

    config: EvaluateConfig = task.config  # type: ignore[assignment]  # the task of this command
    numerics.load_quietly()
    numerics.prepare(seed=config.seed, deterministic=config.trainer.deterministic)
    if found is None:
        method = next(each for each in METHODS if each == config.model_uri)
        return interpolation(config.scale, task.channels, method=method)
    model = models.load(tracking.store, found).model
    require_fit(model, task, found.uri)
    return model


def require_fit(model: keras.Model, task: Task, uri: str) -> None:
    """Hold a model's channels and scale against the configuration, by asking it for one small image.

    Args:
        model: Loaded model.
        task: What it is to be scored on.
        uri: What messages call it.

    Raises:
        RequestError: It takes other images, or enlarges by another scale.
        SrexpError: It doesn't enlarge by a whole number.
    """
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1:3] != (None, None):  # noqa: PLR2004 - (n, h, w, c)
        raise RequestError(f"{uri} doesn't take images of any size", got=shape, expected="(None, None, None, channels)")
    if shape[-1] != task.channels:
        needed = {1: "grey", 3: "rgb"}.get(shape[-1])
        raise RequestError(
            f"{uri} takes images of {shape[-1]} channel{'s' * (shape[-1] != 1)}",
            got=f"protocol.channel={task.channel}, which gives {task.channels}",
            expected="as many channels as the model was trained with",
            fix=f"protocol.channel={needed}" if needed else "choose another model_uri",
        )
    given = tuple(np.asarray(model(np.zeros((1, *_PROBE, shape[-1]), np.float32), training=False)).shape[1:3])
    scale = given[0] // _PROBE[0]
    if given != (_PROBE[0] * scale, _PROBE[1] * scale):
        raise SrexpError(
            f"{uri} doesn't enlarge by a whole number", got=f"{_PROBE} to {given}", expected="(h * scale, w * scale)"
        )
    if scale != task.config.scale:
        raise RequestError(
            f"{uri} enlarges {scale} times",
            got=f"scale={task.config.scale}",
            expected="the scale that the model was trained for",
            fix=f"scale={scale}",
        )


def _leak(
    tracking: Tracking, found: addresses.Found | None, task: Task, split: Split
) -> tuple[dict[str, int] | None, list[str]]:
    """Look for scored images that the model has seen: their number by split of its training, and sentences."""
    if found is None:
        return {"train": 0, "validation": 0}, []
    seen = models.training_images(tracking.store, found.run_id) if found.run_id else None
    if seen is None:
        return None, [
            f"it isn't known which images {found.uri} was trained on, so some of those scored here may be among them"
        ]
    entries = task.prepared.entries[split]
    means = {
        "train": "the model was trained on, so the figures say nothing about new ones",
        "validation": "decided which weights of the model were kept",
    }
    warnings, counts = [], {}
    for purpose, meaning in means.items():
        keys = [entry.key for entry in entries if seen.get(entry.sha256) == purpose]
        counts[purpose] = len(keys)
        if keys:
            rest = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
            named = f"{', '.join(keys[:_NAMED])}{rest}"
            warnings.append(f"{len(keys)} of {len(entries)} scored images are ones that {meaning}: {named}")
    return counts, warnings


def _score(model: keras.Model, task: Task, tracked: Run, split: Split) -> Scores:
    from srexp.enhance.predict import predictor
    from srexp.evaluation.score import score
    from srexp.training.fit import Fitted

    config = task.config
    gallery = Gallery(tracked, task, model_name=model.name, step=0, most=config.tracking.max_images)
    scores = score(
        predictor(model, config.scale, config.trainer.memory_mb),
        task.samples(split),
        task.parts.protocol,
        config.scale,
        baseline=bicubic_baseline(task),
        intensity=config.dataset.intensity,
        full=True,
        on_image=gallery.add,
    )
    gallery.finish(model, Fitted(), scores)
    return scores


def _result(task: Task, tracked: Run, scores: Scores) -> dict[str, Any]:
    seed = task.config.seed
    gain = scores.gain(seed=seed)
    return {
        "run_id": tracked.id,
        "experiment_name": task.name,
        "test": {**scores.means("model"), "n_images": len(scores.rows)},
        "baseline": {"bicubic": scores.means("baseline")},
        "gain_db": gain.gain,
        "gain_ci95": gain.ci95,
        "p_value": gain.p_value,
        "metrics": {
            metric: {
                "model": scores.spread(metric, "model", seed=seed),
                "bicubic": scores.spread(metric, "baseline", seed=seed),
                "gain": scores.gain(metric, seed=seed).as_dict(),
            }
            for metric in scores.metrics
        },
        "protocol": task.protocol(),
        "data_fingerprint": task.prepared.fingerprint,
        "skipped_images": len(task.prepared.skipped),
    }


def _described(model: keras.Model, found: addresses.Found | None) -> dict[str, Any]:
    """Say what was scored: the network, and where it comes from."""
    origin = {key: getattr(found, key, None) for key in ("registered", "version", "model_id", "run_id")}
    return {"name": model.name, "parameters": model.count_params(), **origin}


def _log(tracked: Run, task: Task, found: addresses.Found | None, split: Split, scores: Scores) -> None:
    """Log the figures under the names that trainings use, and once more on the page of the model."""
    gain = scores.gain().gain
    test = _finite({**scores.means("model"), "gain_db": gain})
    named = {name if name == "gain_db" else f"test_{name}": value for name, value in test.items()}
    named |= {f"bicubic_{name}": value for name, value in _finite(scores.means("baseline")).items()}
    tracked.log_metrics(named, step=0)
    if found and found.model_id:
        dataset = input_of(task.config.dataset.name, task.prepared.fingerprint, split)
        # Names of their own: `test_psnr` of a model is what its training led to.
        linked = {f"evaluate_{name}": value for name, value in test.items()}
        models.link(tracked, found.model_id, linked, dataset=dataset.name, digest=dataset.digest)


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
