"""`evaluate`: a model that exists, or plain interpolation, scored beside bicubic on any data set."""

from __future__ import annotations

from typing import Any

from srexp.commands import console
from srexp.config.builders import build
from srexp.config.schema import EvaluateConfig
from srexp.data.sources.source import Split
from srexp.errors import RequestError
from srexp.evaluation.cost import cost
from srexp.evaluation.score import Scores
from srexp.experiment import network
from srexp.experiment.loaded_model import NO_FILE, loaded_for
from srexp.experiment.recorded_config import TRAINING, dated, log_request, run_of
from srexp.experiment.run_pictures import describe, score_and_draw
from srexp.experiment.scoring import figures_of, require_scorable, result_of, warnings_of
from srexp.experiment.task import Task
from srexp.models.interpolation import METHODS
from srexp.models.interpolation import build as interpolation
from srexp.system.memory import peak_rss_mb
from srexp.system.profiling import Stopwatch
from srexp.tracking.registry import models
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store import addresses
from srexp.tracking.store.lineage import input_of
from srexp.training.fit import Fitted
from srexp.types import Network

_NAMED = 3


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
    require_scorable(task, split)
    with watch("load"):
        model, digest = _model(tracking, found, task)
    trained_on, warnings = _leak(tracking, found, task, split)
    known = {
        "verb": "evaluate",
        "model": model.name,
        "model_uri": config.model_uri,
        "split": config.split,
        "leak": "unknown" if trained_on is None else str(any(trained_on.values())).lower(),
    }
    with run_of(task, tracking, name=dated(f"evaluate {model.name} on {config.split}"), tags=known) as tracked:
        with watch("track"):
            log_request(tracked, task, without=TRAINING)
        with watch("evaluate"):
            scores = score_and_draw(model, task, tracked, Fitted(), model_name=model.name, split=split)
        scores.write_csv(config.run_dir / "test.csv")
        scores.write_parquet(config.run_dir / "test.parquet")
        origin = {key: getattr(found, key, None) for key in ("registered", "version", "model_id", "run_id")}
        result = {
            "run_id": tracked.id,
            **result_of(scores, task),
            "metrics": _metrics(scores, config.seed),
            "model_uri": config.model_uri,
            "model": {"name": model.name, "parameters": cost(model).parameters, "digest": digest, **origin},
            "split": config.split,
            "trained_on": trained_on,
            "warnings": [*warnings, *warnings_of(scores), *task.findings(split)],
        }
        with watch("track"):
            _log(tracked, task, found, split, scores)
        result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
        describe(tracked, task, result, model_name=model.name)
        tracked.log_result(result)
    result = tracked.answered(result)
    console.evaluation(result, tracked.kept())
    return result


def _found(tracking: Tracking, config: EvaluateConfig) -> addresses.Found | None:
    """Find the model before images are read; None stands for interpolation."""
    if config.model_uri in METHODS:
        models.require_digest(config.model_uri, NO_FILE, config.require_digest)
        return None
    if config.model_uri is None:
        raise RequestError(
            "model_uri is missing",
            expected=", ".join([*METHODS, addresses.ADDRESSES]),
            fix=f"model_uri=models:/{config.experiment_name}@candidate",
        )
    found = addresses.find(tracking.store, config.model_uri, others=METHODS)
    addresses.require_files(tracking.store, found)
    return found


def _model(tracking: Tracking, found: addresses.Found | None, task: Task) -> tuple[Network, str | None]:
    """Load the model, with the digest of its file; interpolation has none."""
    config: EvaluateConfig = task.config  # type: ignore[assignment]  # the task of this command
    network.prepare(config)
    if found is None:
        method = interpolation(config.scale, task.channels, method=config.model_uri)  # type: ignore[arg-type]  # a key of METHODS
        return method, None
    loaded = loaded_for(task, tracking.store, found, digest=config.require_digest)
    return loaded.model, loaded.digest


def _leak(
    tracking: Tracking, found: addresses.Found | None, task: Task, split: Split
) -> tuple[dict[str, int] | None, list[str]]:
    """Look for scored images that the model has seen: their number by split of its training, and sentences."""
    if found is None:
        return {"train": 0, "validation": 0}, []
    seen = models.training_images(tracking.store, found)
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


def _metrics(scores: Scores, seed: int) -> dict[str, Any]:
    """Give every metric with its spread, of the model, of bicubic, and what the one is better by."""
    return {
        metric: {
            "model": scores.spread(metric, "model", seed=seed),
            "bicubic": scores.spread(metric, "baseline", seed=seed),
            "gain": scores.gain(metric, seed=seed).as_dict(),
        }
        for metric in scores.metrics
    }


def _log(tracked: Run, task: Task, found: addresses.Found | None, split: Split, scores: Scores) -> None:
    """Log the figures under the names that trainings use, and once more on the page of the model."""
    figures = figures_of(scores)
    tracked.log_metrics(figures, step=0)
    if found and found.model_id:
        dataset = input_of(task.config.dataset.name, task.prepared.fingerprint, split)
        # Names of their own: `test_psnr` of a model is what its training led to.
        own = {name.removeprefix("test_"): value for name, value in figures.items() if not name.startswith("bicubic_")}
        linked = {f"evaluate_{name}": value for name, value in own.items()}
        models.link(tracked, found.model_id, linked, dataset=dataset.name, digest=dataset.digest)
